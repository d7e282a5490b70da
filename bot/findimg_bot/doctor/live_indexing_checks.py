"""Checks of live indexing: the extra, the library, the scopes, the channels and how far it has caught up."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace

from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import SettingsError, StorageError
from findimg.library.channels import PicturePlace
from findimg.terminal import counted
from findimg_bot.doctor.setup import ProblemError, Setup
from findimg_bot.doctor.slack_checks import authenticate, check_scopes
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.live_indexing.library_writer import LibraryWriter
from findimg_bot.live_indexing.slack_listing import channels_of, created_at, list_channels, list_files
from findimg_bot.served_library import ServedLibrary
from findimg_bot.state.picture_changes import PictureChanges
from findimg_bot.state.store import Store

_LATE_SECONDS = 600.0  # a change that waits longer is a problem


async def check_extra(setup: Setup) -> str:
    """Check that this machine can add pictures to a library."""
    writer = LibraryWriter()
    try:
        await writer.check()
    finally:
        await writer.stop()
    return "The extra jobs is installed."


async def check_library_is_writable(setup: Setup) -> str:
    """Check that the bot may write to the library and delete from it."""
    uri, storage = setup.served_library.library.uri, setup.served_library.library.storage

    def check() -> str:
        key = f"runs/doctor-{secrets.token_hex(8)}"
        try:
            storage.write(key, b"written by findimg-bot doctor")
            storage.delete(key)
        except StorageError as error:
            raise StorageError(
                f"The bot cannot write to {uri}: {error} Live indexing needs the rights of infra/aws/iam-policy.json."
            ) from error
        return f"{uri} is writable."

    return await asyncio.to_thread(check)


async def check_channel_scopes(setup: Setup) -> str:
    """Check that the token has the scopes for pictures in channels."""
    check_scopes(await authenticate(setup), replace(setup.surfaces, channels=True, live=True))
    return "The token has the scopes for pictures in channels."


async def check_channels(setup: Setup) -> str:
    """Check that the token is of the workspace whose channels are indexed."""
    teams = await asyncio.to_thread(_indexed_workspaces, setup.served_library)
    answer = await authenticate(setup)
    team = answer["team_id"]
    if team not in teams:
        raise ProblemError(
            f"The library has the source slack://{teams[0]}, but the token is of {team}. Use the token of the "
            "workspace that is indexed."
        )
    async with _picture_changes(setup) as changes:
        indexed = await _indexed_channels(setup.client, changes, team, setup.settings.indexed_channels)
    return f"Pictures of {counted(len(indexed), 'channel')} of {team} are indexed."


async def check_catch_up(setup: Setup) -> str:
    """Check that no change in Slack waits for long."""
    await asyncio.to_thread(_indexed_workspaces, setup.served_library)
    team = str((await authenticate(setup))["team_id"])
    async with _picture_changes(setup) as changes:
        channels = await _indexed_channels(setup.client, changes, team, setup.settings.indexed_channels)
        waiting = await _waiting_since(setup, changes, team, channels)
    if not waiting:
        return f"The library has all pictures of {team}."
    seconds = time.time() - min(waiting)
    minutes = max(0, int(seconds // 60))
    text = f"{counted(len(waiting), 'change')} of pictures in {team} wait, the oldest for {counted(minutes, 'minute')}."
    if seconds > _LATE_SECONDS:
        raise SettingsError(f"{text} Start findimg-bot serve. If it runs, its log has the reason.")
    return text


async def _waiting_since(setup: Setup, changes: PictureChanges, team: str, channels: Collection[str]) -> list[float]:
    """Return since when each change of a picture waits for the library, as Unix times.

    Args:
        channels: ids of the channels whose pictures are indexed.
    """
    unapplied = await asyncio.to_thread(changes.unapplied, team)
    until = await asyncio.to_thread(changes.listed_until, team)
    indexed = await asyncio.to_thread(setup.served_library.slack_pictures, team)
    noticed = {change.place for change in unapplied}
    times = [change.noticed for change in unapplied]
    async for file in list_files(setup.client, team, until or 0.0):
        places = {PicturePlace(team, channel, str(file["id"])) for channel in channels_of(file) & set(channels)}
        # An earlier comparison handled older files.
        if created_at(file) > (until or 0.0) and places - indexed - noticed:
            times.append(created_at(file))
    return times


def _indexed_workspaces(served_library: ServedLibrary) -> list[str]:
    """Return the ids of the workspaces among the library's sources.

    Raises:
        FindimgError: there are none, or the library cannot be opened.
    """
    with served_library.lend_everything() as searcher:
        sources = searcher.manifest.sources
    slack = [source.removeprefix("slack://") for source in sources if source.startswith("slack://")]
    if not slack:
        raise SettingsError(
            f"{served_library.library.uri} has no source slack://TEAM. Run findimg-jobs index with this source and "
            "all others once."
        )
    return sorted({source.partition("/")[0] for source in slack})


async def _indexed_channels(
    client: AsyncWebClient, changes: PictureChanges, team: str, allowed: Collection[str]
) -> frozenset[str]:
    """Return the ids of the channels whose pictures are indexed.

    Args:
        allowed: the channels of FINDIMG_INDEX_CHANNELS, empty for all.

    Raises:
        SettingsError: there are none.
        SlackClientError: Slack refused.
    """
    joined = await list_channels(client, team)
    if not joined:
        raise SettingsError(f"findimg is a member of no channel of {team}. Invite it with /invite @findimg.")
    off = await asyncio.to_thread(changes.channels_off, team)
    indexed = frozenset(channel for channel in joined - off if not allowed or channel in allowed)
    if not indexed:
        raise SettingsError(
            f"Of the {counted(len(joined), 'channel')} of findimg in {team}, none is indexed: {len(off)} switched off "
            "by members, the others not in FINDIMG_INDEX_CHANNELS. Use /findimg on there, or change the setting."
        )
    return indexed


@asynccontextmanager
async def _picture_changes(setup: Setup) -> AsyncIterator[PictureChanges]:
    """Open the changes of pictures in the bot's state.

    Raises:
        ProblemError: the block fails because Slack refuses a call.
    """
    store = await asyncio.to_thread(Store, setup.settings.state)
    try:
        yield store.picture_changes
    except SLACK_ERRORS as error:
        raise ProblemError(f"The channels cannot be listed: {slack_failure(error)}. Check the scopes.") from error
    finally:
        await asyncio.to_thread(store.close)
