"""Choose the encoders of a version: one, or two of which each embeds all images."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from findimg.encoders.registry import fingerprint
from findimg.errors import LibraryError, ModelError, SettingsError
from findimg.library.carried_encoder import carries_encoder
from findimg.library.manifest import Manifest
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg_jobs.build_config.build_context import DEFAULT_BACKBONE, BuildContext, make_build_context
from findimg_jobs.reporting.progress_bar import download_bar

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChosenEncoder:
    """One encoder of a version."""

    context: BuildContext  # how its features are built
    live: Manifest | None  # its features in the live version, None if the version lacks the encoder
    weights: str = ""  # file or s3:// URI to open it with; empty for the default
    carried: bool = False  # open the model that the live version carries, because the weights are not here

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of the encoder."""
        return self.context.config.fingerprint

    def with_near_duplicate_cosine(self, cosine: float) -> "ChosenEncoder":
        """Return the encoder with the cosine from which on two images are near-duplicates."""
        config = replace(self.context.config, near_duplicate_cosine=cosine)
        return replace(self, context=replace(self.context, config=config))

    def with_sources(self, sources: tuple[str, ...]) -> "ChosenEncoder":
        """Return the encoder for a version of these sources."""
        config = replace(self.context.config, sources=sources)
        return replace(self, context=replace(self.context, config=config))


def choose_encoders(settings: Settings, live: Manifest | None, sources: Sequence[str]) -> tuple[ChosenEncoder, ...]:
    """Return the encoders to index with: those of the library, and the one that the settings name.

    The weights of the settings belong to the encoder that they name.

    Args:
        settings: the operator's settings.
        live: the live version, None before the first publish.
        sources: the sources that the manifest will name.

    Raises:
        LibraryError: the library has two encoders, and the settings name a third one.
        SettingsError: a setting is not valid.
        ModelError: an encoder or the word vectors are unknown or missing.
        HeadError: the head is unknown, missing, or does not fit.
    """
    if live is None:
        named = settings.model_copy(update={"backbone": settings.backbone or DEFAULT_BACKBONE})
        return (ChosenEncoder(make_build_context(named, None, sources), None, settings.weights),)
    names = [part.backbone for part in live.parts]
    if len(names) > 1 and settings.weights and not settings.backbone:
        raise SettingsError(
            f"{settings.library} has the encoders {' and '.join(names)}. Say with --backbone which of them has these "
            "--weights."
        )
    is_new = bool(settings.backbone) and settings.backbone not in names
    if is_new and len(names) > 1:
        raise _wrong_encoder(settings, names, "remove one of them with findimg-jobs encoders remove")
    chosen = [_choose(settings, live, part, sources) for part in live.parts]
    if is_new:
        _log.info("Adding %s beside %s. It embeds all images.", settings.backbone, names[0])
        own = settings.model_copy(update={"words": settings.words or live.words, "head": ""})
        chosen.append(ChosenEncoder(make_build_context(own, None, sources), None, settings.weights))
    if len({each.fingerprint for each in chosen}) < len(chosen):
        same = " and ".join(each.context.config.backbone for each in chosen)
        raise SettingsError(f"{same} are the same model. Name other --weights, or leave out --backbone.")
    return tuple(chosen)


def encoders_of_live(settings: Settings, live: Manifest, sources: Sequence[str]) -> tuple[ChosenEncoder, ...]:
    """Return the encoders of a library, to build a version from what they have embedded.

    Errors as of `choose_encoders`. Another encoder in the settings is a LibraryError.
    """
    check_encoder(settings, live)
    return tuple(
        ChosenEncoder(make_build_context(_own(settings, live, part), part, sources, part.fingerprint), part)
        for part in live.parts
    )


def check_encoder(settings: Settings, live: Manifest) -> None:
    """Check that the settings name no encoder that a library lacks.

    Raises:
        LibraryError: they do.
    """
    names = [part.backbone for part in live.parts]
    if settings.backbone and settings.backbone not in names:
        raise _wrong_encoder(settings, names, f"add it with findimg-jobs index --backbone {settings.backbone}")


def _wrong_encoder(settings: Settings, names: Sequence[str], remedy: str) -> LibraryError:
    return LibraryError(
        f"{settings.library} was made with {' and '.join(names)}, not {settings.backbone}. Omit --backbone, or "
        f"{remedy}."
    )


def _own(settings: Settings, live: Manifest, part: Manifest) -> Settings:
    """Return the settings for one encoder of a library. The head is for the one that finds images by words."""
    is_for_words = part.fingerprint == live.for_words.fingerprint
    return settings.model_copy(update={"backbone": part.backbone, "head": settings.head if is_for_words else ""})


def _choose(settings: Settings, live: Manifest, part: Manifest, sources: Sequence[str]) -> ChosenEncoder:
    is_named = part.backbone == settings.backbone or (live.second is None and not settings.backbone)
    weights = settings.weights if is_named else ""
    carried = False
    try:
        made_by = fingerprint(
            part.backbone, ModelStore(settings.cache / "models", progress=download_bar), weights or None
        )
    except ModelError:
        if weights or not carries_encoder(part):
            raise
        made_by, carried = part.fingerprint, True
    if made_by != part.fingerprint and not is_named and carries_encoder(part):
        # It was opened with weights that only the run that named it knew.
        made_by, carried = part.fingerprint, True
    context = make_build_context(_own(settings, live, part), part, sources, made_by)
    return ChosenEncoder(context, part, weights, carried)
