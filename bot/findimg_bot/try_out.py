"""Trying it without Slack: the local workspace in the browser, with the real bot behind it."""

import asyncio
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from findimg.errors import SettingsError
from findimg.settings import Settings
from findimg_bot.local_slack.server import HOST, Workspace
from findimg_bot.server import running
from findimg_bot.service.live_library import LiveLibrary
from findimg_bot.slack.blocks import Message, welcome_message
from findimg_bot.slack.manifest import EVENTS_PATH, read_manifest

CHANNEL = "general"
_LOOKED_AT = 40  # images whose tags suggest what to type
_SUGGESTED = 3


async def run_trial(
    settings: Settings,
    port: int,
    browser: bool,
    host: str = HOST,
    monitor: str | None = None,
    bot_at: str | None = None,
) -> None:
    """Runs workspace and bot until Ctrl-C.

    Args:
        port: of the page on 127.0.0.1; 0 takes a free one.
        browser: open the page when there is a browser.
        host: what the page listens at, such as 0.0.0.0 in a container whose port is published.
        monitor: HOST:PORT for the bot's health and metrics.
        bot_at: where a bot of its own is served over HTTP; then there is none in here, and what it needs is printed.

    Raises:
        FindimgError: there is no library, or an address cannot be used.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with trial(settings, port, host, monitor, bot_at) as workspace:
        address = f"{workspace.address}/?token={workspace.token}"
        console = Console(highlight=False)
        console.print(f"[bold]findimg workspace[/bold]  {address}", soft_wrap=True)
        if bot_at:
            console.print(f"Serve the bot at {bot_at} with these settings:", style="dim")
            for setting, value in (
                ("API_URL", workspace.api_url),
                ("BOT_TOKEN", workspace.bot_token),
                ("SIGNING_SECRET", workspace.signing_secret),
            ):
                console.print(f"FINDIMG_SLACK_{setting}={value}", soft_wrap=True)
        console.print("Open it in a browser and type what the welcome says; Ctrl-C ends it.", style="dim")
        if browser and _has_screen():
            await asyncio.to_thread(webbrowser.open, address)
        await stopped.wait()
    print("Stopped.")


@asynccontextmanager
async def trial(
    settings: Settings, port: int, host: str, monitor: str | None, bot_at: str | None
) -> AsyncIterator[Workspace]:
    """Workspace and bot, from when a person can ask until the end of the block. See `run_trial`."""
    if bot_at and not bot_at.startswith(("http://", "https://")):
        raise SettingsError(f"--bot-at is an address such as http://127.0.0.1:3000. Received: {bot_at!r}.")
    # Said before anything starts: without a version there is nothing to try.
    welcome = await asyncio.to_thread(_welcome, settings)
    request_url = f"{bot_at.rstrip('/')}{EVENTS_PATH}" if bot_at else None
    workspace = Workspace(read_manifest(), port=port, host=host, request_url=request_url)
    try:
        await workspace.start()
    except OSError as error:
        raise SettingsError(
            f"Port {port} of {host} cannot be used: {error.strerror or error}. Name another --port."
        ) from error
    try:
        async with nullcontext() if bot_at else _bot(settings, workspace, monitor):
            workspace.post(CHANNEL, welcome.text, list(welcome.blocks))
            yield workspace
    finally:
        await workspace.stop()


@asynccontextmanager
async def _bot(settings: Settings, workspace: Workspace, monitor: str | None) -> AsyncIterator[None]:
    """The bot in the workspace, with a state that ends with it."""
    with tempfile.TemporaryDirectory(prefix="findimg-try-") as folder:
        here = {
            "state": Path(folder, "bot.sqlite"),
            "slack_api_url": workspace.api_url,
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_app_token": SecretStr(workspace.app_token),
            "slack_client_id": "",
            "allow_channels": "",
            "allow_users": "",
        }
        async with running(settings.model_copy(update=here), monitor=monitor):
            yield


def _welcome(settings: Settings) -> Message:
    """What to type first, from what is on some of the library's images."""
    live = LiveLibrary(settings)
    try:
        with live.lease() as searcher:
            images = searcher.manifest.images
            sure: dict[str, float] = {}
            for item in range(0, images, -(-images // _LOOKED_AT)):
                seen = searcher.seen(item)
                for chosen, probability in zip(seen.classes[:1], seen.probabilities[:1], strict=True):
                    name = searcher.lexicon.names[int(chosen)][0]
                    sure[name] = max(sure.get(name, 0), float(probability))
            return welcome_message(images, sorted(sure, key=lambda name: -sure[name])[:_SUGGESTED])
    finally:
        live.close()


def _has_screen() -> bool:
    """Whether a browser would open in a window, not in this terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
