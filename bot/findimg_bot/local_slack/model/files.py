"""Files: their description, upload, processing and download."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from urllib.parse import quote

from aiohttp import BodyPartReader, hdrs, web
from PIL import Image

from findimg_bot.local_slack.fault_injection import FaultInjection
from findimg_bot.local_slack.model.page_updates import PageUpdates
from findimg_bot.local_slack.model.state import File, Json, Team, new_id
from findimg_bot.local_slack.model.thumbnails import SIZES, describe_thumbnails, open_image, thumbnail

FILE_BYTES = 64 * 2**20
_CHUNK = 65536
# Slack determines types by a file's first bytes.
_SIGNATURES = (
    (re.compile(rb"\xff\xd8\xff"), "jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"GIF8[79]a"), "gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "webp"),
    (re.compile(rb"BM"), "bmp"),
    (re.compile(rb"II\*\x00|MM\x00\*"), "tiff"),
    (re.compile(rb".{4}ftyp(?:heic|heix|mif1)", re.DOTALL), "heic"),
)
_SHOWN_IN_BLOCKS = ("image/png", "image/jpeg", "image/gif")
_UNSAFE = re.compile(r"[^\w.()+ -]")
_LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in to Slack</form></body></html>"
)


class FileTooLargeError(Exception):
    """An upload is larger than the workspace accepts."""


class Files:
    """The files of all teams."""

    def __init__(self, page_updates: PageUpdates, faults: FaultInjection):
        self._page_updates = page_updates
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._tickets: dict[str, tuple[Team, File]] = {}  # the secret part of an upload's address → for which file

    def new_ticket(self, team: Team, name: str) -> tuple[str, File]:
        """Return the secret part of an upload address for the bot, and its file."""
        file = File(new_id("F"), team.bot.id, safe_name(name), name, seen_by_bot=True)
        team.files[file.id] = file
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = team, file
        return ticket, file

    def add(self, team: Team, user: str, name: str, data: bytes) -> File:
        """Add a person's file, as after a complete upload."""
        file = File(new_id("F"), user, safe_name(name), name, data)
        team.files[file.id] = file
        self.finish(team, file)
        return file

    def finish(self, team: Team, file: File) -> None:
        """Complete an upload. The file is processed at once, or after the delay of the injected faults."""
        file.complete = True
        wait = self._faults.ready_after
        if wait == 0:
            _detect_type(file)
        elif wait is not None:
            task = asyncio.create_task(self._look_later(team, file, wait))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """Cancel the processing of files."""
        for task in self._tasks:
            task.cancel()

    async def receive_upload(self, request: web.Request) -> web.Response:
        """Serve `POST /upload/v1/<ticket>`: accept a file's bytes, plain or as a form."""
        await asyncio.sleep(self._faults.latency)
        ticket = request.match_info["ticket"]
        found = self._tickets.get(ticket)
        if found is None:
            return web.Response(status=404, text="No upload is expected here.")
        try:
            if request.content_type.startswith("multipart/"):
                _, data = await read_form_file(request)
            else:
                data = await _read(request.content.iter_chunked(_CHUNK))
        except FileTooLargeError:
            return web.Response(status=413, text=f"The limit is {FILE_BYTES} bytes.")
        found[1].data = data
        del self._tickets[ticket]  # a failed upload can be repeated
        return web.Response(text=f"OK - {len(data)}")

    async def serve_file(self, request: web.Request, team: Team | None) -> web.StreamResponse:
        """Answer `GET /files-pri/T…-F…/…` with the file, or with a login page.

        Args:
            team: the team whose bot token came with the request. None without a token that may read files.
        """
        file = self._requested(request, team)
        if file is None:
            return web.Response(text=_LOGIN_PAGE, content_type="text/html")
        if self._faults.files_moved_to:
            raise web.HTTPFound(self._faults.files_moved_to)
        data = file.data or b""
        response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: file.mimetype or "application/octet-stream"})
        response.content_length = len(data) if self._faults.file_length is None else self._faults.file_length
        await response.prepare(request)
        await response.write(data[: response.content_length])
        if response.content_length > len(data) and request.transport:
            request.transport.close()
        return response

    async def serve_thumbnail(self, request: web.Request, team: Team | None) -> web.StreamResponse:
        """Answer `GET /files-tmb/T…-F…/…_360.jpg` with a smaller JPEG of an image. `team` is as for `serve_file`."""
        file = self._requested(request, team)
        size = request.match_info["name"].removesuffix(".jpg").rpartition("_")[2]
        if file is None:
            return web.Response(text=_LOGIN_PAGE, content_type="text/html")
        if not file.width or size not in map(str, SIZES):
            return web.Response(status=404, text="There is no such thumbnail.")
        data = await asyncio.to_thread(thumbnail, file.data or b"", int(size))
        return web.Response(body=data, content_type="image/jpeg")

    def _requested(self, request: web.Request, team: Team | None) -> File | None:
        """Return the file that a download names, or None where its token does not open it."""
        team_id, _, file_id = request.match_info["file"].partition("-")
        file = team.files.get(file_id) if team and (team.id == team_id or team.installation.org_wide) else None
        if team is None or file is None or file.deleted or not team.bot_sees(file) or self._faults.login_page:
            return None
        return file

    async def _look_later(self, team: Team, file: File, wait: float) -> None:
        await asyncio.sleep(wait)
        _detect_type(file)
        self._page_updates.file(team, file)


