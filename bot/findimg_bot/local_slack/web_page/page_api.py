"""The page and its JSON API, which acts as the person who is signed in."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from aiohttp import web

from findimg_bot.local_slack.actions.interactions import ElementPlace
from findimg_bot.local_slack.actions.member_actions import MemberActions
from findimg_bot.local_slack.actions.services import ModalError, UserActionError, WorkspaceServices
from findimg_bot.local_slack.model.emoji import emoji_by_name
from findimg_bot.local_slack.model.files import FileTooLargeError, image_type, read_form_file
from findimg_bot.local_slack.model.page_updates import shown_file
from findimg_bot.local_slack.model.state import Json
from findimg_bot.local_slack.web_page.access_control import AccessControl

ORIGINALS_PATH = "/page/original/"
PAGE = Path(__file__).parent / "static"
_HEARTBEAT = 20.0  # seconds
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}

PageAction = Callable[[MemberActions, Json], Awaitable[Json]]


class PageApi:
    """The page's routes."""

    def __init__(
        self,
        services: WorkspaceServices,
        guard: AccessControl,
        originals: Callable[[str], bytes | None] | None = None,
    ):
        """Args:
        originals: returns the image at a path, None where there is none.
        """
        self._originals = originals
        self._services = services
        self._guard = guard
        self._sockets: set[web.WebSocketResponse] = set()

    def register(self, router: web.UrlDispatcher) -> None:
        """Register the routes."""
        router.add_get("/", self._index)
        router.add_get("/page/static/{name}", self._static)
        router.add_get("/page/file/{file}", self._file)
        router.add_get(ORIGINALS_PATH + "{path:.+}", self._original)
        router.add_get("/page/emoji", self._emoji)
        router.add_get("/page/state", self._state)
        router.add_get("/page/live", self._updates)
        router.add_post("/page/upload", self._upload)
        for name, action in {
            "send": _send,
            "action": _action,
            "shortcut": _shortcut,
            "global_shortcut": _global_shortcut,
            "step": _step,
            "search": _search,
            "submit": _submit,
            "close": _close,
            "home": _home,
            "look": _look,
            "channel": _channel,
        }.items():
            router.add_post(f"/page/{name}", self._handler(action))

    async def close(self, app: web.Application) -> None:
        """Close the pages' connections. This is a signal handler."""
        for socket in list(self._sockets):
            await socket.close()

    async def _index(self, request: web.Request) -> web.StreamResponse:
        token = request.query.get("token")
        if token is not None:
            if self._guard.person(token) is None:
                return _closed()
            return self._guard.sign_in(token)
        if self._guard.signed_in(request) is None:
            return _closed()
        return _page_file("index.html", self._guard.page_policy)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        self._person(request)
        return _page_file(request.match_info["name"], None)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        file = person.team.files.get(request.match_info["file"])
        if file is None or file.deleted or not file.complete or file.data is None:
            raise web.HTTPNotFound(text="There is no such file.")
        return _image_response(file.data, file.name)

    async def _original(self, request: web.Request) -> web.StreamResponse:
        self._person(request)
        path = request.match_info["path"]
        data = await asyncio.to_thread(self._originals, path) if self._originals else None
        if data is None:
            raise web.HTTPNotFound(text="There is no such image.")
        return _image_response(data, PurePosixPath(path).name)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._person(request).state())

    async def _emoji(self, request: web.Request) -> web.StreamResponse:
        self._person(request)
        return web.json_response(emoji_by_name(), headers={"Cache-Control": "private, max-age=3600"})

    async def _updates(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=4096)
        await socket.prepare(request)
        feed = self._services.page_updates.open(person.team, person.user)
        self._sockets.add(socket)
        sending = asyncio.create_task(_pass_on(feed, socket))
        try:
            async for _ in socket:
                pass  # the page says nothing here; this sees it close
        finally:
            sending.cancel()
            self._sockets.discard(socket)
            self._services.page_updates.close(person.user, feed)
        return socket

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        if not request.content_type.startswith("multipart/"):
            return _refused("Send the file as a form.")
        try:
            name, data = await read_form_file(request)
            file = person.upload(name, data)
        except FileTooLargeError:
            return _refused("The file is larger than this workspace accepts.")
        except UserActionError as error:
            return _refused(str(error))
        return web.json_response({"ok": True, "file": shown_file(person.team, file)})

    def _handler(self, action: PageAction) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            person = self._person(request)
            if request.content_type != "application/json":
                return _refused("The request must be JSON.")
            try:
                body = await request.json()
                if not isinstance(body, dict):
                    raise ValueError("not an object")
            except ValueError:
                return _refused("The request is not a JSON object.")
            try:
                return web.json_response({"ok": True, **await action(person, body)})
            except ModalError as error:
                return web.json_response({"ok": False, "errors": error.errors})
            except UserActionError as error:
                return _refused(str(error))

        return handle

    def _person(self, request: web.Request) -> MemberActions:
        found = self._guard.signed_in(request)
        if found is None:
            raise web.HTTPForbidden(text=_closed().text)
        return MemberActions(self._services, *found)


