"""Find functions that other packages offer to `findimg.api`: entry points of the group `findimg.plugins`."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol, cast

from findimg.errors import LibraryError
from findimg.settings import Settings
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


class Add(Protocol):
    """Adds images to a library and publishes the result."""

    def __call__(self, settings: Settings, uris: Sequence[str], patience: float = PATIENCE) -> AddReport:
        """Add images, see `OpenedLibrary.add`."""


def find_add() -> Add:
    """Return the function that adds images.

    Raises:
        LibraryError: the package that has it is not installed.
    """
    try:
        (found,) = entry_points(group="findimg.plugins", name="add")
        return cast(Add, found.load())
    except (ValueError, ImportError) as error:
        raise LibraryError(
            "Adding images needs findimg's extra jobs. Install it: pip install 'findimg[jobs]'."
        ) from error