def describe(team: Team, file: File, address: str) -> Json:
    """Return a file as Slack's Web API and events describe it.

    Args:
        address: the base address of downloads.
    """
    if file.deleted:
        return {"id": file.id, "mode": "tombstone"}
    # Teams of an organisation have common files.
    shared = {channel: times for channel, times in file.shares.items() if channel in team.channels}
    places = {channel: team.channels[channel] for channel, times in shared.items() if times}
    filetype = file.mimetype.rpartition("/")[2].replace("jpeg", "jpg").replace("octet-stream", "binary")
    shares: dict[str, dict[str, list[Json]]] = {}
    for name, place in places.items():
        group = shares.setdefault("private" if place.is_private else "public", {})
        group[name] = [{"ts": ts, "channel_name": place.name, "team_id": team.id} for ts in file.shares[name]]
    private = f"{address}/files-pri/{team.id}-{file.id}"
    shown: Json = {
        "id": file.id,
        "created": int(file.created),
        "timestamp": int(file.created),
        "name": file.name,
        "title": file.title,
        "mimetype": file.mimetype,
        "filetype": filetype,
        "pretty_type": filetype.upper(),
        "user": file.user,
        "user_team": team.id,
        "editable": False,
        "size": len(file.data or b""),
        "mode": "external" if file.external_url else "hosted",
        "is_external": bool(file.external_url),
        "external_type": "remote" if file.external_url else "",
        "is_public": any(not place.is_private for place in places.values()),
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": file.external_url or f"{private}/{quote(file.name)}",
        "permalink": team.permalink(file),
        "channels": [name for name, place in places.items() if place.kind == "channels"],
        "groups": [name for name, place in places.items() if place.kind == "groups"],
        "ims": [name for name, place in places.items() if place.kind == "im"],
        "shares": shares,
        "comments_count": 0,
    }
    if file.external_url:
        shown["external_url"] = file.external_url
    else:
        shown["url_private_download"] = f"{private}/download/{quote(file.name)}"
    if file.width:
        shown |= {"original_w": file.width, "original_h": file.height}
        shown |= describe_thumbnails(team, file, address)
    return shown


def can_be_shown(file: File) -> bool:
    """Return whether an image block can show a file."""
    return file.complete and not file.deleted and file.mimetype in _SHOWN_IN_BLOCKS


async def read_form_file(request: web.Request) -> tuple[str, bytes]:
    """Return the name and the bytes of a form's first file; the name is empty when there is no file.

    Raises:
        FileTooLargeError: it is larger than the workspace accepts.
    """
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader):
            return part.filename or "", await _read(_chunks(part))
    return "", b""


def safe_name(name: str) -> str:
    """Return a file's name without characters that are unsafe in an address or a header."""
    return _UNSAFE.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(". ")[:120] or "file"


def image_type(data: bytes) -> tuple[str, int, int]:
    """Return the type, width and height of an image.

    Returns:
        The type is empty for other files. Width and height are 0 when the image is broken or too large.
    """
    kind = next((f"image/{name}" for signature, name in _SIGNATURES if signature.match(data)), "")
    if not kind:
        return "", 0, 0
    try:
        with open_image(data) as image:
            return kind, *image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return kind, 0, 0


def _detect_type(file: File) -> None:
    if file.external_url:
        return
    kind, file.width, file.height = image_type(file.data or b"")
    file.mimetype = kind or "application/octet-stream"


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(_CHUNK):
        yield chunk


async def _read(chunks: AsyncIterable[bytes]) -> bytes:
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > FILE_BYTES:
            raise FileTooLargeError
    return bytes(data)
