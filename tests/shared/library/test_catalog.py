import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import LibraryError
from findimg.images import ImageFacts
from findimg.library.catalog import UNDATED, Catalog, CatalogRow, DateSource, write_catalog
from findimg.library.catalog_filters import Filters, fold


def row(uri: str, taken: datetime | None = None, form: str = "JPEG", dated_by: DateSource | None = None) -> CatalogRow:
    return CatalogRow(uri, '"etag"', "ab" * 32, ImageFacts(640, 480, form, 12345, taken), dated_by)


@contextmanager
def catalog(*rows: CatalogRow) -> Iterator[Catalog]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "catalog.sqlite")
        write_catalog(path, rows)
        opened = Catalog(path)
        yield opened
        opened.close()


def matching(filters: Filters, *rows: CatalogRow) -> list[str]:
    with catalog(*rows) as opened:
        return [opened.row(int(item)).uri for item in opened.matching(filters)]


def test_rows_are_read_back_and_found_by_uri() -> None:
    rows = (
        row("/photos/a.jpg", datetime(2024, 5, 31, 23, 59, 59), dated_by="name"),
        row("s3://bucket/ä%_'\"\\ 猫.png", datetime(1, 1, 1, 0, 0, 0, 1), "PNG"),
        row("/photos/c.jpg"),
    )
    with catalog(*rows) as opened:
        assert opened.images == 3
        assert tuple(opened.row(item) for item in range(3)) == rows
        assert opened.rows([2, 0]) == [rows[2], rows[0]]
        assert opened.rows([]) == []
        assert [opened.item(each.uri) for each in rows] == [0, 1, 2]
        assert opened.item("/photos/A.jpg") is None
        assert opened.undated().tolist() == [2]


def test_images_dated_by_their_file_are_counted() -> None:
    day = datetime(2024, 6, 1)
    rows = (row("/a/1.jpg", day, dated_by="file"), row("/a/2.jpg", day, dated_by="camera"), row("/b/3.jpg"))
    with catalog(*rows) as opened:
        assert opened.dated_by_file(Filters()).tolist() == [0]
        assert opened.dated_by_file(Filters(folders=("/b/",))).tolist() == []


def test_catalog_of_an_older_release_is_read(tmp_path: Path) -> None:
    path, old = tmp_path / "catalog.sqlite", row("/a/1.jpg", datetime(2024, 6, 1))
    write_catalog(path, [old])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE images DROP COLUMN dated_by")
        connection.commit()
    opened = Catalog(path)
    assert opened.row(0) == old
    assert opened.dated_by_file(Filters()).tolist() == []
    opened.close()


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    rows = [row(f"/{item}.jpg", datetime(2024, 1, 1 + item % 20)) for item in range(2000)]
    write_catalog(tmp_path / "a", rows)
    write_catalog(tmp_path / "b", iter(rows))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("2024", ["/p/2024/a.jpg", "/p/2024/Party Ä/b.jpg", "s3://bucket/2024/c.jpg", "/p/12024/i.jpg"]),
        ("/2024", ["/p/2024/a.jpg", "/p/2024/Party Ä/b.jpg", "s3://bucket/2024/c.jpg"]),
        ("/2024/", ["/p/2024/a.jpg", "/p/2024/Party Ä/b.jpg", "s3://bucket/2024/c.jpg"]),
        ("2024/party", ["/p/2024/Party Ä/b.jpg"]),
        ("PARTY ä", ["/p/2024/Party Ä/b.jpg"]),
        ("party a", ["/p/2024/Party Ä/b.jpg"]),
        ("party A\u0308", ["/p/2024/Party Ä/b.jpg"]),
        ("/p/2024/party ä/", ["/p/2024/Party Ä/b.jpg"]),
        ("Bucket", ["s3://bucket/2024/c.jpg"]),
        ("s3://bucket/20", ["s3://bucket/2024/c.jpg"]),
        ("a.jpg", []),
        ("50%", ["/p/50%/d.jpg"]),
        ("5_%", []),
        ("a_b", ["/p/a_b/e.jpg"]),
        ("a*b", []),
        ("a\\b", ["/p/a\\b/g.jpg"]),
        ("anna's “best”", ['/p/Anna`s "best"/h.jpg', "/p/Anna’s „best“/k.jpg"]),
    ],
)
def test_folder_filter_matches_parts_in_any_case_and_unicode_form(folder: str, found: list[str]) -> None:
    uris = ["/p/2024/a.jpg", "/p/2024/Party Ä/b.jpg", "s3://bucket/2024/c.jpg", "/p/50%/d.jpg", "/p/a_b/e.jpg"]
    uris += ["/p/axb/f.jpg", "/p/a\\b/g.jpg", '/p/Anna`s "best"/h.jpg', "/p/12024/i.jpg", "/p/500/2024.jpg"]
    uris += ["/p/Anna’s „best“/k.jpg"]
    assert matching(Filters(folders=(fold(folder),)), *map(row, uris)) == found


def test_name_filter_ignores_folders_and_minus_excludes() -> None:
    rows = (row("/beach/Sun.jpg"), row("/x/my BEACH.jpg"), row("/x/Été.jpg"), row("/x/y.png", form="PNG"))
    assert matching(Filters(names=("beach",)), *rows) == ["/x/my BEACH.jpg"]
    assert matching(Filters(names=(fold("E\u0301T"),)), *rows) == ["/x/Été.jpg"]
    assert matching(Filters(not_folders=("beach",), not_names=("beach",)), *rows) == ["/x/Été.jpg", "/x/y.png"]
    assert matching(Filters(folders=("/x/",), not_formats=("JPEG",)), *rows) == ["/x/y.png"]


