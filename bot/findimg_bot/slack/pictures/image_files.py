"""Images that people uploaded to Slack: finds those of a message, a link or a channel, and checks who may see them."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import ImageError, QueryError
from findimg.search.query.filters import FORMATS
from findimg_bot.errors import access_error
from findimg_bot.slack_objects import SlackObject

_FILE_LINK = re.compile(r"https://[\w.-]+/files/[A-Z0-9]+/(?P<file>F[A-Z0-9]+)(?:/\S*)?")
_FILE_HOST_LINK = re.compile(r"https://[\w.-]+/files-(?:pri|tmb)/[A-Z0-9]+-(?P<file>F[A-Z0-9]+)(?:-\w+)?/\S*")
_MESSAGE_LINK = re.compile(
    r"https://[\w.-]+/archives/(?P<channel>[A-Z0-9]+)/p(?P<seconds>\d{10})(?P<micros>\d{6})(?:\?\S*)?"
)
_NOT_VISIBLE = (
    "That image is not visible to findimg. Share it in this channel, and invite findimg with /invite if it is not here."
)
_UNUSABLE = {
    "tombstone": "That file was deleted from Slack. Upload it again.",
    "hidden_by_limit": "Slack hides that file, because the workspace has reached its storage limit. Upload it again.",
}
_NO_TYPE = ("", "application/octet-stream", "binary/octet-stream")  # of a file whose type is not known
_NOT_FOUND = {
    "channel_not_found",
    "file_deleted",
    "file_not_found",
    "message_not_found",
    "not_in_channel",
    "thread_not_found",
}
_THREAD_MESSAGES = 100  # Slack gives 15 to apps that are distributed outside its Marketplace
ONLY_SLACK = "I can look only at pictures in Slack. Upload the picture here, or send a link to one that is in Slack."
_WAITS = (0.2, 0.4, 0.8)  # seconds between requests for the type of a file that Slack still scans

SlackFile = SlackObject  # a file object of Slack's Web API


def is_link(text: str) -> bool:
    """Return whether a text is a link to a file or a message in Slack."""
    return any(pattern.fullmatch(text) for pattern in (_FILE_LINK, _FILE_HOST_LINK, _MESSAGE_LINK))


def image_among(files: Iterable[SlackFile] | None) -> SlackFile | None:
    """Return the first image among files, None when there is none."""
    return next((file for file in files or () if _is_image(file)), None)


def blocks_of(message: SlackObject) -> list[SlackObject]:
    """Return the blocks of a message, of the messages that it forwards, and of its links' previews."""
    blocks = list(message.get("blocks") or ())
    for attachment in message.get("attachments") or ():
        for forwarded in attachment.get("message_blocks") or ():
            blocks += (forwarded.get("message") or {}).get("blocks") or ()
        blocks += attachment.get("blocks") or ()
    return blocks


async def images_of(client: AsyncWebClient, message: SlackObject) -> list[SlackFile]:
    """Return the images of a message and of the messages that it forwards: its files, and large ones in its blocks.

    An event may describe a file without its type, or not at all. Then Slack is asked for it, for a short time.

    Raises:
        ImageError: the message has files but no image, and one of them was deleted or is hidden.
        QueryError: findimg may not see the only files, or the only image is at an address on the web.
        SlackAccessError: Slack refuses to describe the only files.
    """
    attached = [attachment.get("files") or () for attachment in message.get("attachments") or ()]
    pictures = [block for block in blocks_of(message) if block.get("type") == "image"]
    shown = [block["slack_file"] for block in pictures if "id" in block.get("slack_file", ())]
    groups = (message.get("files") or (), *attached, shown)
    files = {file["id"]: file for group in groups for file in group if "id" in file}
    described = await asyncio.gather(*(_describe(client, file) for file in files.values()), return_exceptions=True)
    for each in described:
        if isinstance(each, BaseException) and not isinstance(each, SlackApiError):
            raise each
    found = [each for each in described if not isinstance(each, BaseException) and _is_image(each)]
    if not found:
        for file in described:
            if isinstance(file, SlackApiError):
                code = file.response.get("error")
                raise (
                    QueryError(_NOT_VISIBLE) if code in ("file_not_found", "file_deleted") else access_error(file)
                ) from file
            if not isinstance(file, BaseException):
                if file.get("file_access") == "access_denied":
                    raise QueryError(_NOT_VISIBLE)
                if reason := _UNUSABLE.get(str(file.get("mode"))):
                    raise ImageError(reason)
        if not files and any(_has_web_image(each) for each in (*pictures, *(message.get("attachments") or ()))):
            raise QueryError(ONLY_SLACK)
    return found


def _has_web_image(content: SlackObject) -> bool:
    return bool(content.get("image_url"))


