"""Compare the addresses of images and folders, and check that they can be stored."""

from collections.abc import Sequence


def is_below(uri: str, roots: Sequence[str]) -> bool:
    """Return whether an address is one of `roots` or below it."""
    return any(uri == root or uri.startswith(f"{root.rstrip('/')}/") for root in roots)


def is_utf8(name: str) -> bool:
    """Return whether a name can be written to Parquet, SQLite and JSON. File systems allow other bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """Return a name with replacement characters for bytes that are not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