async def _send(person: MemberActions, body: Json) -> Json:
    files = body.get("files") or []
    if not isinstance(files, list):
        raise UserActionError("The files must be a list of ids.")
    ts = await person.send(_text(body, "channel"), _text(body, "text"), _text(body, "thread_ts"), files)
    return {"ts": ts} if ts else {}


async def _action(person: MemberActions, body: Json) -> Json:
    names = ("block_id", "action_id", "channel", "ts", "view_id")
    values = _values(body) if body.get("view_id") and "values" in body else None
    place = ElementPlace(**{name: _text(body, name) for name in names})
    await person.act(place, body.get("value"), values)
    return {}


async def _shortcut(person: MemberActions, body: Json) -> Json:
    await person.shortcut(_text(body, "callback_id"), _text(body, "channel"), _text(body, "ts"))
    return {}


async def _global_shortcut(person: MemberActions, body: Json) -> Json:
    await person.global_shortcut(_text(body, "callback_id"))
    return {}


async def _step(person: MemberActions, body: Json) -> Json:
    inputs = body.get("inputs")
    if not isinstance(inputs, dict):
        raise UserActionError("The step's inputs are missing.")
    return {"outputs": await person.run_step(_text(body, "callback_id"), inputs)}


async def _search(person: MemberActions, body: Json) -> Json:
    return {"results": await person.search(_text(body, "query"))}


async def _submit(person: MemberActions, body: Json) -> Json:
    await person.submit(_text(body, "view_id"), _values(body))
    return {}


async def _close(person: MemberActions, body: Json) -> Json:
    await person.close(_text(body, "view_id"))
    return {}


async def _home(person: MemberActions, body: Json) -> Json:
    person.open_home(_text(body, "tab") or "home", _text(body, "beside"))
    return {}


async def _look(person: MemberActions, body: Json) -> Json:
    channel = _text(body, "channel")
    if channel:
        person.look_at(channel)
    else:
        person.close_panel()
    return {}


async def _channel(person: MemberActions, body: Json) -> Json:
    channel = person.new_channel(_text(body, "name"))
    return {"channel": {"id": channel.id, "name": channel.name, "is_im": False}}


async def _pass_on(feed: asyncio.Queue[Json], socket: web.WebSocketResponse) -> None:
    with suppress(ConnectionError):  # the page was closed
        while not socket.closed:
            await socket.send_str(json.dumps(await feed.get()))


def _values(body: Json) -> dict[str, dict[str, Json]]:
    values = body.get("values")
    if not isinstance(values, dict) or not all(
        isinstance(block, dict) and all(isinstance(value, dict) for value in block.values())
        for block in values.values()
    ):
        raise UserActionError("The modal's values are missing.")
    return values


def _text(body: Json, name: str) -> str:
    value: Any = body.get(name)
    return value if isinstance(value, str) else ""


def _image_response(data: bytes, name: str) -> web.Response:
    """Return a file, which the browser shows if it is an image that browsers know."""
    kind = image_type(data)[0]
    place = "inline" if kind else "attachment"
    headers = {
        "Content-Disposition": f"{place}; filename*=UTF-8''{quote(name)}",
        "Cache-Control": "private, max-age=3600",
    }
    return web.Response(body=data, content_type=kind or "application/octet-stream", headers=headers)


def _page_file(name: str, policy: str | None) -> web.StreamResponse:
    path = PAGE / name
    if path.parent != PAGE or path.suffix not in _TYPES or not path.is_file():
        raise web.HTTPNotFound(text="There is no such file.")
    headers = {"Cache-Control": "no-cache"} | ({"Content-Security-Policy": policy} if policy else {})
    return web.Response(body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8", headers=headers)


def _refused(sentence: str) -> web.Response:
    return web.json_response({"ok": False, "error": sentence})


def _closed() -> web.Response:
    sentence = "This workspace opens with the address that findimg-bot try printed, which carries its token."
    return web.Response(status=403, text=sentence)
