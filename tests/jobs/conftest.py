"""Fixtures of the jobs."""

from collections.abc import Callable
from functools import cache as remember
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import findimg_jobs.build_config.build_context
import findimg_jobs.indexing.embed_worker
from findimg.encoders.base import ImageEncoder
from findimg.encoders.registry import build_encoder
from findimg.heads.conse import Conse
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, open_words
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.reporting.run_report import RunReport


@pytest.fixture(autouse=True)
def one_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the real model once for all local runs of the test session."""
    monkeypatch.setattr(findimg_jobs.indexing.embed_worker, "build_encoder", _open_once)


@pytest.fixture
def one_vocabulary(monkeypatch: pytest.MonkeyPatch, cache: Path) -> WordVectors:
    """Open the word vectors and build the default head once for all versions of a test, and return the vectors."""
    words, head = _opened_vocabulary(cache / "models")
    monkeypatch.setattr(findimg_jobs.build_config.build_context, "open_words", lambda *_: words)
    monkeypatch.setattr(findimg_jobs.build_config.build_context, "open_head", lambda *_: head)
    return words


@remember
def _opened_vocabulary(models: Path) -> tuple[WordVectors, Conse]:
    words = open_words(EMBEDDED, ModelStore(models).words(EMBEDDED))
    return words, Conse(words, open_lexicon())


@remember
def _built(name: str, models: Path, weights: str | None) -> ImageEncoder:
    return build_encoder(name, ModelStore(models), weights)


def _open_once(name: str, store: ModelStore, weights: str | None, threads: int | None = None) -> ImageEncoder:
    # A run opens its own store: what counts is where it lies.
    return _built(name, store.folder, weights)


@pytest.fixture
def draw() -> Callable[[Path, int], None]:
    """Write images. Different seeds give different images."""

    def draw(path: Path, seed: int) -> None:
        blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(blocks).resize((60, 40), Image.Resampling.NEAREST).save(path)

    return draw


@pytest.fixture
def pictures(tmp_path: Path, draw: Callable[[Path, int], None]) -> Path:
    """Return a folder with six different small images, `0.png` to `5.png`."""
    folder = tmp_path / "pictures"
    for number in range(6):
        draw(folder / f"{number}.png", number)
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of URIs that local runs read."""
    read: list[str] = []
    read_uri = findimg_jobs.indexing.embed_worker.read_uri

    def noted(uri: str, *arguments: Any) -> bytes:
        read.append(uri)
        return read_uri(uri, *arguments)

    monkeypatch.setattr(findimg_jobs.indexing.embed_worker, "read_uri", noted)
    return read


@pytest.fixture
def run(cache: Path) -> Callable[..., RunReport]:
    """Index without Ray."""

    def run(
        library: str,
        *sources: Path | str,
        strict: bool = False,
        allow_shrink: bool = False,
        retry_failed: bool = False,
        **flags: Any,
    ) -> RunReport:
        settings = Settings(library=library, cache=cache, engine="local", **flags)
        options = IndexOptions(strict, allow_shrink, retry_failed)
        return index(settings, [str(source) for source in sources], options)

    return run
