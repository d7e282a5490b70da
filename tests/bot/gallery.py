"""A workspace with pictures in channels of each kind, and people who may see some of them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from findimg.library.library import Library
from findimg.settings import Settings
from findimg_bot.local_slack.model.state import Channel, User
from findimg_bot.slack.manifest import Surfaces
from findimg_jobs.indexing.run import index
from tests.bot.conftest import IMAGE_BASE_URL
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import Team, TeamOptions, answers


class Gallery:
    """The workspace, its people and its pictures."""

    def __init__(self, folder: Path, cache: Path, samples: Path, secrets: Sequence[Path] = ()):
        """Start the workspace and the bot, and index the pictures.

        Args:
            secrets: more pictures for the private channel, where they are called `secret-0` and so on.
        """
        self.library = str(folder / "library")
        self._cache = cache
        pictures = folder / "pictures"
        pictures.mkdir(parents=True)
        shutil.copy(samples / "cat.png", pictures)
        surfaces = Surfaces(channels=True, live=True, assistant=True, shortcut=True, search=True, unfurl=True)
        self.team = Team(
            "socket",
            folder,
            cache,
            self.library,
            TeamOptions(path="/healthz", surfaces=surfaces, image_base_url=IMAGE_BASE_URL),
        )
        slack, workspace = self.team.slack, self.team.slack.workspace
        self.slack, self.workspace = slack, workspace
        add = workspace.team.add_channel
        self.member: User = workspace.me
        self.other: User = slack.call(workspace.team.add_user, "other")
        self.public: Channel = slack.call(add, "photos")
        self.private: Channel = slack.call(add, "board", members=[self.member.id], private=True)
        self.shared: Channel = slack.call(add, "partners", members=[self.member.id])
        self.guest: User = slack.call(workspace.team.add_guest, "guest", self.shared)
        self.stranger: User = slack.call(workspace.team.add_stranger, "stranger", self.shared)
        for channel, name in ((self.public, "eagle.jpg"), (self.private, "dalmatian.jpg"), (self.shared, "geese.jpg")):
            self.share(channel, samples / name)
        for number, path in enumerate(secrets):
            self.share(self.private, Path(shutil.copy(path, folder / f"secret-{number}{path.suffix}")))
        self.sources = [f"slack://{workspace.team.id}", str(pictures)]
        self.index()
        self.wait()

    def wait(self) -> None:
        """Wait until the bot has a version open."""
        until(lambda: answers(f"{self.team.monitor}/readyz"), 60)

    def restart(self) -> None:
        """Restart the bot, which then asks Slack again."""
        self.team.restart()
        self.wait()

    def share(self, channel: Channel, path: Path) -> str:
        person = self.workspace.person()
        file = self.slack.call(person.upload, path.name, path.read_bytes())
        self.slack.run(person.send(channel.id, "", files=[file.id]))
        return str(file.id)

    def act(self, user: User, name: str, channel: Channel) -> None:
        """Let a person change a channel, and wait until the bot knows."""
        self.slack.call(getattr(self.workspace.channel_actions(user), name), channel)
        self.slack.run(self.workspace.settle())

    def index(self) -> None:
        """Index the workspace and the folder."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FINDIMG_SLACK_BOT_TOKEN", self.workspace.bot_token)
            patch.setenv("FINDIMG_SLACK_API_URL", self.workspace.api_url)
            index(Settings(library=self.library, engine="local", cache=self._cache), self.sources)

    def count(self) -> int:
        """Return the number of images in the library."""
        manifest = Library(self.library, self._cache).live_manifest()
        assert manifest
        return manifest.images

    def ask(self, user: User, text: str, channel: str = "") -> Json:
        """Return the answer to a command of a person."""
        person = BrowserUser(self.workspace.address, user.token)
        return person.command(channel or self.workspace.team.direct(user.id).id, text)


def paint(path: Path, number: int) -> Path:
    """Write a small picture of noise, which only pictures with the same number equal, and return its path."""
    pixels = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path
