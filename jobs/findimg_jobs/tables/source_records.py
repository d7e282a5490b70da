"""Records of what is in sources: images, sidecars, folders, and failures to read them.

Tables, SQL and stored files have an etag in a column that is called `version`, as in older releases. It is never a
version of the library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file beside an image that has captions for it."""

    uri: str
    etag: str  # see `findimg.storage.base.Entry`; empty if the file could not be read
    captions: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, order=True)
class SourceImage:
    """An image in a source, not decoded yet."""

    uri: str
    etag: str  # see `findimg.storage.base.Entry`
    modified: float | None = field(default=None, compare=False)  # seconds since the epoch; None if not known
    sidecar: Sidecar | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """An image or a folder that cannot be read, and the reason."""

    uri: str
    etag: str
    reason: str  # names neither a path nor a size, so that equal reasons can be counted
    transient: bool  # another attempt may succeed although the image did not change

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Return the failure that `row` made."""
        return cls(row["uri"], row["version"], row["reason"], row["transient"])

    def row(self) -> dict[str, Any]:
        """Return the failure as a row of a table or of a file."""
        return {"uri": self.uri, "version": self.etag, "reason": self.reason, "transient": self.transient}


@dataclass(frozen=True, slots=True)
class FolderIdentity:
    """Which folder a path led to. Another disk, or none, gives a path another identity."""

    inode: int
    mounted: bool  # on another device than the folder above it
