"""Choose which of a library's two encoders finds images by image and which one by words, or remove one of them.

Nothing is embedded and nothing is built, so a change takes seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from findimg.errors import LibraryError
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg_jobs.build.join_parts import join_parts
from findimg_jobs.build.part_builder import BuiltVersion
from findimg_jobs.build.publish import publish
from findimg_jobs.store.lock import hold_lock


@dataclass(frozen=True, slots=True)
class EncoderRole:
    """One encoder of a version, and what it is used for."""

    name: str
    fingerprint: str
    dim: int  # of its embeddings
    by_image: bool  # it finds images by image
    by_words: bool  # it finds images by words, and tags them


def encoder_roles(manifest: Manifest) -> list[EncoderRole]:
    """Return the encoders of a version, the one that finds images by image first."""
    return [
        EncoderRole(
            part.backbone,
            part.fingerprint,
            part.dim,
            by_image=place == 0,
            by_words=part.fingerprint == manifest.for_words.fingerprint,
        )
        for place, part in enumerate(manifest.parts)
    ]


def use_encoders(library: Library, by_image: str | None, by_words: str | None) -> Manifest:
    """Publish the live version with other roles of its encoders, and return its manifest.

    Args:
        library: the library.
        by_image: the encoder that finds images by image. None keeps the present one.
        by_words: the encoder that finds images by words. None keeps the present one.

    Raises:
        LibraryError: the library lacks one of the encoders, or the live version is damaged. Nothing was changed.
        LockedError: another run is writing. Nothing was changed.
    """

    def change(live: Manifest) -> Manifest | None:
        first = _find(library, live, by_image) if by_image else live.parts[0]
        for_words = _find(library, live, by_words) if by_words else live.for_words
        others = [part for part in live.parts if part.fingerprint != first.fingerprint]
        by_second = for_words.fingerprint != first.fingerprint
        if first.fingerprint == live.fingerprint and by_second == live.words_by_second:
            return None
        return join_parts([first, *others], by_second)

    return _publish(library, change)


def remove_encoder(library: Library, name: str) -> Manifest:
    """Publish the live version without one of its two encoders, and return its manifest.

    Earlier versions keep the encoder. `prune` deletes its embeddings when no version uses them.

    Errors as of `use_encoders`.
    """

    def change(live: Manifest) -> Manifest:
        removed = _find(library, live, name)
        left = [part for part in live.parts if part.fingerprint != removed.fingerprint]
        if not left:
            raise LibraryError(
                f"{name} is the only encoder of {library.uri}. Add another one first: findimg-jobs index --backbone."
            )
        return join_parts(left)

    return _publish(library, change)


def _find(library: Library, live: Manifest, name: str) -> Manifest:
    for part in live.parts:
        if part.backbone == name:
            return part
    names = _names(live.parts)
    raise LibraryError(
        f"{library.uri} has no encoder {name!r}. It has {names}. Add one with findimg-jobs index --backbone."
    )


def _names(parts: Sequence[Manifest]) -> str:
    return " and ".join(part.backbone for part in parts)


def _publish(library: Library, change: Callable[[Manifest], Manifest | None]) -> Manifest:
    library.live_version()  # taking the lock of a library that does not exist would create it
    with hold_lock(library.storage) as lock:
        live = library.manifest(library.live_version())
        manifest = change(live)
        if manifest is None:
            return live
        if damaged := library.damaged_folders(manifest):
            raise LibraryError(f"{library.uri} lacks files in {min(damaged)}, so nothing was changed. Run index first.")
        publish(library, BuiltVersion(manifest, {}, {}), lock, allow_shrink=True)
        return manifest
