"""Serving: connected to Slack in Socket Mode, or reached by it over HTTP; with health and metrics for a monitor."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError

from findimg.errors import SettingsError
from findimg.settings import Settings
from findimg_bot.app import build_app, build_client
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.manifest import EVENTS_PATH, INSTALL_PATH, REDIRECT_PATH

_LARGEST = 2 * 2**20  # bytes of a request; Slack's have some kilobytes
_CONNECTIONS = 32  # to Slack's Web API
_HELLO = 5  # seconds for Slack to say whether it takes the token
_SIGNATURE = "X-Slack-Signature"
_log = logging.getLogger(__name__)


async def serve(settings: Settings, http: str | None, monitor: str | None) -> None:
    """Runs the bot until it is told to stop.

    Args:
        http: HOST:PORT to be reached at; None connects in Socket Mode.
        monitor: HOST:PORT for health and metrics in Socket Mode; with `http` they are there as well.

    Raises:
        FindimgError: a setting is missing, or an address cannot be used.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with running(settings, http, monitor):
        await stopped.wait()


@asynccontextmanager
async def running(
    settings: Settings, http: str | None = None, monitor: str | None = None
) -> AsyncIterator[QueryService]:
    """The bot, from when it can be asked until the end of the block. See `serve`."""
    app_token = settings.slack_app_token.get_secret_value()
    if http is None and not app_token:
        raise SettingsError("Socket Mode needs FINDIMG_SLACK_APP_TOKEN (xapp-…); set it, or use --http.")
    if http is not None and not settings.slack_signing_secret.get_secret_value():
        raise SettingsError("--http needs FINDIMG_SLACK_SIGNING_SECRET; it stands under Basic Information of the app.")
    desk = QueryService(settings)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as session:
            app, workspaces = build_app(settings, desk, build_client(settings, session))
            desk.start(workspaces.client)
            if settings.slack_bot_token.get_secret_value():
                # A token that is not taken is logged now, not with the first question; whether Slack is up shows later.
                with suppress(SlackClientError, aiohttp.ClientError, OSError):
                    async with asyncio.timeout(_HELLO):
                        await workspaces.authorize(None, None)
            # Who asks whether the bot is ready hears so only once it is connected.
            async with _connected(app, app_token if http is None else None), _listening(app, desk, http, monitor):
                yield desk
    finally:
        await desk.stop()


@asynccontextmanager
async def _connected(app: AsyncApp, app_token: str | None) -> AsyncIterator[None]:
    if app_token is None:
        yield
        return
    handler = AsyncSocketModeHandler(app, app_token, logger=logging.getLogger("slack_sdk.socket_mode"))
    await handler.connect_async()
    _log.info("Connected to Slack in Socket Mode.")
    try:
        yield
    finally:
        await handler.close_async()


@asynccontextmanager
async def _listening(app: AsyncApp, desk: QueryService, http: str | None, monitor: str | None) -> AsyncIterator[None]:
    address = http or monitor
    if address is None:
        yield
        return
    runner = web.AppRunner(_routes(app if http else None, desk), access_log=None)
    await runner.setup()
    host, _, port = address.rpartition(":")
    try:
        if not host or not port.isdecimal() or int(port) > 65_535:
            raise SettingsError(
                "An address to listen at is HOST:PORT, such as 127.0.0.1:3000 for this machine alone and 0.0.0.0:3000 "
                f"for others. Received: {address!r}."
            )
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except OSError as error:
            raise SettingsError(f"Nobody can be reached at {address}: {error}. Name another HOST:PORT.") from error
        _log.info("Listening at %s.", address)
        yield
    finally:
        await runner.cleanup()


def _routes(app: AsyncApp | None, desk: QueryService) -> web.Application:
    """The paths of the HTTP server; those of Slack only with an app."""
    server = web.Application(client_max_size=_LARGEST)

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(request: web.Request) -> web.Response:
        version = desk.live.version
        return web.Response(text=version) if version else web.Response(status=503, text="no version is open yet")

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(desk.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    server.router.add_get("/healthz", healthz)
    server.router.add_get("/readyz", readyz)
    server.router.add_get("/metrics", metrics)
    if app is None:
        return server
    flow = app.oauth_flow
    told = False

    async def events(request: web.Request) -> web.Response:
        # Bolt reads a body before it looks at the signature, so anybody can send one that makes no sense.
        try:
            asked = await to_bolt_request(request)
            body: object = asked.body
        except (ValueError, AttributeError, TypeError, RecursionError):
            return web.Response(status=400, text="That is nothing that Slack sends.")
        if not isinstance(body, dict):
            return web.Response(status=400, text="That is nothing that Slack sends.")
        nonlocal told
        answered = await app.async_dispatch(asked)
        if answered.status == 401 and _SIGNATURE in request.headers and not told:
            told = True  # only once: anybody can send more of them
            _log.warning(
                "A request was refused: it is too old, or its signature is not that of FINDIMG_SLACK_SIGNING_SECRET. "
                "If it came from Slack, set the secret that stands under Basic Information of the app."
            )
        return await to_aiohttp_response(answered)

    async def install(request: web.Request) -> web.Response:
        assert flow is not None
        return await to_aiohttp_response(await flow.handle_installation(await to_bolt_request(request)))

    async def redirect(request: web.Request) -> web.Response:
        assert flow is not None
        return await to_aiohttp_response(await flow.handle_callback(await to_bolt_request(request)))

    server.router.add_post(EVENTS_PATH, events)
    if flow is not None:
        server.router.add_get(INSTALL_PATH, install)
        server.router.add_get(REDIRECT_PATH, redirect)
    return server
