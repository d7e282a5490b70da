"""Capture dates: from EXIF in the forms that cameras, phones and messengers write, from file names and file times."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_FIRST_PHOTOGRAPH = 1826
_FIRST_FILE_TIME = datetime(1980, 1, 3, tzinfo=UTC).timestamp()  # one day and all time zones after FAT's start
_CLOCK_ERROR = 86_400.0  # seconds
# Date, then optionally a time, fractions of a second and an offset. Only digits and separators vary.
_EXIF = re.compile(
    r"\s*(?P<year>\d{4})[:/.\-](?P<month>\d{1,2})[:/.\-](?P<day>\d{1,2})"
    r"(?:[T ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?)?"
)
# IMG_20240601_101112.jpg, 2024-06-01 10.11.12.jpg, IMG-20240601-WA0001.jpg, PXL_20240601_101112345.jpg
_NAME = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<dash>[-_.]?)(?P<month>[01]\d)(?P=dash)(?P<day>[0-3]\d)"
    r"(?:[T _-]+(?:at )?(?P<hour>[0-2]\d)(?P<colon>[-_.:]?)(?P<minute>[0-5]\d)(?P=colon)(?P<second>[0-5]\d))?"
)


def parse_exif(text: Any) -> datetime | None:
    """Return the time that an EXIF field states, by the camera's clock. Return None if it states none.

    An offset from UTC is not applied, because filters compare days of the camera's clock.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    found = _EXIF.match(text.partition("\0")[0]) if isinstance(text, str) else None
    return _time(found) if found else None


def from_name(uri: str) -> datetime | None:
    """Return the date in a file's name, such as `IMG_20240601_101112.jpg`. Return None if there is none."""
    name = uri.rpartition("/")[2]
    return next((time for found in _NAME.finditer(name) if (time := _time(found))), None)


def from_file_time(modified: float | None) -> datetime | None:
    """Return a file's modification time by this machine's clock. Return None if it says nothing about the image.

    Archives and file systems that store no time give the start of their calendar, 1970 or 1980. A time in the future
    comes from a wrong clock.

    Args:
        modified: seconds since the epoch, None if not known.
    """
    if modified is None or not _FIRST_FILE_TIME < modified < datetime.now().timestamp() + _CLOCK_ERROR:
        return None
    return datetime.fromtimestamp(int(modified))


def _time(found: re.Match[str]) -> datetime | None:
    parts = {name: int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    # Some phones write midnight as hour 24 of the same day.
    hour = 0 if parts["hour"] == 24 else parts["hour"]
    try:
        time = datetime(parts["year"], parts["month"], parts["day"], hour, parts["minute"], min(parts["second"], 59))
    except ValueError:
        return None
    return time if time.year >= _FIRST_PHOTOGRAPH and time <= datetime.now() + timedelta(days=366) else None
