"""Slack channels in which images of a library were posted. They decide who may see an image."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Channels = frozenset[str]  # ids of channels
NO_CHANNELS: Channels = frozenset()
SLACK_PREFIX = "slack://"  # of the addresses `slack://TEAM/CHANNEL/FILE/name`


class PicturePlace(NamedTuple):
    """Pictures from Slack that are hidden together.

    Attributes:
        team: id of the workspace.
        channel: id of the channel. Empty for a file in all channels.
        file: id of the file. Empty for all files of the channel.
    """

    team: str
    channel: str = ""
    file: str = ""

    def addresses(self, channels: Iterable[str]) -> list[str]:
        """Return the addresses of the pictures, as folders without a slash at the end.

        Args:
            channels: ids of the library's channels, for a file in all channels.
        """
        places = [self.channel] if self.channel else list(channels)
        return [f"{SLACK_PREFIX}{self.team}/{place}/{self.file}".rstrip("/") for place in places]


HiddenPictures = frozenset[PicturePlace]
NOTHING_HIDDEN: HiddenPictures = frozenset()


def channel_of(uri: str) -> str | None:
    """Return the id of the Slack channel in which an image was posted, None for an image from elsewhere."""
    return uri.removeprefix(SLACK_PREFIX).split("/")[1] if uri.startswith(SLACK_PREFIX) and uri.count("/") > 3 else None


def items_by_channel(uris: Iterable[tuple[int, str]]) -> dict[str, NDArray[np.int64]]:
    """Return the items of each Slack channel, int64[n], ascending.

    Args:
        uris: items with their addresses, in ascending order of the items.
    """
    found: dict[str, list[int]] = {}
    for item, uri in uris:
        if channel := channel_of(uri):
            found.setdefault(channel, []).append(item)
    return {channel: np.asarray(items, np.int64) for channel, items in found.items()}


def hidden_items(items: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return groups of hidden items as one array, int64[n], ascending, each item once."""
    groups = list(items)
    return np.unique(np.concatenate(groups)) if groups else np.empty(0, np.int64)
