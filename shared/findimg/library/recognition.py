"""Recognise findimg libraries among other files, so that their files are not indexed."""

import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from findimg.library.layout import CURRENT

_VERSION_NAME = re.compile(rb"[0-9A-Za-z-]{1,100}\s*")
_PLAN = r"\d{8}T\d{12}Z-[0-9a-f]{4}\.parquet"
# Files that every library has, published or not.
_LIBRARY_FILE = re.compile(rf"(?P<library>.*?)/?(versions/[0-9A-Za-z-]+/manifest\.json|plans/{_PLAN})")


def is_library(
    names: AbstractSet[str], read: Callable[[str], bytes], list_names: Callable[[str], Iterable[str]]
) -> bool:
    """Return whether a folder is a library, published or not.

    Args:
        names: the names of the files and folders in it.
        read: returns the first bytes of one of these files.
        list_names: returns the names of the files in one of these folders.
    """
    if {CURRENT, "versions"} <= names:
        return bool(_VERSION_NAME.fullmatch(read(CURRENT)[:200]))
    # Before the first publish there is no CURRENT.
    if "plans" in names and names & {"embeddings", "LOCK"}:
        return any(re.fullmatch(_PLAN, name) for name in list_names("plans"))
    return False


def library_of(key: str) -> str | None:
    """Return the folder of the library that a file belongs to, None if the file does not show that it belongs to one.

    Args:
        key: the file's path with slashes. Only a manifest or a plan shows it.
    """
    match = _LIBRARY_FILE.fullmatch(key)
    return match["library"] if match else None
