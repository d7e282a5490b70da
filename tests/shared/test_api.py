import subprocess
import sys
from pathlib import Path

import pytest

import findimg
from findimg.storage.base import open_storage


@pytest.fixture(scope="module")
def opened(library: str, cache: Path) -> findimg.OpenedLibrary:
    return findimg.open(library, cache=cache)


def test_search_by_words_returns_the_image_with_them_first(opened: findimg.OpenedLibrary) -> None:
    hits = opened.search("cat", k=3)
    assert len(hits) <= 3
    assert Path(hits[0].uri).stem == "cat"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_pages_add_up_to_one_ranking(opened: findimg.OpenedLibrary, samples: Path) -> None:
    whole = opened.search("animal", k=6)
    assert [*opened.search("animal", k=2), *opened.search("animal", k=4, skip=2)] == whole
    assert whole.total >= len(whole)
    image = samples / "cat.png"
    assert [*opened.similar(image, k=1), *opened.similar(image, k=2, skip=1)] == opened.similar(image, k=3)


def test_note_names_words_that_match_no_image(opened: findimg.OpenedLibrary) -> None:
    assert opened.search("cat").note == ""
    assert "submarine" in opened.search("cat submarine").note


def test_library_in_s3_is_copied_to_the_cache_of_the_settings(
    library: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = open_storage(library), open_storage(f"{s3}/photos")
    for entry in source.list():
        if entry.key.startswith(("CURRENT", "segments/", "shared/", "versions/")):
            target.write(entry.key, source.read(entry.key))
    monkeypatch.setenv("FINDIMG_CACHE", str(tmp_path / "setting"))
    for cache, folder in ((tmp_path / "given", tmp_path / "given"), (None, tmp_path / "setting")):
        with findimg.open(f"{s3}/photos", cache=cache) as opened:
            assert Path(opened.search("cat", k=1)[0].uri).stem == "cat"
        assert list(folder.rglob("encoder.tflite"))


def test_search_takes_like_in_its_query(opened: findimg.OpenedLibrary, samples: Path) -> None:
    uri = str(samples / "cat.png")
    assert [hit.uri for hit in opened.search(f'like:"{uri}"', k=4)] == [hit.uri for hit in opened.similar(uri, k=4)]


def test_similar_to_a_new_file_finds_its_copy_first(
    opened: findimg.OpenedLibrary, samples: Path, tmp_path: Path
) -> None:
    indexed = samples / "cat.png"
    copy = tmp_path / f"new{indexed.suffix}"
    copy.write_bytes(indexed.read_bytes())
    (best, *_) = opened.similar(copy, k=2)
    assert best.uri == str(indexed)
    assert best.score == pytest.approx(1, abs=1e-3)


def test_similar_to_an_indexed_image_leaves_it_out(
    opened: findimg.OpenedLibrary, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed = samples / "cat.png"
    monkeypatch.chdir(indexed.parent)
    hits = opened.similar(indexed.name, k=len(opened))
    found = [uri for hit in hits for uri in (hit.uri, *hit.copies, *hit.near_duplicates)]
    assert len(found) == len(set(found)) == len(opened) - 1
    assert str(indexed) not in found


def test_tags_name_what_a_new_file_shows(opened: findimg.OpenedLibrary, samples: Path, tmp_path: Path) -> None:
    indexed = samples / "cat.png"
    copy = tmp_path / f"new{indexed.suffix}"
    copy.write_bytes(indexed.read_bytes())
    assert "cat" in [tag.word for tag in opened.tags(copy, k=5)]


def test_tags_of_a_file_in_s3(opened: findimg.OpenedLibrary, samples: Path, s3: str) -> None:
    indexed = samples / "cat.png"
    open_storage(s3).upload(indexed, "new.png")
    assert "cat" in [tag.word for tag in opened.tags(f"{s3}/new.png", k=5)]


def test_words_returns_related_words_nearest_first(opened: findimg.OpenedLibrary) -> None:
    related = opened.words("said", k=3)
    assert [each.word for each in related] == ["said", "told", "says"]
    assert related[0].distance == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_counts_outside_the_range_are_refused(opened: findimg.OpenedLibrary, k: int) -> None:
    for ask in (opened.search, opened.similar, opened.tags, opened.words):
        with pytest.raises(findimg.QueryError, match=f"k must be from 1 to 1000. Received: {k}"):
            ask("cat", k=k)
    with pytest.raises(findimg.QueryError, match=r"skip must be 0 or more\. Received: -1"):
        opened.search("cat", skip=-1)


def test_errors_are_of_the_public_classes(opened: findimg.OpenedLibrary, tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_bytes(b"no image")
    with pytest.raises(findimg.ImageError):
        opened.similar(tmp_path / "no.jpg")
    with pytest.raises(findimg.StorageError):
        opened.tags(tmp_path / "missing.jpg")
    with pytest.raises(findimg.QueryError):
        opened.search("xyzzyqq")
    with pytest.raises(findimg.LibraryError):
        findimg.open(tmp_path, cache=tmp_path)


def test_every_public_name_exists() -> None:
    assert sorted(findimg.__all__) == findimg.__all__
    assert all(hasattr(findimg, name) for name in findimg.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Searcher'"):
        findimg.Searcher  # noqa: B018


def test_searching_imports_no_heavy_or_optional_library(library: str, cache: Path, samples: Path) -> None:
    code = (
        "import sys, findimg\n"
        "assert 'numpy' not in sys.modules, 'import findimg alone is light'\n"
        f"with findimg.open({library!r}, cache={str(cache)!r}) as opened:\n"
        f"    opened.search('cat'), opened.tags({str(samples / 'cat.png')!r}), opened.words('said')\n"
        "optional = {'ray', 'tensorflow', 'keras', 'h5py', 'pyarrow', 'slack_sdk', 'slack_bolt', 'typer', 'rich'}\n"
        "print(optional & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")
