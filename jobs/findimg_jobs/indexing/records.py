"""The records that a listing of the sources consists of."""

from collections import Counter
from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Listing:
    """All images of the sources, in URI order, each image once."""

    images: list[SourceImage]
    failures: list[Failure] = field(default_factory=list)  # images without a valid name, and unreadable folders
    unreadable: tuple[str, ...] = ()  # folders that could not be listed
    archived: tuple[SourceImage, ...] = ()  # objects that S3 must restore before they can be read
    skipped: Counter[str] = field(default_factory=Counter)  # reason → number of files and folders
    empty_sources: tuple[str, ...] = ()  # roots of sources without an image
    roots: tuple[str, ...] = ()  # the sources' addresses; of a single image its folder
    folders: Mapping[str, FolderIdentity] = field(default_factory=dict)  # listed folders of this machine, by path


@dataclass(slots=True)
class Found:
    """What listing a part of the sources found. Parts are added up."""

    images: list[SourceImage] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    archived: list[SourceImage] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    libraries: set[str] = field(default_factory=set)  # findimg libraries, which are not listed
    folders: dict[str, FolderIdentity] = field(default_factory=dict)
    looked_into: int = 0  # objects whose first bytes were requested
    sidecars: dict[str, str] = field(default_factory=dict)  # versions of XMP files, by address

    def add(self, other: "Found") -> None:
        """Add another part."""
        self.images += other.images
        self.failures += other.failures
        self.unreadable += other.unreadable
        self.archived += other.archived
        self.skipped += other.skipped
        self.libraries |= other.libraries
        self.folders |= other.folders
        self.sidecars |= other.sidecars
        self.looked_into += other.looked_into
