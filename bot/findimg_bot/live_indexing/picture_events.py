"""Records events about pictures in channels, and hides removed pictures at once."""

import asyncio
from collections.abc import Callable, Iterable

from findimg.library.channels import PicturePlace
from findimg_bot.state.picture_changes import Action, Pictures


class PictureEvents:
    """Receives events of Slack. The indexer of this bot or another one applies them to the library."""

    def __init__(self, pictures: Pictures, wake: Callable[[], None], catch_up: Callable[[], None]):
        """Args:
        wake: tells the indexer of this bot that there is something to do.
        catch_up: tells it to compare with Slack, which finds pictures whose event was lost.
        """
        self._pictures = pictures
        self._wake = wake
        self._catch_up = catch_up

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
        await asyncio.to_thread(self._pictures.show, PicturePlace(team, channel))
        self._catch_up()

    async def _notice(self, places: list[PicturePlace], action: Action) -> None:
        await asyncio.to_thread(self._pictures.notice, places, action)
        self._wake()
