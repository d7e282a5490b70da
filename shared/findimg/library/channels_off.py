"""The Slack channels in which a member switched indexing off. The library has them, so every run respects them."""

from pathlib import PurePosixPath

from findimg.library.channels import SLACK_PREFIX
from findimg.storage.base import Storage

_FOLDER = "channels/off"  # one empty object for each channel, <team>-<channel>


def switch_off(storage: Storage, team: str, channel: str) -> None:
    """Keep the pictures of a channel out of the library from the next run on."""
    storage.create(_key(team, channel), b"")


def switch_on(storage: Storage, team: str, channel: str) -> None:
    """Allow the pictures of a channel again."""
    storage.delete(_key(team, channel))


def channels_off(storage: Storage) -> frozenset[tuple[str, str]]:
    """Return the ids of the workspace and of the channel, for each channel that is off."""
    names = (PurePosixPath(entry.key).name.partition("-") for entry in storage.list(_FOLDER))
    return frozenset((team, channel) for team, _, channel in names)


def addresses_off(storage: Storage) -> tuple[str, ...]:
    """Return the addresses of the channels that are off."""
    return tuple(f"{SLACK_PREFIX}{team}/{channel}" for team, channel in sorted(channels_off(storage)))


def _key(team: str, channel: str) -> str:
    return f"{_FOLDER}/{team}-{channel}"
