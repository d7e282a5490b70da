import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from findimg.encoders.registry import fingerprint
from findimg.images import decode
from findimg.library.layout import thumbnail_key
from findimg.models.store import ModelStore
from findimg.storage.base import open_storage
from findimg_jobs.indexing.embed_worker import Embedder, EmbedTask
from findimg_jobs.listing.sources import list_sources
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.shard_rows import EmbeddedContent
from findimg_jobs.store.shards import ShardStats, make_shard, read_vectors
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure


@pytest.fixture
def embed(tmp_path: Path, cache: Path) -> Callable[..., tuple[ShardStats, list[Failure]]]:
    """Embed a folder as one shard into `tmp_path/library`."""
    models = cache / "models"
    library = str(tmp_path / "library")

    def embed(folder: Path, contents: frozenset[str] = frozenset()) -> tuple[ShardStats, list[Failure]]:
        made = fingerprint("efficientnet-lite0", ModelStore(models))
        work = EmbedTask("efficientnet-lite0", "", models, library, made, contents)
        images = list_sources([str(folder)], library).images
        stats = Embedder(work).work(make_shard(tuple(images), made))
        return stats, read_committed(open_storage(library), made).failures_among(images)

    return embed


def contents(folder: Path, stats: ShardStats) -> dict[str, EmbeddedContent]:
    """Return the embedded content by file name."""
    (made,) = (path.name for path in (folder / "library" / "embeddings").iterdir())
    storage = open_storage(folder / "library")
    names = {key.sha256: Path(key.uri).name for key in read_committed(storage, made).select_keys("holds")}
    return {names[sha256]: content for sha256, content in read_vectors(storage, made, stats.shard)}


def enormous_png(path: Path) -> None:
    """Return a PNG whose header declares 20,000 × 20,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 20_001 * 100)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def test_only_unreadable_images_of_a_folder_fail(
    tmp_path: Path, pictures: Path, samples: Path, embed: Callable[..., tuple[ShardStats, list[Failure]]]
) -> None:
    photograph = (samples / "dalmatian.jpg").read_bytes()
    (pictures / "text.jpg").write_text("not an image at all")
    (pictures / "truncated.jpg").write_bytes(photograph[: len(photograph) // 50])
    (pictures / "empty.jpg").touch()
    enormous_png(pictures / "enormous.png")
    Image.new("RGB", (1, 1), "red").save(pictures / "pixel.png")
    frames = [Image.new("RGB", (50, 40), colour) for colour in ("blue", "green")]
    frames[0].save(pictures / "animated.gif", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(io.BytesIO(photograph)) as upright:
        upright.convert("CMYK").save(pictures / "cmyk.jpg")
        upright.save(pictures / "rotated.jpg", exif=exif)
        size = upright.size
    (pictures / "loop").symlink_to(pictures)

    stats, failures = embed(pictures)

    reasons = {Path(failure.uri).name: failure.reason for failure in failures}
    assert sorted(reasons) == ["empty.jpg", "enormous.png", "text.jpg", "truncated.jpg"]
    assert "empty" in reasons["empty.jpg"]
    assert "too many pixels. The limit is 100,000,000." in reasons["enormous.png"]
    assert "format of the file is unknown" in reasons["text.jpg"]
    assert "truncated" in reasons["truncated.jpg"]
    assert (stats.images, stats.failed) == (10, 4)
    found = contents(tmp_path, stats)
    assert {"pixel.png", "animated.gif", "cmyk.jpg", "rotated.jpg"} <= set(found)
    assert (found["rotated.jpg"].facts.height, found["rotated.jpg"].facts.width) == size


def test_thumbnail_is_stored_under_the_content_hash(
    tmp_path: Path, samples: Path, embed: Callable[..., tuple[ShardStats, list[Failure]]]
) -> None:
    stats, _ = embed(samples)
    for name in contents(tmp_path, stats):
        sha256 = decode((samples / name).read_bytes()).sha256
        with Image.open(tmp_path / "library" / thumbnail_key(sha256)) as thumbnail:
            assert thumbnail.format == "JPEG"
            assert max(thumbnail.size) == 320
            assert not thumbnail.getexif()


def test_copy_in_the_same_shard_is_embedded_once(
    pictures: Path, embed: Callable[..., tuple[ShardStats, list[Failure]]]
) -> None:
    (pictures / "copy.png").write_bytes((pictures / "3.png").read_bytes())
    stats, _ = embed(pictures)
    assert (stats.images, stats.embedded) == (7, 6)


def test_committed_content_is_not_embedded_again(
    pictures: Path, embed: Callable[..., tuple[ShardStats, list[Failure]]]
) -> None:
    known = frozenset(decode(path.read_bytes()).sha256 for path in pictures.iterdir())
    stats, _ = embed(pictures, known)
    assert (stats.images, stats.embedded) == (6, 0)
    assert "model" not in stats.seconds


def test_image_deleted_after_listing_is_a_transient_failure(tmp_path: Path, pictures: Path, cache: Path) -> None:
    models, library = cache / "models", str(tmp_path / "library")
    made = fingerprint("efficientnet-lite0", ModelStore(models))
    images = tuple(list_sources([str(pictures)], library).images)
    (pictures / "2.png").unlink()
    stats = Embedder(EmbedTask("efficientnet-lite0", "", models, library, made, frozenset())).work(
        make_shard(images, made)
    )
    assert (stats.images, stats.failed) == (5, 1)
    known = read_committed(open_storage(library), made)
    assert list(known.to_embed(ImageTable.of(images))) == [images[2]]
