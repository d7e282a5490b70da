"""The result of listing sources: of all of them, and of a part."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from findimg_jobs.tables.addresses import is_utf8, printable
from findimg_jobs.tables.disk_tables import DiskTable
from findimg_jobs.tables.image_table import ImageBatches, ImageTable
from findimg_jobs.tables.source_records import Failure, FolderIdentity, SourceImage


@dataclass(frozen=True, slots=True)
class Listing:
    """All images of the sources."""

    images: ImageTable
    failures: list[Failure] = field(default_factory=list)  # images without a valid name, and unreadable folders
    unreadable: tuple[str, ...] = ()  # folders that could not be listed
    # Objects that must be restored before they can be read.
    archived: ImageTable = field(default_factory=lambda: ImageTable.of(()))
    skipped: Counter[str] = field(default_factory=Counter)  # reason → number of files and folders
    empty_sources: tuple[str, ...] = ()  # roots of sources without an image
    roots: tuple[str, ...] = ()  # the sources' addresses; of a single image its folder
    folders: Mapping[str, FolderIdentity] = field(default_factory=dict)  # listed folders of this machine, by path
    extensionless_checks: DiskTable | None = None  # which objects without an extension are images


@dataclass(slots=True)
class PartialListing:
    """What listing a part of the sources found. Parts are added up."""

    images: ImageBatches = field(default_factory=ImageBatches)
    failures: list[Failure] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    archived: ImageBatches = field(default_factory=ImageBatches)
    skipped: Counter[str] = field(default_factory=Counter)
    libraries: set[str] = field(default_factory=set)  # findimg libraries, which are not listed
    folders: dict[str, FolderIdentity] = field(default_factory=dict)
    extensionless: ImageBatches = field(default_factory=ImageBatches)  # objects whose content tells what they are
    sidecars: ImageBatches = field(default_factory=ImageBatches)  # XMP files, with their etags

    def add_image(self, image: SourceImage) -> None:
        """Add an image, or a failure if its name cannot be stored."""
        if is_utf8(image.uri):
            self.images.append(image)
        else:
            reason = "The name is not valid UTF-8. Rename the file."
            self.failures.append(Failure(printable(image.uri), image.etag, reason, transient=False))

    def add_sidecar(self, uri: str, etag: str) -> None:
        """Add an XMP file. One whose name cannot be stored belongs to no image that can be."""
        if is_utf8(uri):
            self.sidecars.append(SourceImage(uri, etag))

    def is_empty(self) -> bool:
        """Return whether nothing was found, neither an image nor anything that was left out."""
        batches = (self.images, self.archived, self.extensionless, self.sidecars)
        others = (self.failures, self.unreadable, self.skipped, self.libraries)
        return all(each.is_empty() for each in batches) and not any(others)

    def add(self, other: "PartialListing") -> None:
        """Add another part."""
        self.images.add(other.images)
        self.failures += other.failures
        self.unreadable += other.unreadable
        self.archived.add(other.archived)
        self.skipped += other.skipped
        self.libraries |= other.libraries
        self.folders |= other.folders
        self.sidecars.add(other.sidecars)
        self.extensionless.add(other.extensionless)
