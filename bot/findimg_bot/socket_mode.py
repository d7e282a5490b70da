"""The Socket Mode connection: connects in the background, reconnects, and reports whether it is connected."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress

import aiohttp
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

_CLOSE_SECONDS = 2.0  # for closing the connection, while Slack may be unreachable
_POLL_SECONDS = 0.05
_log = logging.getLogger(__name__)


class SocketModeConnection:
    """Keeps one connection to Slack open between `start` and `stop`."""

    def __init__(self, app: AsyncApp, app_token: str, on_connected: Callable[[], None] = lambda: None):
        """Prepare the connection, inside a running event loop.

        Args:
            app_token: the app-level token, xapp-….
            on_connected: called after each connection. Events may have been lost before.
        """
        self._on_connected = on_connected
        logger = logging.getLogger("slack_sdk.socket_mode")
        if not any(isinstance(each, _OneLinePerRetry) for each in logger.filters):
            logger.addFilter(_OneLinePerRetry())
        self._handler = AsyncSocketModeHandler(app, app_token, logger=logger)
        self._handler.client.on_message_listeners.append(self._read_control_message)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect in the background. slack-sdk retries until it succeeds, and reconnects afterwards."""
        self._task = asyncio.create_task(self._connect())

    async def is_connected(self) -> bool:
        """Return whether Slack can deliver requests over the connection."""
        return await self._handler.client.is_connected()

    async def wait_until_connected(self) -> None:
        """Wait for the first connection."""
        while not await self.is_connected():
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Close the connection, or stop connecting."""
        self._handler.client.closed = True  # ends slack-sdk's retries
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._handler.close_async()

    async def _read_control_message(self, message: aiohttp.WSMessage) -> None:
        try:
            content = json.loads(message.data)
        except ValueError:
            return
        if not isinstance(content, dict):
            return
        if content.get("type") == "hello":
            self._on_connected()
        elif content.get("type") == "disconnect" and content.get("reason") == "link_disabled":
            _log.error(
                "Slack closed the connection because Socket Mode is switched off for this app. Switch it on under "
                "Settings, Socket Mode, or run the bot with --http."
            )

    async def _connect(self) -> None:
        await self._handler.connect_async()
        _log.info("Connected to Slack in Socket Mode.")


class _OneLinePerRetry(logging.Filter):
    """Reduces slack-sdk's log of a failed connection, two records and a traceback, to one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return not str(record.msg).startswith("Failed to retrieve WSS URL")
