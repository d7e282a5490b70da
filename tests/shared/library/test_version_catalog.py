"""The catalog of a version with two segments, one of which has a deleted image."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from findimg.images import ImageFacts
from findimg.library.catalog import CatalogRow, write_catalog
from findimg.library.catalog_filters import NO_FILTERS, Filters
from findimg.library.items import ItemRows
from findimg.library.library import Version
from findimg.library.manifest import IndexEntry, SegmentEntry
from findimg.library.version_catalog import VersionCatalog
from tests.shared.library.test_library import manifest_of


def row(uri: str, taken: datetime | None = None) -> CatalogRow:
    return CatalogRow(uri, "1", hashlib.sha256(uri.encode()).hexdigest(), ImageFacts(640, 480, "JPEG", 12345, taken))


FIRST = [row("/a/1"), row("/gone/2", datetime(2020, 1, 1)), row("/c/3", datetime(2024, 6, 1)), row("/d/é")]
SECOND = [row("/b/4", datetime(2026, 1, 1)), row("/e/5", datetime(2024, 6, 1))]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[VersionCatalog]:
    entries = []
    for number, rows in enumerate((FIRST, SECOND)):
        index = IndexEntry(dim=3, counts=[len(rows)], search_k=0, recall=1.0)
        entries.append(
            SegmentEntry(name=str(number), images=len(rows), visual=index, joint=None, files={}, build_files={})
        )
        (tmp_path / "segments" / str(number)).mkdir(parents=True)
        write_catalog(tmp_path / "segments" / str(number) / "catalog.sqlite", rows)
    version = Version(manifest_of({}).model_copy(update={"segments": entries}), tmp_path)
    # In URI order: /a/1, /b/4, /c/3, /d/é, /e/5. The row 1 is deleted.
    with VersionCatalog(version, ItemRows([4, 2], np.array([0, 4, 2, 3, 5]))) as opened:
        yield opened


def test_items_are_numbered_through_all_segments(catalog: VersionCatalog) -> None:
    expected = [FIRST[0], SECOND[0], FIRST[2], FIRST[3], SECOND[1]]
    assert catalog.images == 5
    assert [catalog.row(item) for item in range(5)] == expected
    assert catalog.rows([4, 0, 1]) == [expected[4], expected[0], expected[1]]
    assert catalog.rows([]) == []
    assert [catalog.item(each.uri) for each in expected] == [0, 1, 2, 3, 4]
    assert catalog.item("/d/é") == 3


def test_deleted_image_is_nowhere(catalog: VersionCatalog) -> None:
    assert catalog.item("/gone/2") is None
    assert catalog.matching(NO_FILTERS).tolist() == [0, 1, 2, 3, 4]
    assert catalog.matching(Filters(before=date(2021, 1, 1))).tolist() == []
    assert catalog.folders() == ["/a/", "/b/", "/c/", "/d/", "/e/"]
    assert catalog.without([FIRST[1].sha256, FIRST[2].sha256]) == {FIRST[1].sha256}
    assert catalog.undated() == 2


def test_items_are_sorted_by_date_with_undated_ones_last(catalog: VersionCatalog) -> None:
    assert catalog.by_date(np.arange(5)).tolist() == [1, 2, 4, 0, 3]
    assert catalog.by_date(np.arange(5), oldest_first=True).tolist() == [2, 4, 1, 0, 3]
    assert catalog.by_date(np.array([3, 4, 1])).tolist() == [1, 4, 3]