async def find_linked(client: AsyncWebClient, link: str, user: str, channel: str) -> SlackFile:
    """Return the image that a link leads to, if the person who asks may see it.

    The bot can read channels that this person is not in. So the image must be the person's own, public in the
    workspace, or shared in the channel of the question.

    Raises:
        QueryError: there is no image, or the person may not see it.
        SlackAccessError: Slack limits findimg's calls or lacks its permission.
    """
    if match := _FILE_LINK.fullmatch(link) or _FILE_HOST_LINK.fullmatch(link):
        return await find_file(client, match["file"], user, channel)
    if match := _MESSAGE_LINK.fullmatch(link):
        message = await _message(client, match["channel"], f"{match['seconds']}.{match['micros']}")
        images = await images_of(client, message or {})
        if images and match["channel"] == channel:
            return images[0]  # the person sees the message
        if images:
            return await find_file(client, images[0]["id"], user, channel)
        raise QueryError(_NOT_VISIBLE)
    raise QueryError("That is not a link to an image in Slack. Use Copy link in the image's menu.")


async def find_file(client: AsyncWebClient, file_id: str, user: str, channel: str) -> SlackFile:
    """Return an image by its file id, if the person who asks may see it. See `find_linked`."""
    try:
        file: SlackFile = (await client.files_info(file=file_id))["file"]
    except SlackApiError as error:
        if error.response.get("error") in _NOT_FOUND:
            raise QueryError(_NOT_VISIBLE) from error
        raise access_error(error) from error
    if not _is_image(file) or not _may_see(file, user, channel):
        raise QueryError(_NOT_VISIBLE)
    return file


async def permalink(client: AsyncWebClient, uri: str) -> str:
    """Return the link to an indexed file in Slack, which Slack opens only for people who may see it.

    Args:
        uri: `slack://TEAM/CHANNEL/FILE/name`.

    Raises:
        QueryError: the file was deleted.
        SlackAccessError: Slack limits findimg's calls or lacks its permission.
    """
    try:
        return str((await client.files_info(file=uri.split("/")[4]))["file"]["permalink"])
    except SlackApiError as error:
        if error.response.get("error") in _NOT_FOUND:
            raise QueryError("That picture was deleted in Slack. Search again for others.") from error
        raise access_error(error) from error


async def find_newest(client: AsyncWebClient, channel: str) -> SlackFile | None:
    """Return the newest image in a channel, None when there is none or the bot is not a member.

    Raises:
        SlackAccessError: Slack limits findimg's calls or lacks its permission.
    """
    try:
        found = await client.files_list(channel=channel, types="images", count=1)
    except SlackApiError as error:
        if error.response.get("error") in _NOT_FOUND:
            return None
        raise access_error(error) from error
    return image_among(found["files"])


async def thread_messages(client: AsyncWebClient, channel: str, thread: str) -> list[SlackObject]:
    """Return the first messages of a thread, its start first; none when the thread was deleted.

    Raises:
        QueryError: findimg is not in the channel.
        SlackAccessError: Slack limits findimg's calls or lacks its permission.
    """
    try:
        return await _replies(client, channel=channel, ts=thread, limit=_THREAD_MESSAGES)
    except SlackApiError as error:
        if error.response.get("error") in ("message_not_found", "thread_not_found"):
            return []
        raise access_error(error) from error


def _is_image(file: SlackFile) -> bool:
    if file.get("mode") in _UNUSABLE or file.get("file_access") == "access_denied":
        return False
    kind = str(file.get("mimetype") or "").lower()
    if kind not in _NO_TYPE:
        return kind.startswith("image/")
    ending = PurePosixPath(str(file.get("name") or "")).suffix.lower().lstrip(".")
    return str(file.get("filetype") or ending).lower() in FORMATS and bool(file.get("url_private"))


async def _describe(client: AsyncWebClient, file: SlackFile) -> SlackFile:
    """Return a file with its type, if Slack gives it soon."""
    for wait in (*_WAITS, 0.0):
        stub = file.get("file_access") not in (None, "", "visible")
        is_external = file.get("is_external") or file.get("mode") == "external"
        has_address = file.get("url_private") or is_external or not _is_image(file)
        if file.get("mode") in _UNUSABLE or (file.get("mimetype") and has_address and not stub):
            return file
        try:
            file = (await client.files_info(file=file["id"]))["file"]
        except SlackApiError:
            if _is_image(file) and has_address:  # the event holds enough to go on
                return file
            raise
        if file.get("mimetype"):
            return file
        await asyncio.sleep(wait)
    return file


def _may_see(file: SlackFile, user: str, channel: str) -> bool:
    conversations = [*file.get("channels", ()), *file.get("groups", ()), *file.get("ims", ())]
    return file.get("user") == user or bool(file.get("is_public")) or channel in conversations


async def _message(client: AsyncWebClient, channel: str, timestamp: str) -> SlackObject | None:
    try:
        messages = await _replies(client, channel=channel, ts=timestamp, latest=timestamp, inclusive=True, limit=1)
    except SlackApiError as error:
        if error.response.get("error") in _NOT_FOUND:
            return None
        raise access_error(error) from error
    return next((message for message in messages if message["ts"] == timestamp), None)


async def _replies(client: AsyncWebClient, **arguments: Any) -> list[SlackObject]:
    messages: list[SlackObject] = (await client.conversations_replies(**arguments))["messages"]
    return messages
