import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from findimg_jobs.tables import disk_tables
from findimg_jobs.tables.disk_tables import Spool
from findimg_jobs.tables.image_table import ImageBatches
from findimg_jobs.tables.source_records import SourceImage

SCHEMA = pa.schema([("number", pa.int64())])


def numbers(spool: Spool) -> list[int]:
    return [number for table in spool for number in table["number"].to_pylist()]


@pytest.mark.parametrize("in_memory", [5, 1000])
def test_spool_yields_its_rows_in_their_order_here_and_in_another_process(
    in_memory: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(disk_tables, "_SPOOL", in_memory)
    spool = Spool(SCHEMA)
    for start in range(0, 100, 4):
        spool.add(pa.table({"number": range(start, start + 4)}, SCHEMA))
    for each in (spool, pickle.loads(pickle.dumps(spool))):
        assert numbers(each) == list(range(100))
        assert numbers(each) == list(range(100))


def test_images_of_a_large_branch_are_not_kept_in_memory() -> None:
    count = 200_000
    before = pa.total_allocated_bytes()
    found = ImageBatches()
    for number in range(count):
        found.append(SourceImage(f"s3://bucket/{number:08}.jpg", "1-1", 5.0))
    tables = found.tables()
    first = next(tables)
    held = pa.total_allocated_bytes() - before
    assert len(first) + sum(map(len, tables)) == count
    assert held < 40 * count, f"{held / count:.0f} bytes for each image"
