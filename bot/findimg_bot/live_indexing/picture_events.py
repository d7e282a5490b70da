"""Records events about pictures in channels, and hides removed pictures at once."""

import asyncio
from collections.abc import Callable, Iterable

from findimg.library.channels import PicturePlace
from findimg_bot.state.picture_changes import Action, PictureChanges


class PictureEvents:
    """Receives events of Slack. The indexer of this bot or another one applies them to the library."""

    def __init__(self, changes: PictureChanges, wake: Callable[[], None], request_comparison: Callable[[], None]):
        """Args:
        wake: tells the indexer of this bot that there is something to do.
        request_comparison: tells it to compare with Slack, which finds pictures whose event was lost.
        """
        self._changes = changes
        self._wake = wake
        self._request_comparison = request_comparison

    async def shared(self, team: str, channel: str, file: str) -> None:
        """Note that a file was shared in a channel."""
        await self._notice([PicturePlace(team, channel, file)], Action.ADD)

    async def deleted(self, team: str, file: str) -> None:
        """Note that a file was deleted."""
        await self._notice([PicturePlace(team, file=file)], Action.REMOVE)

    async def message_deleted(self, team: str, channel: str, files: Iterable[str]) -> None:
        """Note that a message with files was deleted."""
        await self._notice([PicturePlace(team, channel, file) for file in files], Action.CHECK)

    async def channel_closed(self, team: str, channel: str) -> None:
        """Note that a channel was archived or deleted, or that the bot is no longer in it."""
        await self._notice([PicturePlace(team, channel)], Action.REMOVE)

    async def channel_opened(self, team: str, channel: str) -> None:
        """Note that the bot joined a channel, or that it is no longer archived."""
        await asyncio.to_thread(self._changes.unhide, PicturePlace(team, channel))
        self._request_comparison()

    async def _notice(self, places: list[PicturePlace], action: Action) -> None:
        await asyncio.to_thread(self._changes.record, places, action)
        self._wake()
