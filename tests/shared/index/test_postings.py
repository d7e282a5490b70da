from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import findimg.index.segmented
from findimg.errors import LibraryError
from findimg.index.postings import CLASSES, REGIONS, Postings, write_postings
from findimg.index.segmented import SegmentedPostings
from findimg.library.items import ItemRows


def random_rows(seed: int, images: int, top: int) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
    """Return `top` different classes for each image, with probabilities, best first. Images share some classes."""
    random = np.random.default_rng(seed)
    known = random.choice(CLASSES, size=max(top, 30), replace=False)
    classes = np.stack([random.choice(known, size=top, replace=False) for _ in range(images)]).astype(np.uint16)
    return classes, np.sort(random.random((images, top), np.float32), axis=1)[:, ::-1]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    images=st.integers(1, 40),
    top=st.integers(1, 20),
    wanted=st.dictionaries(st.integers(0, CLASSES - 1), st.floats(-2, 2, width=32), max_size=8),
    dense=st.booleans(),
)
def test_sums_and_rows_match_the_dense_matrix(
    seed: int, images: int, top: int, wanted: dict[int, float], dense: bool
) -> None:
    classes, probabilities = random_rows(seed, images, top)
    matrix = np.zeros((images, CLASSES), np.float32)
    np.put_along_axis(matrix, classes.astype(np.int64), probabilities, axis=1)
    weights = np.full(CLASSES, 0.5 if dense else 0, np.float32)
    for each, weight in wanted.items():
        weights[each] = weight
    with TemporaryDirectory() as name:
        write_postings(Path(name), classes, probabilities, minimum=0)
        postings = Postings(Path(name), images)
        total = postings.sum(weights)
        np.testing.assert_allclose(total, matrix @ weights, atol=1e-4)
        assert (total.shape, total.dtype) == ((images,), np.float32)
        for item in range(images):
            found, values = postings.classes_of(item)
            assert dict(zip(found.tolist(), values.tolist(), strict=True)) == dict(
                zip(classes[item].tolist(), probabilities[item].tolist(), strict=True)
            )
            assert np.all(np.diff(values) <= 0)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    joined=st.sampled_from([0, 1, 100, 300, 10**6]),
)
def test_lists_of_segments_give_the_sums_of_one_list(seed: int, sizes: list[int], joined: int) -> None:
    random = np.random.default_rng(seed)
    total = sum(sizes)
    classes, probabilities = random_rows(seed, total, 7)
    rows = random.permutation(total)[: random.integers(1, total + 1)]  # row of each item; others are deleted
    weights = np.where(random.random(CLASSES) < 0.5, random.random(CLASSES), 0).astype(np.float32)
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(findimg.index.segmented, "_JOINED", joined)
        write_postings(Path(name), classes[rows], probabilities[rows], minimum=0)
        expected = Postings(Path(name), len(rows))
        parts: list[Postings | None] = []
        for number, (end, size) in enumerate(zip(np.cumsum(sizes), sizes, strict=True)):
            folder = Path(name, str(number))
            folder.mkdir()
            write_postings(folder, classes[end - size : end], probabilities[end - size : end], minimum=0)
            parts.append(Postings(folder, size))
        segmented = SegmentedPostings(parts, ItemRows(sizes, rows.astype(np.int64)))
        for power in (1, 0.5, 2):
            np.testing.assert_array_equal(segmented.sum(weights, power), expected.sum(weights, power))
        for item in range(len(rows)):
            for got, wanted in zip(segmented.classes_of(item), expected.classes_of(item), strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_segment_without_lists_adds_nothing(tmp_path: Path) -> None:
    classes, probabilities = random_rows(1, 5, 3)
    write_postings(tmp_path, classes, probabilities, minimum=0)
    part = Postings(tmp_path, 5)
    weights = np.ones(CLASSES, np.float32)
    segmented = SegmentedPostings([None, part], ItemRows([2, 5]))
    np.testing.assert_array_equal(segmented.sum(weights), [0, 0, *part.sum(weights)])
    assert segmented.classes_of(0)[0].tolist() == []


def test_improbable_classes_are_left_out(tmp_path: Path) -> None:
    classes = np.array([[3, 5], [5, 3], [0, 0]], np.uint16)
    probabilities = np.array([[0.9, 0.2], [0.6, 0.05], [0, 0]], np.float32)
    write_postings(tmp_path, classes, probabilities, REGIONS, minimum=0.1)
    postings = Postings(tmp_path, 3, REGIONS)
    np.testing.assert_allclose(postings.sum(np.ones(CLASSES, np.float32)), [1.1, 0.6, 0], atol=1e-6)
    assert postings.classes_of(1)[0].tolist() == [5]
    assert postings.classes_of(2)[0].tolist() == []


def test_whole_images_are_listed_from_one_in_a_thousand_on(tmp_path: Path) -> None:
    write_postings(tmp_path, np.array([[3, 5]], np.uint16), np.array([[0.0011, 0.0009]], np.float32))

    assert Postings(tmp_path, 1).classes_of(0)[0].tolist() == [3]


def test_posting_lists_may_be_empty(tmp_path: Path) -> None:
    write_postings(tmp_path, np.zeros((4, 20), np.uint16), np.zeros((4, 20), np.float32), REGIONS, minimum=0.1)
    assert Postings(tmp_path, 4, REGIONS).sum(np.ones(CLASSES, np.float32)).tolist() == [0, 0, 0, 0]


def test_equal_rows_give_equal_files_and_all_are_listed(tmp_path: Path) -> None:
    rows = random_rows(0, 50, 20)
    for name in "ab":
        (tmp_path / name).mkdir()
        files = write_postings(tmp_path / name, *rows)
        assert sorted(files) == sorted(path.name for path in (tmp_path / name).iterdir())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_image_without_postings_has_sum_zero(tmp_path: Path) -> None:
    write_postings(tmp_path, np.array([[3]], np.uint16), np.array([[0.5]], np.float32))
    postings = Postings(tmp_path, 2)
    np.testing.assert_array_equal(postings.sum(np.ones(CLASSES, np.float32)), [0.5, 0])
    assert [len(part) for part in postings.classes_of(1)] == [0, 0]


@pytest.mark.parametrize("file", range(3))
@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "short", "objects"])
def test_damaged_posting_list_is_named(tmp_path: Path, file: int, damage: str) -> None:
    path = tmp_path / write_postings(tmp_path, *random_rows(0, 50, 20))[file]
    if damage == "missing":
        path.unlink()
    elif damage in ("short", "objects"):
        whole = np.load(path)
        np.save(path, whole[:-1] if damage == "short" else whole.astype(object), allow_pickle=True)
    else:
        path.write_bytes({"empty": b"", "text": b"some text", "cut": path.read_bytes()[:-1]}[damage])
    with pytest.raises(LibraryError, match=rf"The posting lists in {tmp_path} .*\. Publish again with index\.$"):
        Postings(tmp_path, 50)
