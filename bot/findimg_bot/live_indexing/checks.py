"""What the doctor checks of live indexing."""

import asyncio
import secrets
import time
from collections.abc import Collection

from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import SettingsError, StorageError
from findimg.library.channels import PicturePlace
from findimg.storage.base import Storage
from findimg.terminal import counted
from findimg_bot.live_indexing.library_writer import LibraryWriter
from findimg_bot.live_indexing.slack_listing import channels_of, created, list_channels, list_files
from findimg_bot.live_library import LiveLibrary
from findimg_bot.state.picture_changes import PictureChanges

_LATE_SECONDS = 600.0  # a change that waits longer is a problem


async def check_extra() -> str:
    """Check that this machine can add pictures to a library.

    Raises:
        FindimgError: a package is missing.
    """
    writer = LibraryWriter()
    try:
        await writer.check()
    finally:
        await writer.stop()
    return "The extra jobs is installed."


def check_writable(storage: Storage, uri: str) -> str:
    """Check that the bot may write to the library and delete from it.

    Raises:
        StorageError: it may not.
    """
    key = f"runs/doctor-{secrets.token_hex(8)}"
    try:
        storage.write(key, b"written by findimg-bot doctor")
        storage.delete(key)
    except StorageError as error:
        raise StorageError(
            f"The bot cannot write to {uri}: {error} Live indexing needs the rights of infra/aws/iam-policy.json."
        ) from error
    return f"{uri} is writable."


def workspaces(live: LiveLibrary) -> list[str]:
    """Return the ids of the workspaces among the library's sources.

    Raises:
        FindimgError: there are none, or the library cannot be opened.
    """
    with live.lease(None) as searcher:
        sources = searcher.manifest.sources
    slack = [source.removeprefix("slack://") for source in sources if source.startswith("slack://")]
    if not slack:
        raise SettingsError(
            f"{live.library.uri} has no source slack://TEAM. Run findimg-jobs index with this source and all others "
            "once."
        )
    return sorted({source.partition("/")[0] for source in slack})


async def indexed_channels(
    client: AsyncWebClient, pictures: PictureChanges, team: str, allowed: Collection[str]
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
    off = await asyncio.to_thread(pictures.channels_off, team)
    indexed = frozenset(channel for channel in joined - off if not allowed or channel in allowed)
    if not indexed:
        raise SettingsError(
            f"Of the {counted(len(joined), 'channel')} of findimg in {team}, none is indexed: {len(off)} switched off "
            "by members, the others not in FINDIMG_INDEX_CHANNELS. Use /findimg on there, or change the setting."
        )
    return indexed


async def check_lag(
    client: AsyncWebClient, pictures: PictureChanges, live: LiveLibrary, team: str, channels: Collection[str]
) -> str:
    """Check that the library has the pictures in channels.

    Args:
        channels: ids of the channels whose pictures are indexed.

    Raises:
        SettingsError: changes wait for a long time.
        SlackClientError: Slack refused.
    """
    now = time.time()
    waiting = await asyncio.to_thread(pictures.unapplied, team)
    until = await asyncio.to_thread(pictures.listed_until, team)
    indexed = await asyncio.to_thread(live.slack_pictures, team)
    noticed = {change.place for change in waiting}
    oldest = [change.noticed for change in waiting]
    async for file in list_files(client, team, until or 0.0):
        places = {PicturePlace(team, channel, str(file["id"])) for channel in channels_of(file) & set(channels)}
        # An earlier comparison handled older files.
        if created(file) > (until or 0.0) and places - indexed - noticed:
            oldest.append(created(file))
    if not oldest:
        return f"The library has all pictures of {team}."
    minutes = max(0, int((now - min(oldest)) // 60))
    text = f"{counted(len(oldest), 'change')} of pictures in {team} wait, the oldest for {counted(minutes, 'minute')}."
    if now - min(oldest) > _LATE_SECONDS:
        raise SettingsError(f"{text} Start findimg-bot serve. If it runs, its log has the reason.")
    return text
