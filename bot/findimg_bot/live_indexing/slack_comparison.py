"""Compares the library with Slack, and finds pictures that were shared or deleted without an event."""

import asyncio
import time
from collections.abc import Callable, Set
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from findimg.library.channels import PicturePlace
from findimg_bot.live_indexing.slack_listing import channels_of, created_at, list_files
from findimg_bot.state.picture_changes import Action, PictureChanges


@dataclass(frozen=True, slots=True)
class IndexedPictures:
    """The channels of a workspace that are indexed, and the pictures that the live version has.

    Attributes:
        channels: ids of the channels whose pictures are to be indexed.
        pictures: the pictures in the live version.
    """

    channels: Set[str]
    pictures: Set[PicturePlace]


async def compare_with_slack(
    client: AsyncWebClient,
    changes: PictureChanges,
    team: str,
    indexed: IndexedPictures,
    is_full: bool,
    may_add: Callable[[PicturePlace], bool],
) -> None:
    """Store the changes of which the bot got no event.

    Args:
        client: with the team's token.
        changes: receives the changes.
        team: id of the workspace.
        indexed: what is indexed.
        is_full: whether to list all pictures, which finds deleted ones. Otherwise only new ones are listed.
        may_add: returns whether a picture may be added.
    """
    started = time.time()
    until = await asyncio.to_thread(changes.listed_until, team)
    is_full = is_full or until is None
    await asyncio.to_thread(changes.unhide_channels, team, indexed.channels, started)
    listed: set[PicturePlace] = set()
    newest = until or 0.0
    async for file in list_files(client, team, 0.0 if is_full else until or 0.0):
        newest = max(newest, created_at(file))
        places = {PicturePlace(team, channel, str(file["id"])) for channel in channels_of(file) & indexed.channels}
        listed |= places
        if new := [place for place in places - indexed.pictures if may_add(place)]:
            await asyncio.to_thread(changes.record, new, Action.ADD, found_at=started)
    if is_full:
        missing = indexed.pictures - listed
        # Slack lists files by page, so a file can slip from one page to the next while others are deleted. Check each.
        checked = [place for place in missing if place.channel in indexed.channels]
        closed = {PicturePlace(team, place.channel) for place in missing if place.channel not in indexed.channels}
        await asyncio.to_thread(changes.record, checked, Action.CHECK, found_at=started)
        await asyncio.to_thread(changes.record, closed, Action.REMOVE, found_at=started)
    await asyncio.to_thread(changes.set_listed_until, team, newest)
