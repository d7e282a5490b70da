"""Downloads images that people uploaded to Slack, safely."""

import re
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import ImageError
from findimg.images import LIMIT_BYTES
from findimg_bot.errors import RATE_LIMITED, SlackAccessError
from findimg_bot.slack.pictures.image_files import SlackFile

SLACK_API = "https://slack.com/api/"
_SLACK_FILES = "https://files.slack.com"
_SECONDS = 20.0
_CHUNK = 65536  # bytes
# Slack converts pictures in these formats, and pictures that are too large, to JPEG or PNG thumbnails.
_CONVERTED = ("image/heic", "image/heif", "image/vnd.adobe.photoshop", "image/x-adobe-dng")
_THUMBNAILS = ("thumb_1024", "thumb_960", "thumb_800", "thumb_720", "thumb_480", "thumb_360")


async def download(client: AsyncWebClient, file: SlackFile) -> bytes:
    """Return the bytes of an uploaded image.

    The token is sent to Slack's file server only, because the person who adds a remote file chooses its address.

    Args:
        client: with the team's token. Its base_url determines the file server.

    Raises:
        ImageError: the file is stored elsewhere, is too large, or cannot be downloaded.
        SlackAccessError: Slack limits findimg's calls.
    """
    if file.get("mode") in ("external", "hidden_by_limit", "tombstone") or file.get("is_external"):
        raise ImageError("That image is not stored in Slack. Upload it here, then ask again.")
    url, size = _source(file)
    if not _is_trusted(url, client.base_url):
        raise ImageError("That image is not on Slack's file server. Upload it here, then ask again.")
    _check_size(size)
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
            if answer.status == 429:
                raise SlackAccessError(RATE_LIMITED)
            if answer.status != 200:
                raise ImageError(f"Slack refused to send that image with status {answer.status}. Try again.")
            # Without access Slack answers with status 200 and its login page.
            if answer.content_type.startswith("text/"):
                raise ImageError(
                    "Slack sent a login page instead of that image. Invite findimg with /invite @findimg. "
                    "If it is in the channel, its token or files:read is missing. The operator of findimg can find the "
                    "cause with findimg-bot doctor."
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


def _source(file: SlackFile) -> tuple[str, int]:
    """Return the address of an image's bytes and its size in bytes, 0 where Slack does not give it."""
    size = int(file.get("size") or 0)
    if file.get("mimetype") in _CONVERTED or size > LIMIT_BYTES:
        for name in _THUMBNAILS:
            if url := file.get(name):
                return str(url), 0
    return str(file.get("url_private_download") or file.get("url_private") or ""), size
