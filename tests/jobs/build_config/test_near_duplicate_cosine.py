"""Test that a library measures from which cosine on two images are near-duplicates for an image–text encoder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import findimg_jobs.indexing.run
from findimg.library.library import Library
from findimg_jobs.build_config.near_duplicate_cosine import (
    LEAST_IMAGES,
    near_duplicate_limit,
    read_near_duplicate_cosine,
)
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.duplicates import find_duplicates
from tests.sentences import draw_things, settings
from tests.shared.encoders.made_clip import make_agreeing_folder


def spread(images: int, centre: float, seed: int = 0) -> np.ndarray:
    """Return the cosines of images to each other, of which most are near `centre`."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(images, 64)) + 8 * np.sqrt(centre / (1 - centre)) * np.eye(64)[0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors @ vectors.T, np.float32)


def test_images_that_were_encoded_again_decide_if_different_images_are_far_apart() -> None:
    again = np.linspace(0.9, 1, 101, dtype=np.float32)
    assert near_duplicate_limit(again, spread(101, 0.2)) == pytest.approx(0.905, abs=1e-3)


def test_limit_is_above_different_images_that_are_near_each_other() -> None:
    again, pairs = np.full(200, 0.9, np.float32), spread(200, 0.9)
    limit = near_duplicate_limit(again, pairs)
    assert (np.triu(pairs, 1) >= limit).sum() == 0
    assert 0.9 < limit < 1


def test_a_few_bursts_do_not_raise_the_limit() -> None:
    again, pairs = np.full(200, 0.93, np.float32), spread(200, 0.2)
    pairs[:6, :6] = 0.999
    assert near_duplicate_limit(again, pairs) == pytest.approx(0.93)


def test_library_measures_once_when_it_has_enough_images(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_agreeing_folder(tmp_path / "model")
    pictures = tmp_path / "pictures"
    draw_things(pictures, copies=3)
    own, library = settings(tmp_path, cache), Library(str(tmp_path / "library"), cache)
    index(own, [str(pictures)])
    fingerprint = library.manifest(library.live_version()).fingerprint
    assert read_near_duplicate_cosine(library.storage, fingerprint) is None
    draw_things(pictures, copies=-(-LEAST_IMAGES // 8))
    for kind in ("roses", "sea"):
        with Image.open(pictures / f"{kind}-0.png") as image:
            image.convert("RGB").save(pictures / f"{kind}-again.jpg", quality=50)
    index(own, [str(pictures)])
    limit = read_near_duplicate_cosine(library.storage, fingerprint)
    assert limit is not None
    assert 0.9 < limit < 1
    groups = [{Path(image.uri).name for image in group} for group in find_duplicates(library).groups]
    for kind in ("roses", "sea"):
        (group,) = (group for group in groups if f"{kind}-again.jpg" in group)
        assert {name.partition("-")[0] for name in group} == {kind}
    monkeypatch.setattr(findimg_jobs.indexing.run, "measure_near_duplicate_cosine", None)
    before = library.live_version()
    index(own, [str(pictures)])
    assert library.live_version() == before
    assert read_near_duplicate_cosine(library.storage, fingerprint) == limit
