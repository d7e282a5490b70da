"""Runs the local workspace in the browser with the real bot, to try findimg without Slack."""

import asyncio
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, nullcontext
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from findimg.errors import SettingsError
from findimg.settings import Settings
from findimg_bot.folder_originals import FolderOriginals, is_folder
from findimg_bot.local_slack.workspace import HOST, Workspace
from findimg_bot.question_results import example_words
from findimg_bot.served_library import ServedLibrary
from findimg_bot.server import running
from findimg_bot.slack.blocks.guidance import welcome_message
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.manifest import EVENTS_PATH, Surfaces, read_manifest, unfurl_domain

CHANNEL = "general"
_SUGGESTED = 3


async def run_try_out(
    settings: Settings,
    port: int,
    browser: bool,
    host: str = HOST,
    monitor: str | None = None,
    bot_at: str | None = None,
) -> None:
    """Run the workspace and the bot until Ctrl-C.

    Args:
        port: port of the page; 0 takes a free one.
        browser: whether to open the page in a browser.
        host: address of the page, such as 0.0.0.0 in a container with a published port.
        monitor: HOST:PORT for the bot's health and metrics.
        bot_at: address of a bot that runs separately over HTTP. No bot starts here then, and its settings are printed.

    Raises:
        FindimgError: there is no library, or an address cannot be used.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with local_workspace(settings, port, host, monitor, bot_at) as workspace:
        address = f"{workspace.address}/?token={workspace.token}"
        console = Console(highlight=False)
        console.print(f"[bold]findimg workspace[/bold]  {address}", soft_wrap=True)
        if bot_at:
            console.print(f"Run the bot at {bot_at} with these settings:", style="dim")
            for setting, value in (
                ("API_URL", workspace.api_url),
                ("BOT_TOKEN", workspace.bot_token),
                ("SIGNING_SECRET", workspace.signing_secret),
            ):
                console.print(f"FINDIMG_SLACK_{setting}={value}", soft_wrap=True)
        console.print("Open the address in a browser and follow the welcome message. Ctrl-C stops.", style="dim")
        if browser and _has_screen():
            await asyncio.to_thread(webbrowser.open, address)
        await stopped.wait()
    print("Stopped.")


@asynccontextmanager
async def local_workspace(
    settings: Settings, port: int, host: str, monitor: str | None, bot_at: str | None
) -> AsyncIterator[Workspace]:
    """Run the workspace and the bot until the end of the block. Arguments as of `run_try_out`."""
    if bot_at and not bot_at.startswith(("http://", "https://")):
        raise SettingsError(f"--bot-at takes an address such as http://127.0.0.1:3000. Received: {bot_at!r}.")
    with closing(ServedLibrary(settings)) as served_library:
        # Report a missing version before anything starts.
        welcome, has_folders = await asyncio.to_thread(_look_at, served_library)
        workspace = Workspace(
            read_manifest(None, _surfaces(settings), settings.image_base_url),
            port=port,
            host=host,
            request_url=f"{bot_at.rstrip('/')}{EVENTS_PATH}" if bot_at else None,
            originals=FolderOriginals(served_library).read,
        )
        try:
            await workspace.start()
        except OSError as error:
            raise SettingsError(
                f"Cannot listen on port {port} of {host}: {error.strerror or error}. Choose another --port."
            ) from error
        if has_folders and not settings.image_base_url:
            settings = settings.model_copy(update={"image_base_url": workspace.originals_url})
        try:
            async with nullcontext() if bot_at else _bot(settings, workspace, monitor):
                workspace.post(CHANNEL, welcome.text, list(welcome.blocks))
                yield workspace
        finally:
            await workspace.stop()


@asynccontextmanager
async def _bot(settings: Settings, workspace: Workspace, monitor: str | None) -> AsyncIterator[None]:
    """Run the bot in the workspace, with a temporary state."""
    with tempfile.TemporaryDirectory(prefix="findimg-try-") as folder:
        here = {
            "state": str(Path(folder, "bot.sqlite")),
            "slack_api_url": workspace.api_url,
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_app_token": SecretStr(workspace.app_token),
            "slack_client_id": "",
            "allow_channels": "",
            "allow_users": "",
            "allow_teams": "",
            "teachers": "",
        }
        async with running(settings.model_copy(update=here), monitor=monitor) as bot:
            assert bot.connection
            await bot.connection.wait_until_connected()
            yield


def _surfaces(settings: Settings) -> Surfaces:
    """Return all surfaces that work here. Previews need a domain for the images."""
    previews = bool(unfurl_domain(settings.image_base_url))
    return Surfaces(shortcut=True, assistant=True, unfurl=previews, workflow_step=True, search=True)


def _look_at(served_library: ServedLibrary) -> tuple[Message, bool]:
    """Return the welcome message, with words for what some of the library's images show, and whether all sources are
    folders.
    """
    with served_library.lend_everything() as searcher:
        welcome = welcome_message(searcher.manifest.images, example_words(searcher, _SUGGESTED))
        return welcome, all(is_folder(source) for source in searcher.manifest.sources)


def _has_screen() -> bool:
    """Return whether a browser would open in a window, not in this terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
