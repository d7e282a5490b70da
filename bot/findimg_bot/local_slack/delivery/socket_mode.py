"""Socket Mode: delivery over WebSockets that the bot opens."""

import asyncio
import json
import secrets
import uuid
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from findimg_bot.local_slack.delivery.http import EVENTS, DeliveryError, Retry
from findimg_bot.local_slack.model.state import Json

CONNECTIONS = 10
_TICKET_SECONDS = 30.0
_FRAME_BYTES = 2**20
_CLOSE_SECONDS = 1.0  # how long a connection may take to say goodbye


@dataclass(frozen=True, slots=True)
class _Connection:
    socket: web.WebSocketResponse
    transport: asyncio.Transport


class SocketModeServer:
    """The bot's connections. A payload goes to one of them."""

    def __init__(self, app_id: str):
        self._app_id = app_id
        self.switched_on = True
        self._tickets: dict[str, float] = {}  # secret part of an address → until when it is good
        self._open: list[_Connection] = []
        self._waiting: dict[str, asyncio.Future[Json]] = {}  # envelope id → its acknowledgement

    @property
    def connections(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def new_address(self, address: str) -> str:
        """Return an address for one connection."""
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = asyncio.get_running_loop().time() + _TICKET_SECONDS
        return f"{address.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={self._app_id}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve `GET /link/`: one connection until it ends."""
        until = self._tickets.pop(request.query.get("ticket", ""), 0.0)
        if until < asyncio.get_running_loop().time():
            return web.Response(status=403, text="This address was used or has expired.")
        socket = web.WebSocketResponse(max_msg_size=_FRAME_BYTES, timeout=_CLOSE_SECONDS)
        await socket.prepare(request)
        if len(self._open) >= CONNECTIONS:
            await socket.send_json(self._disconnect("too_many_websockets"))
            await socket.close()
            return socket
        assert request.transport is not None  # it was just answered
        connection = _Connection(socket, request.transport)
        self._open.append(connection)
        try:
            await socket.send_json(
                {
                    "type": "hello",
                    "num_connections": len(self._open),
                    "connection_info": {"app_id": self._app_id},
                    "debug_info": {"host": "localhost", "approximate_connection_time": 18060},
                }
            )
            async for frame in socket:
                if frame.type == WSMsgType.TEXT:
                    self._acknowledged(frame.data)
        except ConnectionError:
            pass  # the connection ended during the first message
        finally:
            self._open.remove(connection)
        return socket

    async def send(self, kind: str, payload: Json, seconds: float, retry: Retry | None = None) -> Json:
        """See `Delivery.send`."""
        envelope = str(uuid.uuid4())
        sent: Json = {"envelope_id": envelope, "type": kind, "payload": payload}
        sent["accepts_response_payload"] = kind != EVENTS
        if kind == EVENTS:
            sent |= {"retry_attempt": retry.attempt if retry else 0, "retry_reason": retry.reason if retry else ""}
        acknowledged = asyncio.get_running_loop().create_future()
        self._waiting[envelope] = acknowledged
        try:
            await self._send_to_one(sent)
            return await asyncio.wait_for(acknowledged, seconds)
        except TimeoutError as error:
            raise DeliveryError("operation_timeout") from error
        finally:
            del self._waiting[envelope]

    async def refresh(self) -> None:
        """Request new connections and close the current ones, as Slack does every few hours."""
        for each in list(self._open):
            await each.socket.send_json(self._disconnect("refresh_requested"))
        await self.close()

    async def switch_off(self) -> None:
        """End every connection and refuse new ones, as when Socket Mode is switched off in the app's settings."""
        self.switched_on = False
        for each in list(self._open):
            await each.socket.send_json(self._disconnect("link_disabled"))
        await self.close()

    def drop(self) -> None:
        """Abort every connection without a message."""
        for each in self._open:
            each.transport.abort()

    async def close(self) -> None:
        """See `Delivery.close`."""
        for each in list(self._open):
            await each.socket.close()

    async def _send_to_one(self, sent: Json) -> None:
        for _ in range(len(self._open)):
            connection = self._open.pop(0)
            self._open.append(connection)  # the next thing goes to the next one
            if connection.socket.closed:
                continue
            try:
                await connection.socket.send_json(sent)
            except ConnectionError:
                continue
            return
        raise DeliveryError("dispatch_failed")

    def _acknowledged(self, text: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            return  # Slack also ignores frames that it cannot parse
        waiting = self._waiting.get(str(said.get("envelope_id"))) if isinstance(said, dict) else None
        if waiting and not waiting.done():
            payload = said.get("payload")
            waiting.set_result(payload if isinstance(payload, dict) else {})

    @staticmethod
    def _disconnect(reason: str) -> Json:
        return {"type": "disconnect", "reason": reason, "debug_info": {"host": "localhost"}}