def test_times_are_seconds_and_undated_images_have_none() -> None:
    with catalog(row("/1"), row("/2", datetime(1970, 1, 2)), row("/3", datetime(1, 1, 1))) as opened:
        assert opened.times().tolist() == [UNDATED, 86400, -62135596800]


def test_folders_are_listed_once() -> None:
    with catalog(row("/b/1.jpg"), row("/a/c/2.jpg"), row("s3://x/y/3.jpg"), row("/b/4.jpg"), row("/5.jpg")) as opened:
        assert opened.folders(np.array([], np.int64)) == {"/", "/a/c/", "/b/", "s3://x/y/"}
        assert opened.folders(np.array([0, 2])) == {"/", "/a/c/", "/b/"}


def test_root_folder_filter_keeps_every_image() -> None:
    assert matching(Filters(folders=("/",)), row("/a.jpg"), row("s3://b/c.jpg")) == ["/a.jpg", "s3://b/c.jpg"]


def test_before_excludes_its_day_and_after_includes_it() -> None:
    moments = [
        datetime(2024, 5, 31, 23, 59, 59, 999999),
        datetime(2024, 6, 1),
        datetime(2024, 6, 1, 23, 59, 59),
        datetime(2024, 6, 2),
    ]
    rows = [row(str(moment), moment) for moment in moments] + [row("undated")]
    day = date(2024, 6, 1)
    assert matching(Filters(before=day), *rows) == [str(moments[0])]
    assert matching(Filters(after=day), *rows) == [str(moment) for moment in moments[1:]]
    assert matching(Filters(after=day, before=date(2024, 6, 2)), *rows) == [str(moment) for moment in moments[1:3]]


def test_formats_are_alternatives_and_other_filters_are_combined() -> None:
    rows = (row("/a/1", form="PNG"), row("/a/2", form="MPO"), row("/a/3"), row("/b/4"))
    assert matching(Filters(formats=("JPEG", "MPO")), *rows) == ["/a/2", "/a/3", "/b/4"]
    assert matching(Filters(folders=("a",), formats=("JPEG", "MPO")), *rows) == ["/a/2", "/a/3"]
    assert matching(Filters(folders=("a", "b")), *rows) == []


def test_empty_filters_are_false() -> None:
    assert not Filters()
    assert all([Filters(("a",)), Filters(before=date.max), Filters(after=date.min), Filters(formats=("PNG",))])


def without_accent(text: str) -> str:
    return text.lower().replace("é", "e")


names = st.text("aAeé%_\\'*?[ ", min_size=1, max_size=3)
uris = st.builds(lambda top, parts: top + "/".join(parts), st.sampled_from(["/", "s3://"]), st.lists(names, min_size=2))
moments = st.integers(-3, 3 * 86400 + 3).map(lambda second: datetime(2024, 2, 28) + timedelta(seconds=second))
days = st.none() | st.integers(0, 4).map(lambda day: date(2024, 2, 27) + timedelta(days=day))
formats = st.sampled_from(["JPEG", "PNG", "MPO"])


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.builds(row, uris, st.none() | moments, formats), max_size=12, unique_by=lambda each: each.uri),
    folders=st.lists(st.lists(names, min_size=1, max_size=2).map("/".join).map(without_accent), max_size=2),
    before=days,
    after=days,
    wanted=st.lists(formats, max_size=2),
)
def test_filters_match_a_plain_python_filter(
    rows: list[CatalogRow], folders: list[str], before: date | None, after: date | None, wanted: list[str]
) -> None:
    def holds(each: CatalogRow) -> bool:
        day = each.facts.taken and each.facts.taken.date()
        return (
            all(folder in without_accent("/" + each.uri[: each.uri.rindex("/") + 1]) for folder in folders)
            and (before is None or (day is not None and day < before))
            and (after is None or (day is not None and day >= after))
            and (not wanted or each.facts.format in wanted)
        )

    expected = [each.uri for each in rows if holds(each)]
    assert matching(Filters(tuple(folders), before=before, after=after, formats=tuple(wanted)), *rows) == expected


def test_many_threads_read_one_catalog() -> None:
    rows = [row(f"/{item % 7}/{item}.jpg", form="JPEG" if item % 2 else "PNG") for item in range(500)]

    def read(number: int) -> bool:
        for item in range(number, 500, 8):
            if opened.row(item) != rows[item] or opened.item(rows[item].uri) != item:
                return False
            if len(opened.matching(Filters(formats=("PNG",)))) != 250:
                return False
        return True

    with catalog(*rows) as opened, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))


def test_file_that_is_not_a_catalog_is_named_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 100)
    (tmp_path / "empty").write_bytes(b"")
    sqlite3.connect(tmp_path / "other").execute("CREATE TABLE x (y)").connection.close()
    for name in ("text", "empty", "other", "missing"):
        with pytest.raises(LibraryError, match=rf"{name} cannot be opened as a catalog: .*\. Publish again with index"):
            Catalog(tmp_path / name)
    assert not (tmp_path / "missing").exists()


def test_catalog_is_opened_by_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_catalog(Path("a?b#c%20.sqlite"), [row("/x")])
    assert Catalog(Path("a?b#c%20.sqlite")).row(0).uri == "/x"
