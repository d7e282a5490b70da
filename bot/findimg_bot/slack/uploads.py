"""Images that people uploaded to Slack: finding the one that is meant, and bringing its bytes here safely."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import ImageError, QueryError
from findimg.images import LIMIT_BYTES

SLACK_API = "https://slack.com/api/"
_SLACK_FILES = "https://files.slack.com"
_SECONDS = 20.0
_CHUNK = 65536  # bytes
_FILE_LINK = re.compile(r"https://[\w.-]+/files/[A-Z0-9]+/(?P<file>F[A-Z0-9]+)(?:/\S*)?")
_FILE_HOST_LINK = re.compile(r"https://[\w.-]+/files-(?:pri|tmb)/[A-Z0-9]+-(?P<file>F[A-Z0-9]+)(?:-\w+)?/\S*")
_MESSAGE_LINK = re.compile(
    r"https://[\w.-]+/archives/(?P<channel>[A-Z0-9]+)/p(?P<seconds>\d{10})(?P<micros>\d{6})(?:\?\S*)?"
)
_NOT_SEEN = "I cannot see that image. Share it in this channel, and invite me with /invite if I am not here."

File = Mapping[str, Any]  # as Slack describes a file


def is_link(text: str) -> bool:
    """Whether a text is a link to a file or a message in Slack."""
    return any(pattern.fullmatch(text) for pattern in (_FILE_LINK, _FILE_HOST_LINK, _MESSAGE_LINK))


def image_among(files: Iterable[File] | None) -> File | None:
    """The first of some files that is an image, None when there is none."""
    return next((file for file in files or () if str(file.get("mimetype", "")).startswith("image/")), None)


async def find_linked(client: AsyncWebClient, link: str, user: str, channel: str) -> File:
    """The image that a link leads to, if the person who asks may see it.

    The bot is in channels that this person may not be in, so a link that somebody guessed or was sent shows nothing:
    the image must be the person's own, public in the workspace, or shared in the channel where it is asked about.

    Raises:
        QueryError: there is none, or this person may not see it.
    """
    if match := _FILE_LINK.fullmatch(link) or _FILE_HOST_LINK.fullmatch(link):
        file = await _info(client, match["file"])
    elif match := _MESSAGE_LINK.fullmatch(link):
        file = image_among(await _files_of(client, match["channel"], f"{match['seconds']}.{match['micros']}"))
        file = file and await _info(client, file["id"])
    else:
        raise QueryError("That is no link to an image in Slack: use Copy link in the image's menu.")
    if file is None or not _may_see(file, user, channel):
        raise QueryError(_NOT_SEEN)
    return file


async def find_newest(client: AsyncWebClient, channel: str) -> File | None:
    """The newest image in a channel, None when there is none or the bot is not there."""
    try:
        found = await client.files_list(channel=channel, types="images", count=1)
    except SlackApiError:
        return None
    return image_among(found["files"])


async def find_in_thread(client: AsyncWebClient, channel: str, thread: str) -> File | None:
    """The image of the message that a thread hangs on, None when it has none."""
    try:
        return image_among(await _files_of(client, channel, thread))
    except QueryError:
        return None


async def download(client: AsyncWebClient, file: File) -> bytes:
    """Brings an uploaded image here.

    The token goes to Slack's file server alone: whoever adds a remote file chooses its address.

    Args:
        client: with the team's token; its base_url says which Slack this is.

    Raises:
        ImageError: it lies elsewhere, is too large, or is no image; says what to do.
    """
    if file.get("mode") in ("external", "hidden_by_limit", "tombstone") or file.get("is_external"):
        raise ImageError("That image does not lie in Slack; upload it here, then ask again.")
    url = str(file.get("url_private_download") or file.get("url_private") or "")
    if not _is_trusted(url, client.base_url):
        raise ImageError("That image does not lie on Slack's file server; upload it here, then ask again.")
    _check_size(int(file.get("size") or 0))
    headers = {"Authorization": f"Bearer {client.token}"}
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(_SECONDS), trust_env=client.trust_env_in_session
            ) as session,
            session.get(
                url, headers=headers, allow_redirects=False, proxy=client.proxy, ssl=client.ssl or True
            ) as answer,
        ):
            if answer.status != 200:
                raise ImageError(f"Slack does not hand that image out: it answered {answer.status}. Try again.")
            # Without files:read Slack answers 200 and a page to log in.
            if answer.content_type.startswith("text/"):
                raise ImageError(
                    "Slack handed out a page instead of that image: the app lacks files:read, or its token is no "
                    "longer good. Whoever runs findimg can see more with findimg-bot doctor."
                )
            _check_size(answer.content_length or 0)
            data = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                data += chunk
                _check_size(len(data))
            return bytes(data)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ImageError("Slack's file server cannot be reached at the moment; try again in a minute.") from error


def _is_trusted(url: str, api_url: str) -> bool:
    expected = _SLACK_FILES if api_url == SLACK_API else api_url
    # The parser and the client must not disagree about where an address leads.
    if re.search(r"[\s\\@]", url):
        return False
    try:
        given, trusted = urlsplit(url), urlsplit(expected)
    except ValueError:
        return False
    return (given.scheme, given.netloc) == (trusted.scheme, trusted.netloc)


def _check_size(size: int) -> None:
    if size > LIMIT_BYTES:
        raise ImageError(
            f"That image has {size:,} bytes, more than the limit of {LIMIT_BYTES:,}; upload a smaller copy of it."
        )


def _may_see(file: File, user: str, channel: str) -> bool:
    places = [*file.get("channels", ()), *file.get("groups", ()), *file.get("ims", ())]
    return file.get("user") == user or bool(file.get("is_public")) or channel in places


async def _info(client: AsyncWebClient, name: str) -> File | None:
    try:
        answer = await client.files_info(file=name)
    except SlackApiError:
        return None
    return image_among([answer["file"]])


async def _files_of(client: AsyncWebClient, channel: str, timestamp: str) -> list[File]:
    """The files of one message."""
    try:
        answer = await client.conversations_replies(
            channel=channel, ts=timestamp, latest=timestamp, inclusive=True, limit=1
        )
    except SlackApiError as error:
        raise QueryError(_NOT_SEEN) from error
    return [file for message in answer["messages"] if message["ts"] == timestamp for file in message.get("files", ())]
