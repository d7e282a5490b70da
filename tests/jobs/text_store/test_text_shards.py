import json
import tracemalloc
from pathlib import Path

import pytest

from findimg.errors import LibraryError
from findimg.storage.folder import FolderStorage
from findimg_jobs.tables.source_records import Failure
from findimg_jobs.text_store.text_shards import (
    PictureText,
    ReadLine,
    TextStats,
    commit_texts,
    delete_texts,
    name_text_shard,
    read_committed_texts,
    read_texts,
)
from tests.text_keys import text_failures, text_keys

INVOICE = PictureText("aa" * 32, (ReadLine("Acme invoice", 0.98, (0.1, 0.1, 0.9, 0.1, 0.9, 0.2, 0.1, 0.2)),))
BLANK = PictureText("bb" * 32, ())
BROKEN = Failure("/photos/broken.png", "1", "The file is broken.", transient=False)


def commit(storage: FolderStorage, *texts: PictureText, reader: str = "reader-1") -> str:
    name = name_text_shard((text.sha256 for text in texts), reader)
    commit_texts(storage, reader, texts, [BROKEN], TextStats(name, len(texts), 1, 1))
    return name


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    return FolderStorage(str(tmp_path))


def test_committed_texts_are_read_back(storage: FolderStorage) -> None:
    shard = commit(storage, BLANK, INVOICE)
    committed = read_committed_texts(storage)
    keys = text_keys(committed)
    assert set(keys) == {INVOICE.sha256, BLANK.sha256}
    assert keys[INVOICE.sha256].digest != ""
    assert keys[BLANK.sha256].digest == ""
    assert text_failures(committed) == [BROKEN]
    (read,) = read_texts(storage, "reader-1", shard, {INVOICE.sha256})
    assert read.sha256 == INVOICE.sha256
    assert read.text == "Acme invoice"
    assert read.lines[0].corners == pytest.approx(INVOICE.lines[0].corners)


def test_shard_without_stats_does_not_count(storage: FolderStorage) -> None:
    shard = commit(storage, INVOICE)
    storage.delete(f"texts/reader-1/{shard}/stats.json")
    assert text_keys(read_committed_texts(storage)) == {}


def test_newest_reading_of_a_picture_counts(storage: FolderStorage) -> None:
    commit(storage, INVOICE)
    better = PictureText(INVOICE.sha256, (ReadLine("Acme invoice 2024", 0.99),))
    shard = commit(storage, better, reader="reader-2")
    key = text_keys(read_committed_texts(storage))[INVOICE.sha256]
    assert (key.reader, key.shard) == ("reader-2", shard)
    assert text_keys(read_committed_texts(storage, "reader-1"))[INVOICE.sha256].reader == "reader-1"


def test_deleted_texts_are_gone_and_others_stay(storage: FolderStorage) -> None:
    commit(storage, BLANK, INVOICE)
    commit(storage, INVOICE, reader="reader-2")
    assert delete_texts(storage, {BROKEN.uri}, {INVOICE.sha256}) == 2
    left = read_committed_texts(storage)
    assert set(text_keys(left)) == {BLANK.sha256}
    assert text_failures(left) == []
    assert "Acme" not in "".join(path.read_bytes().decode("latin-1") for path in Path(storage.root).rglob("*.parquet"))


def test_damaged_shard_is_named(storage: FolderStorage) -> None:
    shard = commit(storage, INVOICE)
    storage.write(f"texts/reader-1/{shard}/lines.parquet", b"no table")
    with pytest.raises(LibraryError, match=r"lines\.parquet is missing or damaged"):
        list(read_texts(storage, "reader-1", shard, {INVOICE.sha256}))


def test_keys_of_texts_are_not_python_objects(storage: FolderStorage) -> None:
    count = 60_000
    for start in range(0, count, 500):
        keys = [(f"{number:064x}", f"{number:016x}", True) for number in range(start, start + 500)]
        commit = {"shard": str(start), "images": 500, "with_text": 500, "failed": 0, "keys": keys}
        storage.write(f"texts/reader-1/{start:024}/stats.json", json.dumps(commit).encode())
    tracemalloc.start()
    try:
        committed = read_committed_texts(storage)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(committed.keys) == count
    assert most < 150 * count, f"{most / count:.0f} bytes for each picture"


def test_later_look_does_not_replace_a_reading(storage: FolderStorage) -> None:
    look = PictureText(INVOICE.sha256, (), read=False)
    for reader, text, shard in (("a", look, None), ("b", INVOICE, "b"), ("c", look, "b"), ("d", INVOICE, "d")):
        commit(storage, text, reader=reader)
        key = text_keys(read_committed_texts(storage))[INVOICE.sha256]
        assert key.reader == (shard or "a")
        assert bool(key.digest) == (shard is not None)


@pytest.mark.parametrize("key", ["aa", "x" * 64, 7])
def test_shard_with_a_damaged_key_does_not_count(storage: FolderStorage, key: object) -> None:
    shard = commit(storage, INVOICE)
    commits = {"shard": shard, "images": 1, "with_text": 1, "failed": 0, "keys": [[key, "digest", True]]}
    storage.write(f"texts/reader-1/{shard}/stats.json", json.dumps(commits).encode())
    assert text_keys(read_committed_texts(storage)) == {}
