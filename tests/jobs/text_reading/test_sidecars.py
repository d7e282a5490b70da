import logging
import tracemalloc
from pathlib import Path

import pytest

from findimg.storage.folder import FolderStorage
from findimg_jobs.listing.sources import list_sources, map_in_threads
from findimg_jobs.store.plan import Plan, read_planned_images, write_plan
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import SourceImage
from findimg_jobs.text_reading.sidecars import read_captions_beside, with_sidecars

FILES = "jpg", "xmp"


def packet(title: str) -> str:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title><rdf:Alt><rdf:li>{title}</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).write_bytes(b"an image")
    (folder / "a.jpg.xmp").write_text(packet("Regatta"))
    (folder / "b.XMP").write_text(packet("Jubilee"))
    return folder


def listed(photos: Path, before: ImageTable | None = None) -> ImageTable:
    listing = list_sources([str(photos)], "", map_in_threads)
    return read_captions_beside(listing.images, before or ImageTable.of(()))


def captions(images: ImageTable) -> dict[str, str]:
    return {Path(image.uri).name: image.sidecar.captions for image in images if image.sidecar}


def test_sidecars_with_and_without_the_extension_of_the_image_are_read(photos: Path) -> None:
    assert captions(listed(photos)) == {"a.jpg": "Regatta", "b.jpg": "Jubilee"}


def test_captions_are_kept_in_the_plan(photos: Path, tmp_path: Path) -> None:
    storage = FolderStorage(str(tmp_path / "library"))
    images = listed(photos)
    write_plan(storage, Plan("run", images))
    assert captions(read_planned_images(storage, "run")) == captions(images)


def test_only_changed_sidecars_are_read_again(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = listed(photos)
    (photos / "b.XMP").write_text(packet("Golden jubilee"))
    read = []

    def read_uri(uri: str, limit: int, version: str) -> bytes:
        read.append(Path(uri).name)
        return Path(uri).read_bytes()

    monkeypatch.setattr("findimg_jobs.text_reading.sidecars.read_uri", read_uri)
    assert captions(listed(photos, before)) == {"a.jpg": "Regatta", "b.jpg": "Golden jubilee"}
    assert read == ["b.XMP"]


def test_unreadable_sidecar_keeps_its_captions_and_is_read_by_the_next_run(
    photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = listed(photos)
    (photos / "a.jpg.xmp").write_text(packet("Boat race"))
    images = list_sources([str(photos)], "", map_in_threads).images
    (photos / "a.jpg.xmp").rename(photos / "elsewhere")
    with caplog.at_level(logging.WARNING):
        kept = read_captions_beside(images, before)
    assert captions(kept)["a.jpg"] == "Regatta"
    assert "a.jpg.xmp are not read" in caplog.text
    (photos / "elsewhere").rename(photos / "a.jpg.xmp")
    assert captions(read_captions_beside(images, kept))["a.jpg"] == "Boat race"


def test_sidecars_of_a_large_listing_are_not_all_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 30_000
    images, sidecars = (ImageTable.of(SourceImage(f"/p/{n:08}.{kind}", "1") for n in range(count)) for kind in FILES)
    monkeypatch.setattr("findimg_jobs.text_reading.sidecars.read_uri", lambda *_: packet("Regatta").encode())
    tracemalloc.start()
    try:
        read = read_captions_beside(with_sidecars(images, sidecars), ImageTable.of(()))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(bool(image.sidecar and image.sidecar.captions == "Regatta") for image in read) == count
    assert most < 500 * count, f"{most / count:.0f} bytes for each image"
