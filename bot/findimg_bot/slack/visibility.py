"""Finds out from which Slack channels a person may see pictures.

Pictures from public channels are for all full members of the workspace. Pictures from other channels are for the
members of that channel. Guests and people of other organisations see only pictures from channels that they are in.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from weakref import WeakValueDictionary

from cachetools import LRUCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from findimg.library.channels import NO_CHANNELS, Channels
from findimg_bot.errors import SLACK_ERRORS, access_error, slack_failure
from findimg_bot.slack_objects import SlackObject

_SECONDS = 60.0  # for which an answer of Slack is used again
_PAGE = 200  # channels in one answer
_MAX_CACHED = 10_000  # people
_OWN_KINDS = "public_channel,private_channel,mpim,im"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person who sees an answer, and the workspace in which that person sees it.

    `Person` is who caused the request, with that person's own workspace.
    """

    client: AsyncWebClient  # with the team's token
    team: str  # id of the workspace, or of the organisation for an org-wide installation
    user: str  # id; empty if Slack names nobody


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Slack answered about a person."""

    asked: float  # by the monotonic clock
    indexed: Channels  # which channels had pictures in the library then
    channels: Channels  # whose pictures the person may see


# Set for each request. Without it, no picture from Slack is visible.
current_viewer: ContextVar[Viewer | None] = ContextVar("current_viewer", default=None)
# Why the answer to this request leaves out pictures from Slack, as a sentence; empty if it does not.
left_out: ContextVar[str] = ContextVar("left_out", default="")


class Visibility:
    """Asks Slack who may see what. A person about whom Slack does not answer may see nothing."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}  # of the channels about which Slack answered, by id
        self._cache: LRUCache[tuple[str, str], _Answer] = LRUCache(_MAX_CACHED)
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()  # while in use

    async def of_viewer(self, indexed: Channels) -> Channels:
        """Return the ids of the channels whose pictures the viewer may see. Arguments as of `channels`."""
        viewer = current_viewer.get()
        return await self.channels(viewer, indexed) if viewer and viewer.user else NO_CHANNELS

    async def channels(self, viewer: Viewer, indexed: Channels) -> Channels:
        """Return the ids of the channels whose pictures a viewer may see.

        Args:
            viewer: the person.
            indexed: ids of the channels of which the library has pictures. If one is new, Slack is asked at once.
        """
        key = viewer.team, viewer.user
        async with self._locks.setdefault(key, asyncio.Lock()):
            known, now = self._cache.get(key), time.monotonic()
            if known and now - known.asked < _SECONDS and indexed <= known.indexed | known.channels:
                return known.channels
            try:
                found = await self._ask(viewer)
            except SLACK_ERRORS as error:
                left_out.set(f"Pictures from Slack are left out. {_reason(error)}")
                _log.warning("Pictures from Slack are hidden, because Slack does not say who may see them: %s", error)
                return NO_CHANNELS
            self._cache[key] = _Answer(now, indexed, found)
            return found

    def forget(self, team: str, user: str) -> None:
        """Ask Slack again about a person."""
        self._cache.pop((team, user), None)

    def forget_team(self, team: str) -> None:
        """Ask Slack again about everybody in a workspace."""
        for key in [key for key in self._cache if key[0] == team]:
            del self._cache[key]

    async def _ask(self, viewer: Viewer) -> Channels:
        client, team = viewer.client, viewer.team
        person = (await client.users_info(user=viewer.user))["user"]
        found = await all_channels(client.users_conversations, user=viewer.user, types=_OWN_KINDS, team_id=team)
        if _is_full_member(person, team):
            found |= await all_channels(client.conversations_list, types="public_channel", team_id=team)
        self.names |= found
        return frozenset(found)


def _reason(error: BaseException) -> str:
    """Return why Slack does not say who may see a picture, and what to do."""
    if isinstance(error, SlackApiError):
        return str(access_error(error))
    return f"{slack_failure(error)}. Try again in a minute."


def _is_full_member(person: SlackObject, team: str) -> bool:
    """Return whether a person is a member of the workspace and no guest."""
    if any(person.get(each) for each in ("deleted", "is_stranger", "is_restricted", "is_ultra_restricted")):
        return False
    grid = person.get("enterprise_user") or {}
    return team in (person.get("team_id"), grid.get("enterprise_id"), *(grid.get("teams") or ()))


async def all_channels(method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: str | None) -> dict[str, str]:
    """Return the names of the channels that a method of Slack's Web API lists, by id. Archived ones are left out."""
    found: dict[str, str] = {}
    cursor = ""
    while True:
        answer = await method(limit=_PAGE, cursor=cursor, exclude_archived=True, **arguments)
        found |= {str(channel["id"]): str(channel.get("name") or "") for channel in answer["channels"]}
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return found
