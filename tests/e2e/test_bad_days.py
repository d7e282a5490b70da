"""Test a nightly run with a full disk, an unreachable S3, and many broken images."""

import io
import json
import random
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.config import Config
from PIL import Image

import findimg_jobs.indexing.embed_stage
from findimg.encoders.base import ENCODER_FILE
from findimg.encoders.registry import build_encoder
from findimg.errors import NotPublishedError
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.storage import s3 as s3_storage
from findimg.storage.base import open_storage
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store import lock
from findimg_jobs.store.shards import ShardStats
from tests.opened import open_catalog

pytestmark = pytest.mark.long

THOUSAND = 1000


def draw(seed: int, width: int = 60, height: int = 40) -> Image.Image:
    """Write images. Different seeds give different images."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)


def encoded(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a disk of a few MB or changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: str) -> Path:
        again = ["-o", f"remount,size={size}"] if folder.is_mount() else ["-o", f"size={size}"]
        done = subprocess.run(["mount", "-t", "tmpfs", *again, "findimg", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        return folder

    yield mount
    subprocess.run(["umount", folder], capture_output=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a folder with two hundred images."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(200):
        draw(number).save(folder / f"{number}.png")
    return folder


def run(library: Path | str, cache: Path, source: Path | str, **flags: Any) -> RunReport:
    return index(Settings(library=str(library), cache=cache, engine="local", **flags), [str(source)])


def test_run_continues_after_a_full_disk(small_disk: Callable[[str], Path], source: Path, cache: Path) -> None:
    # The library also holds the encoder.
    store = ModelStore(cache / "models")
    model = build_encoder("efficientnet-lite0", store).portable_files()[ENCODER_FILE]
    assert isinstance(model, bytes)
    encoder = len(model) // 1024
    library = small_disk(f"{encoder + 3200}k") / "library"
    with pytest.raises(NotPublishedError, match="No space left on device"):
        run(library, cache, source, shard_size=20)
    committed = len(list(library.glob("embeddings/*/*/stats.json")))
    assert 0 < committed < 10
    assert Library(str(library), cache).find_live_version() is None
    # Room for all embeddings, and too little for a version.
    small_disk(f"{encoder + 4800}k")
    with pytest.raises(NotPublishedError, match="No space left on device"):
        run(library, cache, source, shard_size=20)
    assert Library(str(library), cache).find_live_version() is None
    small_disk("100m")
    report = run(library, cache, source, shard_size=20)
    assert report.embedded <= 200 - 20 * committed
    assert (report.images, report.failed) == (200, 0)
    opened = Library(str(library), cache)
    assert verify(opened, opened.manifest(str(report.version))).problems == []


def test_full_temporary_folder_keeps_embeddings(
    small_disk: Callable[[str], Path], source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    monkeypatch.setattr("tempfile.tempdir", str(small_disk("300k")))
    with pytest.raises(NotPublishedError, match=r"No version can be built in .*disk.*TMPDIR. Everything embedded"):
        run(library, cache, source)
    small_disk("100m")
    assert run(library, cache, source).embedded == 0


def test_run_continues_after_a_lost_s3_connection(
    s3: str, source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The lease of the run that is cut off cannot be given back, so it must expire.
    monkeypatch.setattr(lock, "EXPIRY", 2.0)
    monkeypatch.setattr(lock, "BEAT", 0.3)
    for path in source.iterdir():
        open_storage(f"{s3}/team").upload(path, path.name)
    with unreachable_after_two_shards(monkeypatch), pytest.raises(NotPublishedError, match="cannot be reached") as lost:
        run(f"{s3}/library", cache, f"{s3}/team", shard_size=20)
    assert lost.value.exit_code == 3
    s3_storage.reset_client()
    time.sleep(2)
    library = Library(f"{s3}/library", cache)
    assert library.find_live_version() is None
    report = run(library.uri, cache, f"{s3}/team", shard_size=20)
    assert (report.images, report.failed) == (200, 0)
    assert 0 < report.embedded <= 160
    assert verify(library, library.manifest(str(report.version))).problems == []


@contextmanager
def unreachable_after_two_shards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make S3 unreachable after two shards."""
    track = findimg_jobs.indexing.embed_stage.show_progress

    def cut_off(shards: Iterator[ShardStats], images: int) -> Iterator[ShardStats]:
        for number, stats in enumerate(track(shards, images), 1):
            yield stats
            if number == 2:
                patch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
                # As many tries as the real client makes would only take longer.
                patch.setattr(
                    s3_storage, "Config", lambda **options: Config(**options | {"retries": {"max_attempts": 1}})
                )
                s3_storage.reset_client()

    with monkeypatch.context() as patch:
        patch.setattr(findimg_jobs.indexing.embed_stage, "show_progress", cut_off)
        yield


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def enormous() -> bytes:
    """Return a PNG whose header declares 30,000 × 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


def broken(number: int) -> tuple[str, bytes]:
    """Return the extension and the bytes of a file that is not an image. The numbers give different kinds in turn."""
    chance = random.Random(number)
    image = draw(5000 + number, 160, 120)
    png, jpeg = encoded(image, "PNG"), encoded(image, "JPEG")
    kinds: list[tuple[str, bytes]] = [
        ("jpg", b""),
        ("jpg", b"\xff\xd8\xff"),
        ("png", b"\x89PNG\r\n\x1a\n"),
        ("jpg", chance.randbytes(3000)),
        ("png", bytes(3000)),
        ("jpg", jpeg[: len(jpeg) * chance.randint(20, 90) // 100]),
        ("png", png[: len(png) * chance.randint(20, 90) // 100]),
        ("png", png[:60] + bytes(20) + png[80:]),
        ("webp", encoded(image, "WEBP")[:50]),
        ("gif", encoded(image, "GIF")[:200]),
        ("bmp", encoded(image, "BMP")[:2000]),
        ("tif", encoded(image, "TIFF")[:300]),
        ("png", enormous()),
        ("jpg", b"<!DOCTYPE html><title>404 Not Found</title>" * 20),
        ("png", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        ("jpg", b"%PDF-1.7\n" + bytes(100)),
        ("heic", b"\0\0\0\x18ftypheic" + bytes(200)),
        ("jpg", json.dumps({"error": number}).encode()),
        ("gif", b"GIF89a" + bytes(7)),
        ("jpg", b"PK\x03\x04" + bytes(500)),
    ]
    return kinds[number % len(kinds)]


def test_thousand_broken_files_do_not_stop_a_run(cache: Path, tmp_path: Path) -> None:
    good, bad = set(), set()
    folder = tmp_path / "source"
    folder.mkdir()
    kinds = [("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("gif", "GIF"), ("bmp", "BMP"), ("tif", "TIFF")]
    for number in range(THOUSAND):
        extension, kind = kinds[number % len(kinds)]
        path = folder / f"{number:04}-good.{extension}"
        path.write_bytes(encoded(draw(number), kind))
        good.add(str(path))
        extension, data = broken(number)
        path = folder / f"{number:04}-broken.{extension}"
        path.write_bytes(data)
        bad.add(str(path))
    library = Library(str(tmp_path / "library"), cache)
    report = run(library.uri, cache, folder)
    assert (report.seen, report.failed) == (2 * THOUSAND, THOUSAND)
    catalog = open_catalog(library.open())
    assert {catalog.row(item).uri for item in range(catalog.images)} == good
    written = json.loads((tmp_path / "library" / "runs" / f"{report.run}.json").read_text())
    assert {failure["uri"] for failure in written["failures"]} == bad
    assert all(failure["reason"].endswith(".") and not failure["transient"] for failure in written["failures"])
    assert len({failure["reason"] for failure in written["failures"]}) > 5
    assert len(written["top_errors"]) == 5
