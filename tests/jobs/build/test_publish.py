from dataclasses import replace
from pathlib import Path

import pytest

from findimg.errors import LibraryError, NotPublishedError
from findimg.library.library import Library
from findimg.library.manifest import FileEntry, IndexEntry, Manifest, SegmentEntry
from findimg.storage.base import open_storage
from findimg.storage.folder import hash_file
from findimg_jobs.build.part_builder import BuiltVersion
from findimg_jobs.build.publish import publish
from findimg_jobs.store.lock import hold_lock


def make_version(folder: Path, name: str, images: int = 10) -> BuiltVersion:
    """Return a version with one file and no index. Publishing does not read the file."""
    folder.mkdir(exist_ok=True)
    path = folder / "catalog.sqlite"
    path.write_text(name)
    file = FileEntry(size=len(name), sha256=hash_file(path))
    segment = SegmentEntry(
        name=f"segment-{name}",
        images=images,
        visual=IndexEntry(dim=1280, counts=[images], search_k=100, recall=1),
        joint=None,
        files={"catalog.sqlite": file},
        build_files={},
    )
    manifest = Manifest(
        version=name,
        created="2026-11-23T12:00:00+00:00",
        run="r",
        inputs=name,
        recipe="r",
        backbone="efficientnet-lite0",
        fingerprint="f",
        words="glove.6B.50d",
        head="conse",
        dim=1280,
        sources=[],
        images=images,
        failed=0,
        visual_dim="full",
        coherence=[],
        measured_images=images,
        noise_floor=0.0,
        segments=[segment],
        files={},
    )
    key = f"segments/segment-{name}/catalog.sqlite"
    return BuiltVersion(manifest, {key: path}, {key: file})


def test_readers_see_the_old_version_until_the_new_one_is_complete(place: str, tmp_path: Path) -> None:
    library = Library(place, tmp_path / "cache")
    order: list[str] = []
    write, upload, create = library.storage.write, library.storage.upload, library.storage.create
    library.storage.write = lambda key, data: (order.append(key), write(key, data))[1]  # type: ignore[method-assign]
    library.storage.upload = lambda path, key: (order.append(key), upload(path, key))[1]  # type: ignore[method-assign]
    library.storage.create = lambda key, data: (order.append(key), create(key, data))[1]  # type: ignore[method-assign]
    with hold_lock(library.storage) as lock:
        publish(library, make_version(tmp_path / "draft", "one"), lock, allow_shrink=False)
    assert order[-3:] == ["segments/segment-one/catalog.sqlite", "versions/one/manifest.json", "CURRENT"]
    assert library.find_live_version() == "one"
    assert library.manifest("one").images == 10


def test_incomplete_version_is_not_published(place: str, tmp_path: Path) -> None:
    library = Library(place, tmp_path / "cache")
    built = make_version(tmp_path / "draft", "one")
    (tmp_path / "draft" / "catalog.sqlite").write_text("other bytes")
    with (
        hold_lock(library.storage) as lock,
        pytest.raises(NotPublishedError, match=r"is not complete in storage: .*catalog.sqlite"),
    ):
        publish(library, built, lock, allow_shrink=False)
    assert library.find_live_version() is None


@pytest.mark.parametrize(("images", "refused"), [(5, False), (4, True)])
def test_losing_more_than_half_is_refused(place: str, tmp_path: Path, images: int, refused: bool) -> None:
    library = Library(place, tmp_path / "cache")
    with hold_lock(library.storage) as lock:
        publish(library, make_version(tmp_path / "draft", "one"), lock, allow_shrink=False)
        smaller = make_version(tmp_path / "draft", "two", images)
        if refused:
            with pytest.raises(NotPublishedError, match=f"would hold {images} images where the live one holds 10"):
                publish(library, smaller, lock, allow_shrink=False)
        else:
            publish(library, smaller, lock, allow_shrink=False)
    assert library.find_live_version() == ("one" if refused else "two")
    assert library.versions() == (["one"] if refused else ["one", "two"])


def test_sleeping_writer_does_not_undo_a_later_publish(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(place, tmp_path / "cache")
    with hold_lock(library.storage) as lock:
        publish(library, make_version(tmp_path / "draft", "one"), lock, allow_shrink=False)
        # The last check passes, and then another run takes the lock and publishes.
        monkeypatch.setattr(lock, "check", lambda: library.storage.write("CURRENT", b"other"))
        with pytest.raises(NotPublishedError, match="Another run published first"):
            publish(library, make_version(tmp_path / "draft", "two"), lock, allow_shrink=False)
    assert library.find_live_version() == "other"


def test_publish_with_lost_response_succeeds(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(place, tmp_path / "cache")
    create = library.storage.create
    with hold_lock(library.storage) as lock:
        monkeypatch.setattr(library.storage, "create", lambda key, data: create(key, data) and False)
        publish(library, make_version(tmp_path / "draft", "one"), lock, allow_shrink=False)
    assert library.find_live_version() == "one"


def test_unreadable_manifest_is_not_published(place: str, tmp_path: Path) -> None:
    library = Library(place, tmp_path / "cache")
    built = make_version(tmp_path / "draft", "one")
    built = replace(built, manifest=built.manifest.model_copy(update={"noise_floor": float("nan")}))
    with hold_lock(library.storage) as lock, pytest.raises(LibraryError, match="noise"):
        publish(library, built, lock, allow_shrink=False)
    assert library.find_live_version() is None


def test_writer_without_its_lock_publishes_nothing(place: str, tmp_path: Path) -> None:
    library = Library(place, tmp_path / "cache")
    with hold_lock(library.storage) as lock:
        open_storage(place).write("LOCK", b'{"owner": "b:2", "token": "other", "since": 0, "beat": 0}')
        with pytest.raises(NotPublishedError, match="lost the library's lock to b:2"):
            publish(library, make_version(tmp_path / "draft", "one"), lock, allow_shrink=False)
    assert library.find_live_version() is None
