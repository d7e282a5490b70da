"""Test perceptual hashes, and the pairs of images that they find and rule out."""

import io
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from findimg.images import decode
from findimg.images.perceptual_hash import LENGTH, perceptual_hash
from findimg.index.duplicates.similar_hashes import PerceptualHashes, hash_rows


def scene(seed: int) -> Image.Image:
    """Return a picture with large soft shapes, as photographs have them."""
    chance = random.Random(seed)
    picture = Image.new("RGB", (600, 400), tuple(chance.randbytes(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y, radius = chance.randrange(600), chance.randrange(400), chance.randrange(20, 120)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), tuple(chance.randbytes(3)))
    return picture.filter(ImageFilter.GaussianBlur(3))


def slide(seed: int) -> Image.Image:
    """Return a slide of one template, with a text of its own."""
    chance = random.Random(seed)
    picture = Image.new("RGB", (960, 540), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 960, 14), "navy")
    for line in range(6):
        text = " ".join("".join(chance.choices("abcdefgh", k=chance.randrange(3, 9))) for _ in range(5))
        draw.text((40, 60 + 75 * line), text, "black", ImageFont.load_default(30))
    return picture


def encoded(picture: Image.Image, scale: float = 1, **options: object) -> bytes:
    data = io.BytesIO()
    size = round(picture.width * scale), round(picture.height * scale)
    picture.resize(size).save(data, **({"format": "JPEG", "quality": 85} | options))
    return data.getvalue()


def hashes_of(*files: bytes) -> PerceptualHashes:
    return PerceptualHashes.of(hash_rows([decode(data).facts.perceptual_hash for data in files]))


def pairs(hashes: PerceptualHashes, is_new: list[bool] | None = None) -> list[list[int]]:
    new = np.ones(len(hashes.bits), np.bool_) if is_new is None else np.array(is_new)
    return hashes.copies(new).tolist()


@pytest.mark.parametrize("draw", [scene, slide])
@pytest.mark.parametrize(
    "change", [{"scale": 0.5}, {"scale": 0.4}, {"scale": 2}, {"quality": 40}, {"scale": 0.6, "quality": 50}]
)
def test_copy_in_another_size_or_encoding_has_nearly_the_same_hash(draw, change: dict) -> None:
    original, other = draw(1), draw(2)
    hashes = hashes_of(encoded(original), encoded(original, **change), encoded(other))
    assert pairs(hashes) == [[0, 1]]


def test_copy_in_another_format_has_nearly_the_same_hash() -> None:
    assert pairs(hashes_of(encoded(scene(1)), encoded(scene(1), format="PNG", quality=None))) == [[0, 1]]


def test_slides_of_one_template_are_only_alike_but_photographs_may_be_a_burst() -> None:
    hashes = hashes_of(*(encoded(slide(seed)) for seed in range(8)), encoded(scene(1)), encoded(scene(2)))
    one, other = np.triu_indices(8, 1)
    assert pairs(hashes) == []
    assert hashes.are_only_alike(one, other).all()
    assert not hashes.are_only_alike(np.array([8]), np.array([9])).any()


def test_copies_of_a_slide_are_not_ruled_out() -> None:
    hashes = hashes_of(encoded(slide(1)), encoded(slide(1), 0.5, quality=60))
    assert not hashes.are_only_alike(np.array([0]), np.array([1])).any()


def test_blank_images_and_unknown_hashes_have_no_copies() -> None:
    blank = perceptual_hash(Image.new("RGB", (300, 200), "white"))
    black = perceptual_hash(Image.new("RGB", (1, 1)))
    hashes = PerceptualHashes.of(hash_rows([None, None, blank, blank, black, b"short"]))
    assert len(blank) == len(black) == LENGTH
    assert pairs(hashes) == []
    unknown = np.array([0, 0, 1]), np.array([1, 2, 3])
    assert not hashes.are_only_alike(*unknown).any()


def test_only_pairs_with_a_new_image_are_found() -> None:
    data = encoded(scene(1)), encoded(scene(1), 0.5), encoded(scene(2)), encoded(scene(2), 0.5)
    assert pairs(hashes_of(*data), [False, False, False, True]) == [[2, 3]]
    assert pairs(hashes_of(*data), [False, False, False, False]) == []


def test_many_images_give_the_pairs_of_a_comparison_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    rows = random.integers(0, 256, (3000, LENGTH), np.uint8)
    rows[:, -1] = 10
    rows[:1500, :6] = rows[0, :6]  # a common header
    copied = random.integers(0, 2700, 300)
    rows[2700:] = rows[copied]
    for row in range(2700, 3000):
        for bit in random.integers(0, 256, 8):
            rows[row, bit // 8] ^= 1 << (bit % 8)
    is_new = random.random(3000) < 0.5
    expected = PerceptualHashes.of(rows).copies(is_new)
    monkeypatch.setattr("findimg.index.duplicates.similar_hashes._COMPARE_ALL_UP_TO", 10)
    found = PerceptualHashes.of(rows).copies(is_new)
    assert len(expected) > 100
    missing = {tuple(pair) for pair in expected.tolist()} - {tuple(pair) for pair in found.tolist()}
    assert len(found) <= len(expected)
    assert len(missing) <= 0.02 * len(expected)
