import time
from datetime import UTC, datetime

import pytest

from findimg.images.capture_date import from_file_time, from_name, parse_exif

MORNING = datetime(2025, 1, 8, 7, 18, 55)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025:01:08 07:18:55", MORNING),
        ("2025:01:08 07:18:55+0000", MORNING),
        ("2025:01:08 07:18:55+01:00", MORNING),
        ("2025:01:08T07:18:55Z", MORNING),
        ("2025:01:08 07:18:55.27", MORNING),
        ("2025/01/08 07:18:55", MORNING),
        ("2025-01-08 07:18:55", MORNING),
        ("2025:01:08 07:18:55\0\0\0x", MORNING),
        (b"2025:01:08 07:18:55", MORNING),
        ("2025:01:08 24:08:19", datetime(2025, 1, 8, 0, 8, 19)),
        ("2025:01:08 07:18", datetime(2025, 1, 8, 7, 18)),
        ("2025:01:08", datetime(2025, 1, 8)),
        ("2025:1:8 7:18:55", MORNING),
        ("2025:01:08 07:18:60", datetime(2025, 1, 8, 7, 18, 59)),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2025:13:08 07:18:55", None),
        ("2025:02:30 07:18:55", None),
        ("1700:01:01 00:00:00", None),
        ("9999:01:01 00:00:00", None),
        ("", None),
        (None, None),
        (20250108, None),
    ],
)
def test_exif_date_is_read_as_cameras_and_phones_write_it(text: object, expected: datetime | None) -> None:
    assert parse_exif(text) == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://bucket/IMG_20240601_101112.jpg", datetime(2024, 6, 1, 10, 11, 12)),
        ("/photos/IMG-20240601-WA0001.jpg", datetime(2024, 6, 1)),
        ("/photos/PXL_20240601_101112345.jpg", datetime(2024, 6, 1, 10, 11, 12)),
        ("/photos/2024-06-01 10.11.12.png", datetime(2024, 6, 1, 10, 11, 12)),
        ("/photos/2024-06-01 beach.jpg", datetime(2024, 6, 1)),
        ("/photos/Screenshot 2024-06-01 at 10.11.12.png", datetime(2024, 6, 1, 10, 11, 12)),
        ("/photos/20240601.jpg", datetime(2024, 6, 1)),
        ("/2024-06-01/image_0001.jpg", None),
        ("/photos/image_0001.jpg", None),
        ("/photos/20249901.jpg", None),
        ("/photos/1234567890123456.jpg", None),
        ("/photos/DSC20240.jpg", None),
    ],
)
def test_date_is_read_from_the_file_name(uri: str, expected: datetime | None) -> None:
    assert from_name(uri) == expected


def test_file_time_is_a_date_by_the_clock_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    midnight = datetime(2024, 6, 1, tzinfo=UTC).timestamp()
    try:
        for zone, expected in (("UTC", datetime(2024, 6, 1)), ("EST5", datetime(2024, 5, 31, 19))):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert from_file_time(midnight + 0.7) == expected
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("modified", [None, 0.0, 86_400.0, 315_532_800.0, 4_000_000_000.0, -1.0])
def test_file_time_that_says_nothing_is_no_date(modified: float | None) -> None:
    assert from_file_time(modified) is None
