"""Filters as conditions on the catalog: an image's folder, file name, date and format.

To add a filter:

- Add its fields to `Filters` (and to `dated` if it leaves out images without a date), and its condition to
  `sql_condition`. Parameters are strings. Compare a number with
  `CAST(? AS INTEGER)`, because SQLite only converts strings beside a bare column.
- Add its name to `FIELDS` of `findimg.search.query.filters`, and follow the comment there.

The columns of the catalog are those of `findimg.library.catalog` and the facts that `findimg.images.facts` declares. A
fact that a later release added is NULL for images that were indexed before. The docstring of `ImageFacts` says what the
condition then means.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from findimg.text.lexicon.folding import fold_accents
from findimg.text.typed.normalise import plain_characters


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that must all hold. An empty one always holds. They are hashable, because matches are cached.

    Folders and names are parts of the text that they are compared with, in the form that `fold` gives. A folder is
    compared with the path of an image's folder, which begins and ends with a slash: `cup` is in `/photos/World Cup/`,
    `/cup/` is not.
    """

    folders: tuple[str, ...] = ()
    not_folders: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    not_names: tuple[str, ...] = ()
    before: date | None = None  # taken before this day
    after: date | None = None  # taken on this day or later
    formats: tuple[str, ...] = ()  # Pillow's names; any one of them
    not_formats: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != NO_FILTERS

    @property
    def dated(self) -> bool:
        """Whether an image without a date is left out."""
        return self.before is not None or self.after is not None


NO_FILTERS = Filters()
# The folder of an image's URI, with a slash at both ends. rtrim takes all characters that are no slash from the end.
FOLDER = "'/' || rtrim(uri, replace(uri, '/', ''))"
_NAME = "substr(uri, length(rtrim(uri, replace(uri, '/', ''))) + 1)"


def fold(text: str) -> str:
    """Return the form in which folder and file names are compared: `ÉTÉ “x”`, in any Unicode form, is `ete "x"`."""
    return fold_accents(unicodedata.normalize("NFKC", plain_characters(text).casefold()))


def name_part(text: str) -> str:
    """Return the part of a file name that a person means by `beach`, `*.jpg` or `IMG_*`."""
    return fold(text).strip("*")


def folder_part(text: str) -> str:
    """Return the part of a folder's path that a person means, as typed for a shell: `./a`, `~/a` and `a//` are in `a`.

    The home folder is that of another machine, perhaps, so `~` stands for any folder.
    """
    part = name_part(text)
    if "://" not in part:
        part = re.sub("/+", "/", part)
    return re.sub(r"^[.~](?=/)", "", part)


def sql_condition(filters: Filters) -> tuple[str, list[str]]:
    """Return the condition of some filters on the catalog's table of images, and its parameters.

    It calls the SQL function `fold`, which the catalog defines.
    """
    conditions: list[str] = []
    values: list[str] = []
    for text, parts, found in (
        (FOLDER, filters.folders, ""),
        (FOLDER, filters.not_folders, "NOT "),
        (_NAME, filters.names, ""),
        (_NAME, filters.not_names, "NOT "),
    ):
        for part in parts:
            # Python folds only what SQLite's lower() cannot: that is 20 times faster for printable ASCII.
            conditions.append(
                f"{found}CASE WHEN uri GLOB '*[^ -_a-~]*' THEN instr(fold({text}), ?) ELSE instr(lower({text}), ?) END"
            )
            values += [part, part]
    if filters.before:
        conditions.append("taken < ?")
        values.append(filters.before.isoformat())
    if filters.after:
        conditions.append("taken >= ?")
        values.append(filters.after.isoformat())
    for formats, found in ((filters.formats, "IN"), (filters.not_formats, "NOT IN")):
        if formats:
            conditions.append(f"format {found} ({', '.join('?' * len(formats))})")
            values.extend(formats)
    return " AND ".join(conditions) or "1", values
