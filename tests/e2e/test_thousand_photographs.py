"""A thousand photographs among everything else that folders and buckets hold, on disk and on an S3 server."""

import io
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pillow_heif
import pytest
from botocore.awsrequest import AWSResponse
from PIL import Image

from findimg.library.library import Library
from findimg.settings import Settings
from findimg.storage.s3 import shared_client
from findimg_jobs.indexing.run import index
from findimg_jobs.reporting.run_report import RunReport
from tests.opened import open_catalog

PHOTOGRAPHS = 1000
BROKEN = 30
FORMATS = (
    ("jpg", "JPEG"),
    ("JPG", "JPEG"),
    ("jpeg", "JPEG"),
    ("jfif", "JPEG"),
    ("png", "PNG"),
    ("webp", "WEBP"),
    ("gif", "GIF"),
    ("bmp", "BMP"),
    ("tif", "TIFF"),
    ("avif", "AVIF"),
    ("HIF", "HEIF"),
    ("png", "JPEG"),  # a wrong extension
)
FOLDERS = (
    "2024/party",
    unicodedata.normalize("NFD", "Été à Zürich"),
    "🎂 cake",
    "a  b",
    "50% off",
    "#1 [best]?",
    "-minus",
    "deep/" * 12 + "down",
)
SKIPPED_FOLDERS = (
    "@eaDir",
    "#recycle",
    ".Trash-1000",
    "$RECYCLE.BIN",
    "__MACOSX",
    ".stversions",
    ".thumbnails",
    ".git",
)
SKIPPED_FILES = ("._cat.jpg", ".hidden.jpg", "clip.mp4", "clip2.MP4", "layers.psd", "Thumbs.db")
SKIPPED = {
    **{f"{'.Trash-*' if name.startswith('.Trash') else name} (folder)": 1 for name in SKIPPED_FOLDERS},
    "._*": 1,
    "hidden": 1,
    "not an image: .mp4": 2,
    "not an image: .psd": 1,
    "not an image: .db": 1,
}


def photograph(number: int, form: str) -> bytes:
    """Return an image file that differs from all others."""
    blocks = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    file = io.BytesIO()
    picture = Image.fromarray(blocks).resize((60, 40), Image.Resampling.NEAREST)
    if form == "HEIF":
        pillow_heif.from_pillow(picture).save(file, quality=80)
    else:
        picture.save(file, form)
    return file.getvalue()


