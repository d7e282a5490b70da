"""Decide which files and folders of a source are not the team's photographs.

The rules are applied in this order, and the first one that matches decides:

1. AppleDouble files (`._*`) are always skipped. They hold metadata of macOS, whatever their extension says.
2. `--include PATTERN` indexes files that another rule would skip.
3. `--exclude PATTERN` skips.
4. `.findimgignore` files skip, or index with `!PATTERN`. The file in the deepest folder decides.
5. The default rules skip hidden files and the folders of NAS systems, trash bins and synchronisation tools.

Patterns have the syntax of gitignore.
"""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from pathspec import GitIgnoreSpec

from findimg.errors import SettingsError

IGNORE_FILE = ".findimgignore"
IGNORE_FILE_BYTES = 1 << 20  # longer files are cut off
APPLE_DOUBLE = "._*"
_HIDDEN = ".*"
# Names, matched without regard to case. Hidden ones are listed for the report.
DEFAULT_NAMES = (
    # NAS systems: Synology, QNAP, Asustor, NetApp
    "@eaDir",
    "@tmp",
    "@Recycle",
    "@Recently-Snapshot",
    "@sharebin",
    "@Syno*",
    "#recycle",
    "#snapshot",
    "~snapshot",
    # trash bins and system folders
    "$RECYCLE.BIN",
    "RECYCLER",
    "System Volume Information",
    ".Trash-*",
    ".Trash",
    ".Trashes",
    # archives, previews and synchronisation
    "__MACOSX",
    ".thumbnails",
    ".stversions",
    "~syncthing~*",
    "*.lrdata",
    # version control
    ".git",
    ".svn",
    ".hg",
)
_DEFAULT = re.compile(
    "|".join(f"({fnmatch.translate(name.lower())})" for name in (*DEFAULT_NAMES, _HIDDEN)), re.IGNORECASE
)

# Apple Photos keeps the photographs in `originals`, and scaled copies in these folders.
_PHOTOS_LIBRARY = re.compile(
    r"(^|/)[^/]+\.photoslibrary/(database|external|internal|private|resources|scopes|Thumbnails)/$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SkipRules:
    """What the operator excludes and includes, in gitignore syntax."""

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()

    def check(self) -> None:
        """Check the patterns.

        Raises:
            SettingsError: a pattern is not valid.
        """
        for option, patterns in (("--exclude", self.exclude), ("--include", self.include)):
            for pattern in patterns:
                try:
                    GitIgnoreSpec.from_lines([pattern])
                except ValueError as error:
                    raise SettingsError(
                        f"{option} needs a pattern in gitignore syntax. Received: {pattern!r}."
                    ) from error


@dataclass(frozen=True, slots=True)
class FolderRules:
    """The rules that apply in one folder of a source."""

    rules: SkipRules
    # (folder below the source with a trailing slash, its patterns), the deepest folder last
    ignore_files: tuple[tuple[str, GitIgnoreSpec], ...] = field(default=())
    skipped_by: str | None = None  # the rule that skips this whole folder, except for what `--include` matches

    def with_ignore_file(self, folder: str, content: bytes) -> "FolderRules":
        """Return the rules for a folder that has a `.findimgignore` file.

        Args:
            folder: the folder below the source with a trailing slash. The source itself is empty.
            content: the file's first `IGNORE_FILE_BYTES`. Lines that are not valid patterns are ignored.
        """
        spec = parse_lines(content.decode("utf-8", "replace").splitlines())
        return replace(self, ignore_files=(*self.ignore_files, (folder, spec)))

    def includes(self, key: str) -> bool:
        """Return whether `--include` matches a path below the source."""
        return bool(self.rules.include) and _spec(self.rules.include).match_file(key)

    @property
    def searches_skipped_folders(self) -> bool:
        """Whether a skipped folder may hold files to index."""
        return bool(self.rules.include)

    def reason(self, key: str) -> str | None:
        """Return the rule that skips a file or folder, None if it is not skipped.

        The parents of `key` must have been checked before, except for the operator's patterns.

        Args:
            key: the path below the source. A folder ends with a slash.
        """
        name = key.rstrip("/").rpartition("/")[2]
        if name.startswith("._") and not key.endswith("/"):
            return APPLE_DOUBLE
        if self.includes(key):
            return None
        if self.skipped_by:
            return self.skipped_by
        if self.rules.exclude:
            result = _spec(self.rules.exclude).check_file(key)
            if result.include and result.index is not None:
                return f"--exclude {self.rules.exclude[result.index]}"
        for folder, spec in reversed(self.ignore_files):
            if key.startswith(folder):
                included = spec.check_file(key[len(folder) :]).include
                if included is not None:
                    return IGNORE_FILE if included else None
        return "*.photoslibrary" if _PHOTOS_LIBRARY.search(key) else default_rule(name)


def default_rule(name: str) -> str | None:
    """Return the default rule that skips a file or folder of this name, None if there is none."""
    found = _DEFAULT.match(name)
    return (*DEFAULT_NAMES, "hidden")[found.lastindex - 1] if found and found.lastindex else None


def parse_lines(lines: Iterable[str]) -> GitIgnoreSpec:
    """Return the patterns of a `.findimgignore` file. Lines that are not valid patterns are ignored."""
    valid = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        valid.append(line)
    return GitIgnoreSpec.from_lines(valid)


@lru_cache(maxsize=8)
def _spec(patterns: Sequence[str]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(patterns)
