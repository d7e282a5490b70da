import os
import random
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from findimg.images import ImageFacts
from findimg.storage.base import Storage, open_storage
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.shard_rows import EmbeddedContent, ShardRow
from findimg_jobs.store.shards import ShardStats, commit_shard
from findimg_jobs.tables.addresses import is_below
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, Sidecar, SourceImage

NAMES = ("a", "b'c", "ä\n", "日本", "a-b", "a0", 'x"', "\U0001f600")


def put(storage: Storage, shard: str, rows: list[ShardRow], failures: list[Failure] | None = None) -> None:
    commit_shard(storage, "f", rows, failures or [], ShardStats(shard, len(rows), 0, len(failures or []), 0))


def hash_of(content: int) -> str:
    """Return a made-up SHA-256. That of 256 ends with zero bytes where it is cut."""
    return f"{content:032x}".ljust(64, "0")


def row(uri: str, content: int, vectors: bool = True) -> ShardRow:
    made = EmbeddedContent(ImageFacts(30, 20, "PNG", 99, None), np.ones(8, np.float32)) if vectors else None
    return ShardRow(uri, "1", hash_of(content), made)


@pytest.fixture
def storage(tmp_path: object) -> Storage:
    return open_storage(str(tmp_path))


def test_last_row_of_an_image_counts_with_the_first_vectors_of_its_content(storage: Storage) -> None:
    put(storage, "1", [row("a", 1), row("b", 2)])
    put(storage, "2", [row("a", 2), row("c", 1, vectors=False)])
    put(storage, "3", [row("d", 9, vectors=False)])
    known = read_committed(storage, "f")
    keys = known.keys_of(ImageTable.of(SourceImage(uri, "1") for uri in "abcd"))
    assert {uri: key.sha256 for (uri, _), key in keys.items()} == {"a": hash_of(2), "b": hash_of(2), "c": hash_of(1)}
    holders = known.rows_with_vectors(map(hash_of, range(9)))
    assert {sha256: key.shard for sha256, key in holders.items()} == {hash_of(1): "1", hash_of(2): "1"}


def test_only_contents_with_vectors_are_known(storage: Storage) -> None:
    put(storage, "1", [row("a", 1), row("b", 256), row("c", 3, vectors=False)])
    contents = read_committed(storage, "f").known_contents()
    assert [hash_of(number) in contents for number in (0, 1, 2, 3, 255, 256, 257)] == [
        False,
        True,
        *[False] * 3,
        True,
        False,
    ]
    assert "no hash" not in contents


def test_image_whose_last_row_has_no_vectors_is_embedded_again(storage: Storage) -> None:
    put(storage, "1", [row("a", 1)])
    put(storage, "2", [row("a", 9, vectors=False)])
    image = SourceImage("a", "1")
    assert list(read_committed(storage, "f").to_embed(ImageTable.of([image]))) == [image]


@pytest.mark.parametrize("order", list(product((True, False), repeat=3)))
def test_permanent_failure_counts_whatever_the_order_of_attempts(storage: Storage, order: tuple[bool, ...]) -> None:
    for number, transient in enumerate(order):
        put(storage, str(number), [], [Failure("a", "1", str(number), transient)])
    known = read_committed(storage, "f")
    (failure,) = known.failures_among(ImageTable.of([SourceImage("a", "1")]))
    permanent = [number for number, transient in enumerate(order) if not transient]
    assert failure == Failure("a", "1", str(permanent[-1] if permanent else 0), not permanent)
    assert len(known.to_embed(ImageTable.of([SourceImage("a", "1")]))) == (not permanent)


def test_images_are_read_back_unchanged_in_the_order_of_their_uris() -> None:
    images = [SourceImage(f"/{name}/{number}", name, None if number else 1.5) for name in NAMES for number in range(2)]
    images[0] = SourceImage("/a/0", "2", None, Sidecar("/a/0.xmp", "3", "Line\nline"))
    shuffled = random.Random(1).sample(images, len(images))
    found = list(ImageTable.of(shuffled))
    assert found == sorted(images)
    assert [(each.modified, each.sidecar) for each in found] == [
        (each.modified, each.sidecar) for each in sorted(images)
    ]


FULL = """
import resource, signal
from findimg.errors import NotPublishedError
from findimg_jobs.tables.source_records import SourceImage
from findimg_jobs.tables.image_table import ImageTable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    ImageTable.of(SourceImage(str(hash(str(number))), str(number)) for number in range(20_000))
except NotPublishedError as error:
    print(error)
"""


def test_temporary_folder_without_room_is_reported(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=60, env=environment)
    assert f"cannot be written to {tmp_path}: " in done.stdout, done.stderr
    assert "TMPDIR" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_last_of_several_images_with_one_uri_counts() -> None:
    table = ImageTable.of([SourceImage("a", "1", 5.0), SourceImage("b", "1"), SourceImage("a", "2")])
    assert [(each.uri, each.etag, each.modified) for each in table] == [("a", "2", None), ("b", "1", None)]


def test_images_below_folders_are_found_as_by_their_addresses() -> None:
    uris = ["/".join(parts) for length in (1, 2, 3) for parts in product(("", *NAMES[:6]), repeat=length)]
    table = ImageTable.of(SourceImage(uri, "1") for uri in uris if uri)
    rng = random.Random(2)
    for _ in range(25):
        roots = [rng.choice((*uris, "/", "a/", "missing")) for _ in range(rng.randint(1, 4))]
        expected = {uri for uri in uris if uri and is_below(uri, roots)}
        assert {image.uri for image in table.below(roots)} == expected
        assert {image.uri for image in table.not_below(roots)} == set(filter(None, uris)) - expected
        assert table.count_below(roots) == len(expected)
        holding = {root for root in roots if any(is_below(uri, (root,)) for uri in uris if uri)}
        assert table.roots_with_images(roots) == holding
