"""The records that a listing of the sources consists of."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file beside an image that has captions for it."""

    uri: str
    version: str  # changes with the content; empty if it could not be read
    captions: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, order=True)
class SourceImage:
    """An image in a source, not decoded yet."""

    uri: str
    version: str  # changes with the content
    modified: float | None = field(default=None, compare=False)  # seconds since the epoch; None if not known
    sidecar: Sidecar | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """An image or a folder that cannot be read, and the reason."""

    uri: str
    version: str
    reason: str  # names neither a path nor a size, so that equal reasons can be counted
    transient: bool  # another attempt may succeed although the image did not change


@dataclass(frozen=True, slots=True)
class FolderIdentity:
    """Which folder a path led to. Another disk, or none, gives a path another identity."""

    inode: int
    mounted: bool  # on another device than the folder above it
