"""Asks Slack for the pictures in channels."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.slack.pictures.image_files import SlackFile
from findimg_bot.slack.visibility import all_channels

_PAGE = 200  # files in one answer
_FEW = 5  # files that are asked for one by one. More are first looked up in the list of new files.
_OVERLAP = 600.0  # seconds. Slack lists a file some time after it was shared.
_GONE = ("file_deleted", "file_not_found")


@dataclass(slots=True)
class FileDescriptions:
    """What Slack says about some files."""

    files: dict[str, SlackFile] = field(default_factory=dict)  # by id
    gone: set[str] = field(default_factory=set)  # deleted, or in no channel with the bot
    unknown: set[str] = field(default_factory=set)  # Slack limits how often it is asked


async def list_channels(client: AsyncWebClient, team: str) -> frozenset[str]:
    """Return the ids of the channels with the bot, without archived ones and direct messages."""
    found = await all_channels(client.users_conversations, types="public_channel,private_channel", team_id=team)
    return frozenset(found)


async def list_files(client: AsyncWebClient, team: str, since: float = 0.0) -> AsyncIterator[SlackFile]:
    """Yield the images that the bot can see, the newest first.

    Args:
        since: leave out files that were created before, in seconds since the epoch.
    """
    page, pages = 1, 1
    while page <= pages:
        answer = await client.files_list(
            types="images", team_id=team, ts_from=str(max(0.0, since - _OVERLAP)), count=_PAGE, page=page
        )
        for file in answer["files"]:
            yield file
        pages = int(answer["paging"]["pages"])
        page += 1


async def describe_files(client: AsyncWebClient, team: str, ids: Iterable[str], since: float) -> FileDescriptions:
    """Ask Slack about files.

    Args:
        ids: ids of the files.
        since: when most of them were shared, in seconds since the epoch.
    """
    wanted = set(ids)
    found = FileDescriptions()
    if len(wanted) > _FEW:
        async for file in list_files(client, team, since):
            if file["id"] in wanted:
                found.files[file["id"]] = file
            if len(found.files) == len(wanted):
                break
    for name in sorted(wanted - found.files.keys()):
        try:
            found.files[name] = (await client.files_info(file=name))["file"]
        except SlackApiError as error:
            code = error.response.get("error")
            if code == "ratelimited":
                found.unknown = wanted - found.files.keys() - found.gone
                break
            if code not in _GONE:
                raise
            found.gone.add(name)
    return found


def channels_of(file: SlackFile) -> set[str]:
    """Return the ids of the channels in which a file is shared."""
    return {*(file.get("channels") or ()), *(file.get("groups") or ())}


def created_at(file: Mapping[str, object]) -> float:
    """Return when a file was created, in seconds since the epoch by Slack's clock."""
    return float(str(file.get("timestamp") or file.get("created") or 0))
