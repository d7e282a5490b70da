"""Decide how a version is built: the encoder, the word vectors, the head and the sizes of the indexes.

`hash_recipe` says what of this, and which formats, make a segment unusable for the next version.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from findimg.encoders.registry import fingerprint, text_files
from findimg.errors import SettingsError
from findimg.heads.base import Head
from findimg.heads.loading import open_head
from findimg.heads.trained_head import TrainedHead
from findimg.index.postings import MIN_PROBABILITY, MIN_REGION_PROBABILITY
from findimg.index.projection import ALL_DIMENSIONS, DEFAULT_DIMENSIONS
from findimg.index.text_index import TEXT_FORMAT
from findimg.library.catalog import added_columns
from findimg.library.library import Library
from findimg.library.manifest import SCHEMA, Manifest
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.text.vectors import EMBEDDED, WordVectors, open_words
from findimg_jobs.build_config.near_duplicate_cosine import read_near_duplicate_cosine
from findimg_jobs.reporting.progress_bar import download_bar

DEFAULT_BACKBONE = "efficientnet-lite0"
DEFAULT_HEAD = "conse"


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """Everything besides the images that decides how a version looks."""

    backbone: str
    fingerprint: str  # names the encoder's weights and preprocessing
    words: str
    head: str
    head_sha256: str  # hash of a trained head, because a head can be trained again under its name; else empty
    visual_dim: str  # dimensions of the visual index after projection, or "full"
    sources: tuple[str, ...]
    segment_size: int  # maximum number of images in one segment
    near_duplicate_cosine: float | None = None  # measured by the library; None where the encoder's own value counts


@dataclass(frozen=True, slots=True)
class BuildContext:
    """A build configuration with its head and word vectors opened."""

    config: BuildConfig
    head: Head
    words: WordVectors
    models: Path  # folder of the model store


def make_build_context(
    settings: Settings, live: Manifest | None, sources: Sequence[str], embedded_by: str | None = None
) -> BuildContext:
    """Return how to build a version: from the settings, else like the live version, else from the defaults.

    Args:
        settings: the operator's settings. An empty value means "not set".
        live: the live version's manifest, None before the first publish. Of a library with two encoders, the part of
            one encoder.
        sources: the sources that the manifest will name.
        embedded_by: the fingerprint of the embeddings to build from. None computes it from the encoder's weights,
            which must then be on this machine.

    Raises:
        SettingsError: a setting is not valid.
        ModelError: the backbone or the word vectors are unknown or missing.
        HeadError: the head is unknown, missing, or does not fit.
    """
    backbone = settings.backbone or (live.backbone if live else DEFAULT_BACKBONE)
    store = ModelStore(settings.cache / "models", progress=download_bar)
    words_name = settings.words or (live.words if live else EMBEDDED)
    words = open_words(words_name, store.words(words_name))
    made_by = embedded_by or fingerprint(backbone, store, settings.weights or None)
    storage = Library(settings.library, settings.cache).storage
    head = open_head(settings.head or (live.head if live else DEFAULT_HEAD), words, made_by, storage)
    config = BuildConfig(
        backbone=backbone,
        fingerprint=made_by,
        words=words.name,
        head=head.name,
        head_sha256=head.sha256 if isinstance(head, TrainedHead) else "",
        visual_dim=_check_visual_dim(settings.visual_dim or (live.visual_dim if live else DEFAULT_DIMENSIONS)),
        sources=tuple(open_storage(source).root for source in sources),
        segment_size=settings.partition_size,
        near_duplicate_cosine=read_near_duplicate_cosine(storage, made_by) if text_files(backbone) else None,
    )
    return BuildContext(config, head, words, store.folder)


def hash_recipe(config: BuildConfig) -> str:
    """Return a hash of everything besides the images and the library's measures that decides how a segment looks.

    A new column of the catalog changes it, so the next version is built of new segments.
    """
    parts = [config.backbone, config.fingerprint, config.words, config.head, config.head_sha256, config.visual_dim]
    limits = [MIN_PROBABILITY, MIN_REGION_PROBABILITY]
    if config.near_duplicate_cosine is not None:
        limits.append(config.near_duplicate_cosine)  # the pairs that a version takes over were found with it
    formats = [SCHEMA, TEXT_FORMAT, *parts, *limits, *added_columns()]
    return hashlib.sha256(json.dumps(formats).encode()).hexdigest()


def _check_visual_dim(text: str) -> str:
    if text != ALL_DIMENSIONS and not (text.isdecimal() and int(text) > 0):
        raise SettingsError(f"--visual-dim must be a positive number or {ALL_DIMENSIONS}. Received: {text!r}.")
    return text