def photographs(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and the bytes of sound images."""
    for number in range(count):
        extension, form = FORMATS[number % len(FORMATS)]
        yield f"{FOLDERS[number % len(FOLDERS)]}/{number}.{extension}", photograph(number, form)


def other_files() -> Iterator[tuple[str, bytes]]:
    """Yield the keys and the bytes of files that are skipped."""
    for number, folder in enumerate(SKIPPED_FOLDERS):
        yield f"{FOLDERS[0]}/{folder}/x/y.jpg", photograph(5000 + number, "JPEG")
    for number, name in enumerate(SKIPPED_FILES):
        yield f"{FOLDERS[0]}/{name}", photograph(6000 + number, "JPEG")


def broken_files() -> Iterator[tuple[str, bytes]]:
    """Yield the keys and the bytes of images that cannot be read."""
    whole = photograph(0, "PNG")
    for number in range(BROKEN):
        yield f"broken/{number}.png", whole[: len(whole) // 3]
    yield "broken/empty.jpg", b""
    yield "broken/text.jpg", b"not an image"


def check(report: RunReport, library: Library, expected: set[str], failed: set[str], skipped: dict[str, int]) -> None:
    assert {failure.uri for failure in report.failures} == failed
    assert report.skipped == skipped
    assert (report.images, report.failed, report.removed) == (len(expected), len(failed), 0)
    assert report.seen == len(expected) + len(failed)
    catalog = open_catalog(library.open())
    assert Counter(row.uri for row in catalog.rows(range(catalog.images))) == Counter(expected)
    assert len({row.sha256 for row in catalog.rows(range(catalog.images))}) == len(expected)
    reasons = Counter(failure.reason for failure in report.failures)
    assert reasons.most_common(1)[0][1] == BROKEN
    assert len(reasons) <= 5


@pytest.mark.long
def test_every_photograph_on_disk_is_found_once(tmp_path: Path, cache: Path) -> None:
    source = tmp_path / "source"
    settings = Settings(library=str(source / "findimg"), cache=cache, engine="local")
    library = Library(settings.library, cache)
    expected = set()
    special = {
        "noextension": photograph(9001, "JPEG"),
        "control\x1b[2J\nname.jpg": photograph(9002, "JPEG"),
    }
    for key, data in [*photographs(PHOTOGRAPHS - len(special)), *special.items()]:
        write(source / key, data)
        expected.add(str(source / key))
    for key, data in other_files():
        write(source / key, data)
    failed = set()
    for key, data in broken_files():
        write(source / key, data)
        failed.add(str(source / key))
    write(Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9.jpg")), photograph(9003, "JPEG"))
    failed.add(f"{source}/caf\N{REPLACEMENT CHARACTER}.jpg")
    (source / "nothing.jpg").symlink_to("nowhere.jpg")
    (source / "again").symlink_to("2024")
    (source / "loop").symlink_to(".")
    os.mkfifo(source / "pipe.jpg")
    index(Settings(library=str(source / "other library"), cache=cache, engine="local"), [str(source / "2024")])
    skipped = SKIPPED | {"link to nothing": 1, "pipe or device": 1}
    first = index(settings, [str(source)])
    check(first, library, expected, failed, skipped)
    second = index(settings, [str(source)])
    assert (second.embedded, second.outcome) == (0, "unchanged")
    check(second, library, expected, failed, skipped)


@pytest.mark.long
def test_every_photograph_on_s3_is_found_once(s3: str, cache: Path) -> None:
    bucket, client = s3.removeprefix("s3://"), boto3.client("s3")
    settings = Settings(library=f"{s3}/findimg", cache=cache, engine="local")
    library = Library(settings.library, cache)
    expected, failed = set(), set()
    special = {"/first.jpg": photograph(9001, "JPEG"), "//second.jpg": photograph(9002, "JPEG")}
    for key, data in [*photographs(PHOTOGRAPHS - len(special)), *special.items()]:
        client.put_object(Bucket=bucket, Key=key, Body=data)
        expected.add(f"{s3}/{key}")
    for key, data in other_files():
        client.put_object(Bucket=bucket, Key=key, Body=data)
    for key, data in broken_files():
        client.put_object(Bucket=bucket, Key=key, Body=data)
        failed.add(f"{s3}/{key}")
    for number, storage_class in enumerate(("GLACIER", "DEEP_ARCHIVE")):
        body = photograph(9100 + number, "JPEG")
        client.put_object(Bucket=bucket, Key=f"archive/{number}.jpg", Body=body, StorageClass=storage_class)
    for number in range(3):
        client.put_object(Bucket=bucket, Key=f"denied/{number}.jpg", Body=photograph(9200 + number, "JPEG"))
        failed.add(f"{s3}/denied/{number}.jpg")
    client.put_object(Bucket=bucket, Key="folder/", Body=b"")
    requests: Counter[str] = Counter()

    def deny(request: Any, **_: Any) -> AWSResponse | None:
        requests[request.method] += "/denied/" in request.url or "/archive/" in request.url
        if request.method == "GET" and "/denied/" in request.url:
            body = io.BytesIO(b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
            body.stream = lambda *_, **__: iter([body.read()])  # type: ignore[attr-defined]
            return AWSResponse(request.url, 403, {"Content-Type": "application/xml"}, body)
        return None

    shared_client().meta.events.register("before-send.s3", deny)
    skipped = SKIPPED | {"archived in S3": 2}
    check(index(settings, [s3]), library, expected, failed, skipped)
    assert requests["GET"] == 3  # one for each denied object, none for an archived one
    second = index(settings, [s3])
    assert (second.embedded, second.outcome) == (0, "unchanged")
    check(second, library, expected, failed, skipped)
    denied = [failure.reason for failure in second.failures if "/denied/" in failure.uri]
    assert denied == ["The file cannot be reached: S3 answered AccessDenied. Check the name and your permissions."] * 3


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
