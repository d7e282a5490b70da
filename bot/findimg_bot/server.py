"""Runs the bot: in Socket Mode or as an HTTP server, with health checks and metrics."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from findimg.errors import SettingsError
from findimg.settings import Settings
from findimg_bot.app import build_app, build_client
from findimg_bot.errors import SLACK_ERRORS
from findimg_bot.service.bot_services import BotServices
from findimg_bot.slack.installation.workspaces import Workspaces
from findimg_bot.slack.manifest import EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH
from findimg_bot.socket_mode import SocketModeConnection

_MAX_BODY = 2 * 2**20  # bytes of a request; Slack's have some kilobytes
_CONNECTIONS = 32  # to Slack's Web API
# Seconds that a thread may keep the interpreter while others wait for it. With Python's 5 ms, an acknowledgement that
# needs it ten times takes 50 ms longer while searches run.
_SWITCH_SECONDS = 0.0005
_SIGNATURE = "X-Slack-Signature"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningBot:
    """A bot that runs."""

    services: BotServices
    connection: SocketModeConnection | None  # None over HTTP

    async def readiness(self) -> tuple[bool, str]:
        """Return whether the bot can answer, and the live version or the reason why not."""
        version = self.services.served_library.version
        if version is None:
            return False, "no version is open yet"
        if self.connection and not await self.connection.is_connected():
            return False, "not connected to Slack in Socket Mode"
        return True, version


async def serve(settings: Settings, http: str | None, monitor: str | None) -> None:
    """Run the bot until SIGINT or SIGTERM.

    Args:
        http: HOST:PORT to listen on for Slack; None uses Socket Mode.
        monitor: HOST:PORT for health and metrics in Socket Mode; `http` includes them.

    Raises:
        FindimgError: a setting is missing, or an address cannot be used.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with running(settings, http, monitor):
        await stopped.wait()


@asynccontextmanager
async def running(settings: Settings, http: str | None = None, monitor: str | None = None) -> AsyncIterator[RunningBot]:
    """Run the bot until the end of the block. Arguments and errors as of `serve`.

    The block begins before Slack is reached, so that health checks are available and the bot can be stopped.
    """
    app_token = settings.slack_app_token.get_secret_value()
    if http is None and not app_token:
        raise SettingsError("Socket Mode needs FINDIMG_SLACK_APP_TOKEN (xapp-…). Set it, or use --http.")
    if http is not None and not settings.slack_signing_secret.get_secret_value():
        raise SettingsError("--http needs FINDIMG_SLACK_SIGNING_SECRET. Find it under Basic Information of the app.")
    services = BotServices(settings)
    try:
        if services.indexer:
            await services.indexer.check()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as session:
            app, workspaces = build_app(settings, services, build_client(settings, session))
            connection = SocketModeConnection(app, app_token, services.request_comparison) if http is None else None
            bot = RunningBot(services, connection)
            login = asyncio.create_task(_log_in(settings, workspaces))
            try:
                async with _listening(app, bot, http, monitor):
                    services.start(workspaces.client, app.dispatch_again)
                    if connection:
                        connection.start()
                    yield bot
            finally:
                login.cancel()
                if connection:
                    await connection.stop()
                await services.recovery.complete()
    finally:
        await services.stop()


async def _log_in(settings: Settings, workspaces: Workspaces) -> None:
    """Use the bot token once, so that the log reports a rejected token before the first question."""
    if settings.slack_bot_token.get_secret_value():
        with suppress(*SLACK_ERRORS):
            await workspaces.authorize(None, None)


@asynccontextmanager
async def _listening(app: AsyncApp, bot: RunningBot, http: str | None, monitor: str | None) -> AsyncIterator[None]:
    address = http or monitor
    if address is None:
        yield
        return
    runner = web.AppRunner(_routes(app if http else None, bot), access_log=None)
    await runner.setup()
    host, _, port = address.rpartition(":")
    try:
        if not host or not port.isdecimal() or int(port) > 65_535:
            raise SettingsError(
                "An address has the form HOST:PORT, such as 127.0.0.1:3000 for this machine alone and 0.0.0.0:3000 "
                f"for others. Received: {address!r}."
            )
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except OSError as error:
            raise SettingsError(
                f"Cannot listen on {address}: {error.strerror or error}. Choose another HOST:PORT."
            ) from error
        _log.info("Listening on %s.", address)
        yield
    finally:
        await runner.cleanup()


def _routes(app: AsyncApp | None, bot: RunningBot) -> web.Application:
    """Return the HTTP server: health and metrics, and with an app the paths for Slack."""
    server = web.Application(client_max_size=_MAX_BODY)
    metrics = bot.services.metrics
    if bot.connection:
        metrics.add_connection_gauge()

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(request: web.Request) -> web.Response:
        ready, text = await bot.readiness()
        return web.Response(status=200 if ready else 503, text=text)

    async def show_metrics(request: web.Request) -> web.Response:
        if bot.connection:
            metrics.set_connected(await bot.connection.is_connected())
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    server.router.add_get("/healthz", healthz)
    server.router.add_get("/readyz", readyz)
    server.router.add_get("/metrics", show_metrics)
    if app is None:
        return server
    server.router.add_post(EVENTS_PATH, _events_handler(app))
    if flow := app.oauth_flow:

        async def install(request: web.Request) -> web.Response:
            return await to_aiohttp_response(await flow.handle_installation(await to_bolt_request(request)))

        async def redirect(request: web.Request) -> web.Response:
            return await to_aiohttp_response(await flow.handle_callback(await to_bolt_request(request)))

        server.router.add_get(INSTALL_PATH, install)
        server.router.add_get(REDIRECT_PATH, redirect)
    return server


def _events_handler(app: AsyncApp) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler of Slack's requests."""
    warned = False

    async def events(request: web.Request) -> web.Response:
        # Bolt parses a body before it checks the signature, so the body may come from anybody.
        try:
            bolt_request = await to_bolt_request(request)
            body: object = bolt_request.body
        except (ValueError, AttributeError, TypeError, RecursionError):
            return web.Response(status=400, text="The request is not one of Slack's.")
        if not isinstance(body, dict):
            return web.Response(status=400, text="The request is not one of Slack's.")
        nonlocal warned
        response = await app.async_dispatch(bolt_request)
        if response.status == 401 and _SIGNATURE in request.headers and not warned:
            warned = True  # log it only once, because anybody can send more of them
            _log.warning(
                "A request was refused: it is too old, or FINDIMG_SLACK_SIGNING_SECRET does not match its signature. "
                "If it came from Slack, set the secret from Basic Information of the app."
            )
        return await to_aiohttp_response(response)

    return events
