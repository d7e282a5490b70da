from types import SimpleNamespace

import pytest

from findimg_jobs.tables import disk_tables
from findimg_jobs.tables.disk_tables import fetch_number


@pytest.mark.parametrize(
    ("message", "expected"), [("Query interrupted", KeyboardInterrupt), ("something else", RuntimeError)]
)
def test_query_that_a_signal_stopped_is_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, message: str, expected: type[BaseException]
) -> None:
    def cursor() -> None:
        raise RuntimeError(message)  # as DuckDB does

    database = SimpleNamespace(connection=SimpleNamespace(cursor=cursor))
    monkeypatch.setattr(disk_tables, "_database", lambda: database)
    with pytest.raises(expected):
        fetch_number("SELECT 1", {})
