"""Members decide whether the pictures of their channel are indexed."""

import asyncio
import logging
from collections.abc import Callable

from findimg.errors import FindimgError
from findimg.library.channels import PicturePlace
from findimg.library.channels_off import channels_off, switch_off, switch_on
from findimg.storage.base import Storage
from findimg_bot.state.picture_changes import Action, PictureChanges

_PAUSE = 10.0  # seconds until the library is read again after an error
_log = logging.getLogger(__name__)


class ChannelSwitch:
    """Switches indexing off and on, in the bot's state and in the library."""

    def __init__(
        self,
        changes: PictureChanges,
        storage: Callable[[], Storage],
        wake: Callable[[], None],
        request_comparison: Callable[[], None],
    ):
        """Args:
        storage: returns the library's storage.
        wake: tells the indexer of this bot that there is something to remove.
        request_comparison: tells it to look for pictures to add.
        """
        self._changes = changes
        self._storage = storage
        self._wake = wake
        self._request_comparison = request_comparison

    async def load(self) -> None:
        """Take over the choices in the library, which an earlier state of the bot may have stored."""
        while True:
            try:
                for team, channel in await asyncio.to_thread(lambda: channels_off(self._storage())):
                    await asyncio.to_thread(self._changes.switch_indexing, team, channel, True)
                return
            except FindimgError as error:
                _log.warning("It is not known which channels are switched off: %s", error)
                await asyncio.sleep(_PAUSE)

    async def switch(self, team: str, channel: str, is_off: bool) -> bool:
        """Switch indexing off or on in a channel, and return whether that is a change.

        Pictures are hidden at once, and leave the library with the next change of the library.

        Raises:
            StorageError: the state or the library cannot be written. Pictures are then hidden rather than shown.
        """
        return await asyncio.to_thread(self._switch_off if is_off else self._switch_on, team, channel)

    def _switch_off(self, team: str, channel: str) -> bool:
        is_new = self._changes.switch_indexing(team, channel, True)
        switch_off(self._storage(), team, channel)
        if is_new:
            self._changes.record([PicturePlace(team, channel)], Action.REMOVE)
            self._wake()
        return is_new

    def _switch_on(self, team: str, channel: str) -> bool:
        switch_on(self._storage(), team, channel)
        is_new = self._changes.switch_indexing(team, channel, False)
        if is_new:
            self._changes.unhide(PicturePlace(team, channel))
            self._request_comparison()
        return is_new
