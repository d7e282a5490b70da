from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from findimg.text.typed.dates import Period, read_period, read_range

TODAY = date(2026, 11, 26)  # a Thursday


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2020", "2020-01-01", "2020-12-31"),
        ("2024-06", "2024-06-01", "2024-06-30"),
        ("2024-6", "2024-06-01", "2024-06-30"),
        ("2024/12", "2024-12-01", "2024-12-31"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("2024/2/9", "2024-02-09", "2024-02-09"),
        ("2024.02.09", "2024-02-09", "2024-02-09"),
        ("24.12.2023", "2023-12-24", "2023-12-24"),
        ("24/12/2023", "2023-12-24", "2023-12-24"),
        ("12/24/2023", "2023-12-24", "2023-12-24"),
        ("5/5/2023", "2023-05-05", "2023-05-05"),
        ("June", "2026-06-01", "2026-06-30"),
        ("december", "2025-12-01", "2025-12-31"),
        ("NOV", "2026-11-01", "2026-11-30"),
        ("sept", "2026-09-01", "2026-09-30"),
        ("may", "2026-05-01", "2026-05-31"),
        ("June 2024", "2024-06-01", "2024-06-30"),
        ("jun-2024", "2024-06-01", "2024-06-30"),
        ("june2024", "2024-06-01", "2024-06-30"),
        ("2024 June", "2024-06-01", "2024-06-30"),
        ("1 June 2024", "2024-06-01", "2024-06-01"),
        ("1st of June 2024", "2024-06-01", "2024-06-01"),
        ("June 3rd, 2024", "2024-06-03", "2024-06-03"),
        ("jun 3", "2026-06-03", "2026-06-03"),
        ("27 november", "2025-11-27", "2025-11-27"),
        ("26 november", "2026-11-26", "2026-11-26"),
        ("today", "2026-11-26", "2026-11-26"),
        ("Yesterday", "2026-11-25", "2026-11-25"),
        ("thursday", "2026-11-26", "2026-11-26"),
        ("fri", "2026-11-20", "2026-11-20"),
        ("this week", "2026-11-23", "2026-11-29"),
        ("last week", "2026-11-16", "2026-11-22"),
        ("last-month", "2026-10-01", "2026-10-31"),
        ("lastyear", "2025-01-01", "2025-12-31"),
        ("this year", "2026-01-01", "2026-12-31"),
        ("3 days ago", "2026-11-23", "2026-11-23"),
        ("a week ago", "2026-11-19", "2026-11-19"),
        ("2-weeks-ago", "2026-11-12", "2026-11-12"),
        ("11 months ago", "2025-12-01", "2025-12-31"),
        ("one year ago", "2025-01-01", "2025-12-31"),
    ],
)
def test_period_is_parsed(text: str, first: str, last: str) -> None:
    expected = Period(date.fromisoformat(first), date.fromisoformat(last) + timedelta(1))
    assert read_period(text, TODAY) == expected


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2024-13", "2023-02-29", "31 June", "3/4/2024", "junebug", "9999 years ago", "24", "0000", "٢٠٢٤-٠٦x"],
)
def test_text_without_a_date_is_not_parsed(text: str) -> None:
    assert read_period(text, TODAY) is None
    assert read_range(text, TODAY) is None


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("2024-06-01..2024-07-01", date(2024, 6, 1), date(2024, 7, 2)),
        ("2020..2022", date(2020, 1, 1), date(2023, 1, 1)),
        ("2020-2022", date(2020, 1, 1), date(2023, 1, 1)),
        ("june..yesterday", date(2026, 6, 1), date(2026, 11, 26)),
        ("2020..", date(2020, 1, 1), None),
        ("..2020-03", None, date(2020, 4, 1)),
        ("2020...2021", date(2020, 1, 1), date(2022, 1, 1)),
        ("2024", date(2024, 1, 1), date(2025, 1, 1)),
    ],
)
def test_range_includes_both_periods(text: str, first: date | None, end: date | None) -> None:
    assert read_range(text, TODAY) == (first, end)


@pytest.mark.parametrize("text", ["..", "2022..2020", "2020..x", "x..2020", "2022-2020"])
def test_invalid_range_is_not_parsed(text: str) -> None:
    assert read_range(text, TODAY) is None


@given(st.dates(), st.dates())
def test_any_iso_date_is_parsed(day: date, today: date) -> None:
    period = read_period(day.isoformat(), today)
    assert period is not None
    assert period.start == day


pieces = st.sampled_from(["2024", "june", "1", "31", "ago", "days", "last", "week", "..", "-", "/", " ", "of", "99999"])


@given(st.lists(pieces | st.text(max_size=3), max_size=6).map("".join), st.dates())
def test_any_text_gives_a_range_or_none(text: str, today: date) -> None:
    dates = read_range(text, today)
    assert dates is None or dates != (None, None)
