"""Find functions that `findimg_jobs` offers to the other packages: entry points of the group `findimg.plugins`."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol, cast

from findimg.errors import LibraryError
from findimg.settings import Settings
from findimg.storage.base import Entry
from findimg.terminal import counted

PATIENCE = 300.0  # seconds to wait for another run that writes to the library


@dataclass(frozen=True, slots=True)
class AddReport:
    """What adding images to a library did.

    Attributes:
        version: the live version.
        images: number of images in it.
        added: addresses of the images that it has, and that the version before had not, or with other content.
        failures: address of each image that could not be read, and the reason.
    """

    version: str
    images: int
    added: tuple[str, ...]
    failures: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        """Return the report as lines of text for a person."""
        live = f"Version {self.version} with {counted(self.images, 'image')} is live."
        lines = [f"Added {counted(len(self.added), 'image')}. {live}"]
        return [*lines, *(f"Not added: {uri}: {reason}" for uri, reason in self.failures)]


class AddImages(Protocol):
    """Adds images to a library and publishes the result."""

    def __call__(self, settings: Settings, uris: Sequence[str], patience: float = PATIENCE) -> AddReport:
        """Add images, see `OpenedLibrary.add`."""


@dataclass(frozen=True, slots=True)
class Change:
    """Images that appeared in a library's sources, and images that disappeared from them.

    Attributes:
        added: the new images, as a listing of the source describes them.
        removed: addresses of images, and of folders all of whose images are removed.
    """

    added: tuple[Entry, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotAdded:
    """An image that could not be added.

    Attributes:
        uri: its address.
        reason: why.
        transient: whether another attempt may succeed.
    """

    uri: str
    reason: str
    transient: bool


class ApplyChange(Protocol):
    """Applies a change of the sources to a library, and publishes the result."""

    def __call__(self, settings: Settings, change: Change, patience: float = PATIENCE) -> tuple[NotAdded, ...]:
        """Add and remove images, and return those that could not be added.

        Images that the library has already, and removed images that it does not have, change nothing.

        Raises:
            LibraryError: the library would hold no image, or it was embedded with other weights.
            LockedError: another run is still writing after `patience` seconds.
            FindimgError: nothing was published.
        """


def find_add() -> AddImages:
    """Return the function that adds images.

    Raises:
        LibraryError: the package that has it is not installed.
    """
    return cast(AddImages, _find("add", "Adding images"))


def find_apply() -> ApplyChange:
    """Return the function that applies changes.

    Raises:
        LibraryError: the package that has it is not installed.
    """
    return cast(ApplyChange, _find("apply", "Indexing pictures from Slack at once"))


def _find(name: str, purpose: str) -> object:
    try:
        (found,) = entry_points(group="findimg.plugins", name=name)
        return found.load()
    except (ValueError, ImportError) as error:
        raise LibraryError(f"{purpose} needs findimg's extra jobs. Install it: pip install 'findimg[jobs]'.") from error
