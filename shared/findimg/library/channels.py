"""Slack channels in which images of a library were posted. They decide who may see an image."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Channels = frozenset[str]  # ids of channels
NO_CHANNELS: Channels = frozenset()
PREFIX = "slack://"  # of the addresses `slack://TEAM/CHANNEL/FILE/name`


def channel_of(uri: str) -> str | None:
    """Return the id of the Slack channel in which an image was posted, None for an image from elsewhere."""
    return uri.removeprefix(PREFIX).split("/")[1] if uri.startswith(PREFIX) and uri.count("/") > 3 else None


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


def hidden_items(channels: Mapping[str, NDArray[np.int64]], visible: Channels) -> NDArray[np.int64]:
    """Return the items of all channels that are not visible, int64[n], ascending."""
    hidden = [items for channel, items in channels.items() if channel not in visible]
    return np.sort(np.concatenate(hidden)) if hidden else np.empty(0, np.int64)
