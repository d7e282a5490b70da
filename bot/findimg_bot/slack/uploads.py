"""Images that people uploaded to Slack: finds the one that a question is about, and downloads it safely."""

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
_NOT_VISIBLE = (
    "That image is not visible to findimg. Share it in this channel, and invite findimg with /invite if it is not here."
)

SlackFile = Mapping[str, Any]  # a file object of Slack's Web API


def is_link(text: str) -> bool:
    """Return whether a text is a link to a file or a message in Slack."""
    return any(pattern.fullmatch(text) for pattern in (_FILE_LINK, _FILE_HOST_LINK, _MESSAGE_LINK))


def image_among(files: Iterable[SlackFile] | None) -> SlackFile | None:
    """Return the first image among files, None when there is none."""
    return next((file for file in files or () if str(file.get("mimetype", "")).startswith("image/")), None)


async def find_linked(client: AsyncWebClient, link: str, user: str, channel: str) -> SlackFile:
    """Return the image that a link leads to, if the person who asks may see it.

    The bot can read channels that this person is not in. So the image must be the person's own, public in the
    workspace, or shared in the channel of the question.

    Raises:
        QueryError: there is no image, or the person may not see it.
    """
    if match := _FILE_LINK.fullmatch(link) or _FILE_HOST_LINK.fullmatch(link):
        file = await _info(client, match["file"])
    elif match := _MESSAGE_LINK.fullmatch(link):
        file = image_among(await _files_of(client, match["channel"], f"{match['seconds']}.{match['micros']}"))
        file = file and await _info(client, file["id"])
    else:
        raise QueryError("That is not a link to an image in Slack. Use Copy link in the image's menu.")
    if file is None or not _may_see(file, user, channel):
        raise QueryError(_NOT_VISIBLE)
    return file


async def find_newest(client: AsyncWebClient, channel: str) -> SlackFile | None:
    """Return the newest image in a channel, None when there is none or the bot is not a member."""
    try:
        found = await client.files_list(channel=channel, types="images", count=1)
    except SlackApiError:
        return None
    return image_among(found["files"])


async def find_in_thread(client: AsyncWebClient, channel: str, thread: str) -> SlackFile | None:
    """Return the image of the message that starts a thread, None when it has none."""
    try:
        return image_among(await _files_of(client, channel, thread))
    except QueryError:
        return None


async def download(client: AsyncWebClient, file: SlackFile) -> bytes:
    """Return the bytes of an uploaded image.

    The token is sent to Slack's file server only, because the person who adds a remote file chooses its address.

    Args:
        client: with the team's token. Its base_url determines the file server.

    Raises:
        ImageError: the file is stored elsewhere, is too large, or cannot be downloaded.
    """
    if file.get("mode") in ("external", "hidden_by_limit", "tombstone") or file.get("is_external"):
        raise ImageError("That image is not stored in Slack. Upload it here, then ask again.")
    url = str(file.get("url_private_download") or file.get("url_private") or "")
    if not _is_trusted(url, client.base_url):
        raise ImageError("That image is not on Slack's file server. Upload it here, then ask again.")
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
                raise ImageError(f"Slack refused to send that image with status {answer.status}. Try again.")
            # Without files:read Slack answers with status 200 and its login page.
            if answer.content_type.startswith("text/"):
                raise ImageError(
                    "Slack sent a login page instead of that image: the app lacks files:read, or its token is invalid. "
                    "The operator of findimg can find the cause with findimg-bot doctor."
                )
            _check_size(answer.content_length or 0)
            data = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                data += chunk
                _check_size(len(data))
            return bytes(data)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ImageError("Slack's file server cannot be reached. Try again in a minute.") from error


def _is_trusted(url: str, api_url: str) -> bool:
    expected = _SLACK_FILES if api_url == SLACK_API else api_url
    # Refuse characters that the parser and the HTTP client could read differently.
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
            f"That image has {size:,} bytes, more than the limit of {LIMIT_BYTES:,}. Upload a smaller copy."
        )


def _may_see(file: SlackFile, user: str, channel: str) -> bool:
    places = [*file.get("channels", ()), *file.get("groups", ()), *file.get("ims", ())]
    return file.get("user") == user or bool(file.get("is_public")) or channel in places


async def _info(client: AsyncWebClient, name: str) -> SlackFile | None:
    try:
        answer = await client.files_info(file=name)
    except SlackApiError:
        return None
    return image_among([answer["file"]])


async def _files_of(client: AsyncWebClient, channel: str, timestamp: str) -> list[SlackFile]:
    """Return the files of one message."""
    try:
        answer = await client.conversations_replies(
            channel=channel, ts=timestamp, latest=timestamp, inclusive=True, limit=1
        )
    except SlackApiError as error:
        raise QueryError(_NOT_VISIBLE) from error
    return [file for message in answer["messages"] if message["ts"] == timestamp for file in message.get("files", ())]
