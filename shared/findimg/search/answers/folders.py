"""Suggestions for a folder in a filter that the library does not have."""

import re
from collections.abc import Sequence

from rapidfuzz import fuzz, process

from findimg.library.catalog_filters import fold
from findimg.search.query.pieces import quoted
from findimg.text.enumeration import enumerated

_SUGGESTED = 3
_LEAST = 60  # minimum similarity of a suggestion's name, of 100
_PLAIN = re.compile(r"[\w./-]+")  # folders that need no quotes


def nearest_folders(wanted: str, folders: Sequence[str]) -> str:
    """Return a sentence that names the existing folders nearest to one that does not exist.

    Args:
        wanted: part of a folder's path, as `fold` gives it.
        folders: paths of all folders.
    """
    # Compare as many names at the end of each path as `wanted` has.
    names = wanted.strip("/").count("/") + 1
    tails = dict.fromkeys("/".join(folder.strip("/").split("/")[-names:]) for folder in folders)
    tails.pop("", None)
    folded = {tail: fold(tail) for tail in tails}
    found = process.extract(wanted.strip("/"), folded, scorer=fuzz.ratio, limit=_SUGGESTED, score_cutoff=_LEAST)
    note = f"No folder has '{wanted}' in its path."
    if not found:
        return note
    written = [f"in:{tail if _PLAIN.fullmatch(tail) else quoted(tail)}" for _, _, tail in found]
    return f"{note} Try {enumerated(written, 'or')}."
