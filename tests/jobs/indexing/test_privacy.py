"""Test that a library keeps the description of a photograph, and neither its place, its camera nor its author."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path

import PIL.Image
import pyarrow.parquet as pq
from PIL.ExifTags import GPS, IFD, Base

from findimg.library.library import Library
from findimg.storage.base import Storage
from findimg_jobs.reporting.run_report import RunReport

Run = Callable[..., RunReport]
SECRETS = (b"Erika Mustermann", b"SN-4711-0815", b"MARK-OF-PLACE")


def photograph(path: Path) -> None:
    """Return a photograph with the place, the photographer and the camera in its metadata."""
    exif = PIL.Image.Exif()
    exif[Base.Artist], exif[Base.ImageDescription] = "Erika Mustermann", "Zossener Strasse"
    exif.get_ifd(IFD.Exif).update({Base.BodySerialNumber: "SN-4711-0815", Base.DateTimeOriginal: "2024:06:01 12:30:05"})
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "N",
            GPS.GPSLatitude: (52.0, 31.0, 12.0),
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: (13.0, 24.0, 18.0),
            GPS.GPSMapDatum: "MARK-OF-PLACE",
        }
    )
    PIL.Image.effect_noise((64, 48), 50).convert("RGB").save(path, exif=exif, comment=b"Erika Mustermann")


def columns(storage: Storage) -> set[str]:
    (vectors,) = (entry.key for entry in storage.list("embeddings") if entry.key.endswith("vectors.parquet"))
    return set(pq.read_schema(BytesIO(storage.read(vectors))).names)


def test_library_contains_no_private_metadata(tmp_path: Path, run: Run, cache: Path) -> None:
    (tmp_path / "pictures").mkdir()
    photograph(tmp_path / "pictures" / "a.jpg")
    data = (tmp_path / "pictures" / "a.jpg").read_bytes()
    assert all(secret in data for secret in SECRETS)
    library = Library(str(tmp_path / "library"), cache)
    run(library.uri, tmp_path / "pictures")
    kept = {entry.key: library.storage.read(entry.key) for entry in library.storage.list()}
    assert sum(key.startswith("thumbnails/") for key in kept) == 1
    assert any(b"Zossener Strasse" in content for content in kept.values())  # the description is a caption
    for key, content in kept.items():
        for secret in (*SECRETS, b"Exif\0"):
            assert secret not in content, key
    thumbnail = next(content for key, content in kept.items() if key.startswith("thumbnails/"))
    assert len(PIL.Image.open(BytesIO(thumbnail)).getexif()) == 0
    # The columns are compressed, so what they are is told, not what they hold.
    known = {"uri", "version", "sha256", "width", "height", "format", "bytes", "taken"}
    assert columns(library.storage) == known | {
        "captions",
        "perceptual_hash",
        "visual",
        "classes",
        "probabilities",
        "region_classes",
        "region_probabilities",
    }
    version = library.open()
    (segment,) = version.manifest.segments
    with closing(sqlite3.connect(version.folder(segment) / "catalog.sqlite")) as catalog:
        assert {row[1] for row in catalog.execute("PRAGMA table_info(images)")} == known | {"item", "dated_by"}
        assert catalog.execute("SELECT taken FROM images").fetchall() == [("2024-06-01 12:30:05",)]
