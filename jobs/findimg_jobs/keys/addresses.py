"""Compare the addresses of images and folders."""

from collections.abc import Sequence


def is_below(uri: str, roots: Sequence[str]) -> bool:
    """Return whether an address is one of `roots` or below it."""
    return any(uri == root or uri.startswith(f"{root.rstrip('/')}/") for root in roots)
