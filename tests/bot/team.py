"""A team: a local workspace, and the real bot `findimg-bot serve` in its own process."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import EVENTS_PATH, REDIRECT_PATH, Surfaces, read_manifest
from tests.bot.person import BrowserUser, Json, until

T = TypeVar("T")


class WorkspaceThread:
    """A workspace in its own thread, for synchronous tests."""

    def __init__(self, manifest: Json, **arguments: Any):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.workspace = Workspace(manifest, **arguments)
        self.run(self.workspace.start())

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        """Run something in the workspace's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def call(self, function: Any, *arguments: Any, **more: Any) -> Any:
        """Call something in the workspace's thread."""

        async def called() -> Any:
            return function(*arguments, **more)

        return self.run(called())

    def stop(self) -> None:
        """Stop the workspace."""
        self.run(self.workspace.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass(frozen=True, slots=True)
class TeamOptions:
    """How the bot and its app are set up."""

    path: str = "/readyz"  # what answers 200 once the bot can be asked; `/healthz` where it has no version yet
    surfaces: Surfaces | None = None  # the optional surfaces that the app declares
    state: str | None = None  # address of the bot's state; None for a file in the team's folder
    image_base_url: str = ""  # where people can open the library's images
    read_text: str = "off"  # whether the bot reads uploaded images
    variables: Mapping[str, str] = field(default_factory=dict)  # more environment variables of the bot


class Team:
    """A workspace, the bot in it, and a person who asks."""

    def __init__(
        self,
        mode: str,
        folder: Path,
        cache: Path,
        library: str,
        options: TeamOptions | None = None,
    ):
        """Start workspace and bot.

        Args:
            mode: `socket` or `http`.
            folder: for the bot's state and log.
            cache: of the bot.
            library: the library that the bot searches.
            options: how the bot and its app are set up.
        """
        options = options or TeamOptions()
        self.mode = mode
        self._path = options.path
        self._port = free_port()
        manifest = read_manifest(None, options.surfaces, options.image_base_url)
        if mode == "http":
            manifest["oauth_config"]["redirect_urls"] = [self.monitor + REDIRECT_PATH]
            self.slack = WorkspaceThread(manifest, request_url=self.monitor + EVENTS_PATH)
        else:
            self.slack = WorkspaceThread(manifest)
        workspace = self.slack.workspace
        self.faults = workspace.faults
        self.person = BrowserUser(workspace.address, workspace.token)
        self.log = folder / "bot.log"
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("FINDIMG_", "SLACK_"))}
        self.environment = outer | {
            "FINDIMG_LIBRARY": library,
            "FINDIMG_CACHE": str(cache),
            "FINDIMG_STATE": options.state or str(folder / "bot.sqlite"),
            "FINDIMG_IMAGE_BASE_URL": options.image_base_url,
            "FINDIMG_READ_TEXT": options.read_text,
            "FINDIMG_SLACK_API_URL": workspace.api_url,
            "FINDIMG_SLACK_BOT_TOKEN": workspace.bot_token,
            "FINDIMG_SLACK_APP_TOKEN": workspace.app_token,
            "FINDIMG_SLACK_SIGNING_SECRET": workspace.signing_secret,
            **options.variables,
        }
        self.start()

    @property
    def monitor(self) -> str:
        """Return the address of the bot's health checks."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the bot and wait until it is ready."""
        self._bot = self._serve(self._port)

    def start_another(self) -> tuple[subprocess.Popen[bytes], str]:
        """Start a second bot with the same state. Return it and the address of its health checks."""
        port = free_port()
        return self._serve(port), f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Stop the bot as an operator does."""
        self._bot.terminate()
        assert self._bot.wait(30) == 0, self.log.read_text()

    def kill(self) -> None:
        """Kill the bot, as in a crash."""
        self._bot.kill()
        self._bot.wait()

    def restart(self) -> None:
        """Stop the bot and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the bot and the workspace."""
        self.kill()
        self.slack.stop()

    def _serve(self, port: int) -> subprocess.Popen[bytes]:
        where = f"127.0.0.1:{port}"
        arguments = ["--http", where] if self.mode == "http" else ["--monitor", where]
        with self.log.open("ab") as log:
            bot = subprocess.Popen(
                [Path(sys.executable).with_name("findimg-bot"), "serve", *arguments],
                env=self.environment,
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
            )

        def is_ready() -> bool:
            assert bot.poll() is None, self.log.read_text()
            return answers(f"http://{where}{self._path}")

        until(is_ready)
        return bot


def answers(url: str) -> bool:
    """Return whether a GET succeeds now."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
