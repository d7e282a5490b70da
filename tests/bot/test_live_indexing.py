"""Test that pictures in Slack channels are found soon after they were shared, and gone soon after they were deleted.

The bot runs as a process against the local workspace, with an unmodified Bolt and real HTTP.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

import findimg_jobs.indexing.run
from findimg.library.library import Library
from findimg.settings import Settings
from findimg_bot.doctor.examination import examine
from findimg_bot.local_slack.model.state import Channel, File, User
from findimg_bot.slack.manifest import Surfaces
from findimg_jobs.indexing.run import index
from findimg_jobs.store.shards import read_shards
from tests.bot import postgresql
from tests.bot.gallery import paint
from tests.bot.person import BrowserUser, Json, images, until
from tests.bot.team import Team, TeamOptions, answers
from tests.opened import open_catalog

pytestmark = pytest.mark.slow

PATIENCE = 90.0  # seconds, on a busy machine


class IndexedTeam:
    """A workspace whose pictures the bot follows, and the people in it."""

    def __init__(
        self,
        folder: Path,
        cache: Path,
        samples: Path,
        state: str | None = None,
        mode: str = "socket",
        library: str = "",
    ):
        self.library = library or str(folder / "library")
        self.folder = folder
        self.cache = cache
        self.samples = samples
        pictures = folder / "pictures"
        pictures.mkdir(parents=True)
        shutil.copy(samples / "cat.png", pictures)
        self.team = Team(
            mode,
            folder,
            cache,
            self.library,
            TeamOptions(
                path="/healthz",
                surfaces=Surfaces(channels=True, live=True),
                state=state,
                variables={"FINDIMG_LIVE_INDEXING": "on"},
            ),
        )
        self.slack, self.workspace = self.team.slack, self.team.slack.workspace
        self.person: BrowserUser = self.team.person
        self.colleague: User = self.slack.call(self.workspace.team.add_user, "colleague")
        general = self.workspace.team.channel("general")
        assert general
        self.share(general, samples / "strawberries.jpg")
        self.sources = [f"slack://{self.workspace.team.id}", str(pictures)]
        self.index()
        self.wait()

    def wait(self) -> None:
        """Wait until the bot has a version open."""
        until(lambda: answers(f"{self.team.monitor}/readyz"), PATIENCE)

    def index(self) -> None:
        """Index the workspace and the folder, as every night."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FINDIMG_SLACK_BOT_TOKEN", self.workspace.bot_token)
            patch.setenv("FINDIMG_SLACK_API_URL", self.workspace.api_url)
            index(Settings(library=self.library, engine="local", cache=self.cache), self.sources)

    def channel(self, name: str, private: bool = False) -> Channel:
        """Create a channel of all people and the bot."""
        channel: Channel = self.slack.call(self.workspace.team.add_channel, name, private=private)
        return channel

    def share(self, channel: Channel, path: Path) -> File:
        """Share a picture, and return its file."""
        person = self.workspace.person()
        file: File = self.slack.call(person.upload, path.name, path.read_bytes())
        self.slack.run(person.send(channel.id, "", files=[file.id]))
        return file

    def paint(self, name: str) -> Path:
        """Return a small picture that no other one equals."""
        return paint(self.folder / name, len(list(self.folder.iterdir())))

    def act(self, name: str, *arguments: object) -> None:
        """Do something with channels and files, as the first person."""
        self.slack.call(getattr(self.workspace.channel_actions(), name), *arguments)

    def ask(self, text: str) -> Json:
        """Return the answer to a command of a colleague."""
        person, direct = BrowserUser(self.workspace.address, self.colleague.token), self.workspace.team.direct
        place = direct(self.colleague.id).id
        # Waiting for an answer reads the whole conversation.
        self.slack.call(self.workspace.team.messages[place].clear)
        return person.command(place, text)

    def finds(self, name: str) -> bool:
        """Return whether a colleague finds a picture by its file name."""
        return bool(images(self.ask(f'/findimg name:"{name}"')))

    def waits(self, name: str, found: bool = True) -> float:
        """Wait until a picture is found, or gone, and return the seconds."""
        start = time.monotonic()
        while self.finds(name) is not found:
            assert time.monotonic() - start < PATIENCE, f"{name} is {'not found' if found else 'still found'}"
            time.sleep(0.3)
        return time.monotonic() - start

    def channels(self) -> list[str]:
        """Return the ids of the channels with the bot."""
        team = self.workspace.team
        return [
            each.id
            for each in team.channels.values()
            if team.bot.id in each.members and each.kind in ("channels", "groups")
        ]

    def examined(self) -> list[str]:
        """Return what the doctor says about live indexing."""
        secrets = {name: SecretStr(getattr(self.workspace, name)) for name in ("bot_token", "app_token")}
        settings = Settings(
            library=self.library,
            cache=self.cache,
            state=self.team.environment["FINDIMG_STATE"],
            live_indexing="on",
            slack_api_url=self.workspace.api_url,
            **{f"slack_{name}": value for name, value in secrets.items()},
        )
        findings = asyncio.run(examine(settings, http=False))
        assert [each.text for each in findings if not each.ok] == []
        return [each.text for each in findings if each.name.startswith("live ")]

    def indexed(self) -> list[str]:
        """Return the file names of the pictures from Slack in the live version."""
        with open_catalog(Library(self.library, self.cache).open()) as catalog:
            return sorted(uri.rpartition("/")[2] for _, uri in catalog.starting_with("slack://"))


@pytest.fixture(scope="module")
def indexed_team(cache: Path, samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexedTeam]:
    indexed_team = IndexedTeam(tmp_path_factory.mktemp("indexed_team"), cache, samples)
    yield indexed_team
    indexed_team.team.close()


def test_shared_picture_is_found_and_deleted_picture_is_gone(indexed_team: IndexedTeam) -> None:
    channel = indexed_team.channel("photos")
    file = indexed_team.share(channel, indexed_team.samples / "eagle.jpg")
    found = indexed_team.waits("eagle.jpg")
    assert any("/findimg off" in each["text"] for each in indexed_team.person.messages(channel.id))
    assert images(indexed_team.ask("/findimg eagle"))
    indexed_team.act("delete_file", file)
    gone = indexed_team.waits("eagle.jpg", found=False)
    assert not any("eagle" in str(each) for each in images(indexed_team.ask("/findimg eagle")))
    until(lambda: "eagle.jpg" not in indexed_team.indexed(), PATIENCE)
    print(f"found after {found:.1f} s, gone after {gone:.1f} s", file=sys.stderr)


@pytest.mark.long
def test_picture_shared_while_a_run_embeds_is_found_before_and_after_its_end(
    indexed_team: IndexedTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded, may_end = threading.Event(), threading.Event()
    embed_images = findimg_jobs.indexing.run.embed_images

    def embed_slowly(*arguments: object) -> None:
        embed_images(*arguments)
        embedded.set()
        assert may_end.wait(4 * PATIENCE)

    monkeypatch.setattr(findimg_jobs.indexing.run, "embed_images", embed_slowly)
    channel = indexed_team.channel("nightly")
    shutil.copy(indexed_team.paint("folder.png"), indexed_team.folder / "pictures")
    with ThreadPoolExecutor(1) as threads:
        run = threads.submit(indexed_team.index)
        try:
            until(lambda: embedded.is_set() or run.done(), PATIENCE)
            indexed_team.share(channel, indexed_team.paint("nightly.png"))
            found = indexed_team.waits("nightly.png")
            assert not indexed_team.finds("folder.png")
        finally:
            may_end.set()
        run.result(PATIENCE)
    print(f"found {found:.1f} s after it was shared during a run", file=sys.stderr)
    indexed_team.waits("folder.png")
    assert indexed_team.finds("nightly.png")


@pytest.mark.long
def test_picture_without_its_message_is_gone_and_shared_again_is_found(indexed_team: IndexedTeam) -> None:
    channel = indexed_team.channel("mistakes")
    file = indexed_team.share(channel, indexed_team.paint("mistake.png"))
    indexed_team.waits("mistake.png")
    (ts,) = file.shares[channel.id]
    indexed_team.act("delete_message", channel, ts)
    indexed_team.waits("mistake.png", found=False)
    indexed_team.slack.run(indexed_team.workspace.person().send(channel.id, "", files=[file.id]))
    indexed_team.waits("mistake.png")
    # Two messages show it. One of them is enough.
    indexed_team.slack.run(indexed_team.workspace.person().send(channel.id, "again", files=[file.id]))
    indexed_team.act("delete_message", channel, file.shares[channel.id][0])
    indexed_team.slack.run(indexed_team.workspace.settle())
    until(lambda: "mistake.png" in indexed_team.indexed() and indexed_team.finds("mistake.png"), PATIENCE)


@pytest.mark.long
@pytest.mark.parametrize(("closing", "opening"), [("archive", "unarchive"), ("remove_bot", "invite_bot")])
def test_pictures_of_a_closed_channel_are_gone_until_it_is_opened(
    indexed_team: IndexedTeam, closing: str, opening: str
) -> None:
    name = f"{closing}.png".replace("_", "-")
    channel = indexed_team.channel(f"closed-{closing}")
    indexed_team.share(channel, indexed_team.paint(name))
    indexed_team.waits(name)
    indexed_team.act(closing, channel)
    indexed_team.waits(name, found=False)
    until(lambda: name not in indexed_team.indexed(), PATIENCE)
    indexed_team.act(opening, channel)
    indexed_team.waits(name)


@pytest.mark.long
def test_member_switches_a_channel_off_and_on(indexed_team: IndexedTeam) -> None:
    channel = indexed_team.channel("quiet")
    indexed_team.share(channel, indexed_team.paint("quiet.png"))
    indexed_team.waits("quiet.png")
    indexed_team.person.command(channel.id, "/findimg off")
    told = indexed_team.person.wait(channel.id, lambda each: "no longer finds the pictures" in each["text"])
    assert told["text"].startswith(f"<@{indexed_team.workspace.me.id}> switched")
    assert "only_for" not in told
    assert not indexed_team.finds("quiet.png")
    indexed_team.share(channel, indexed_team.paint("unseen.png"))
    until(lambda: "quiet.png" not in indexed_team.indexed(), PATIENCE)
    indexed_team.index()  # a run respects it, too
    assert not {"quiet.png", "unseen.png"} & set(indexed_team.indexed())
    indexed_team.person.command(channel.id, "/findimg on")
    indexed_team.waits("unseen.png")
    indexed_team.waits("quiet.png")


@pytest.mark.long
@pytest.mark.parametrize("lost", ["restart", "connection"])
def test_changes_without_events_are_caught_up(indexed_team: IndexedTeam, lost: str) -> None:
    channel = indexed_team.channel(f"lost-{lost}")
    old, new = f"old-{lost}.png", f"new-{lost}.png"
    file = indexed_team.share(channel, indexed_team.paint(old))
    indexed_team.waits(old)
    retries, indexed_team.workspace.timing.retries = indexed_team.workspace.timing.retries, ()
    try:
        if lost == "restart":
            indexed_team.team.stop()
        else:
            indexed_team.workspace.sockets.switched_on = False
            indexed_team.workspace.faults.drop_sockets()
            until(lambda: indexed_team.workspace.sockets.connections == 0)
        indexed_team.share(channel, indexed_team.paint(new))
        indexed_team.act("delete_file", file)
        indexed_team.slack.run(indexed_team.workspace.settle())
    finally:
        indexed_team.workspace.timing.retries = retries
        indexed_team.workspace.sockets.switched_on = True
        start = time.monotonic()
        if lost == "restart":
            indexed_team.team.start()
            indexed_team.wait()
        until(lambda: indexed_team.workspace.sockets.connections == 1, PATIENCE)
    indexed_team.waits(new)
    found = time.monotonic() - start
    indexed_team.waits(old, found=False)
    print(f"caught up {found:.1f} s after the {lost}, all {time.monotonic() - start:.1f} s", file=sys.stderr)
    until(lambda: old not in indexed_team.indexed(), PATIENCE)


@pytest.mark.long
def test_library_in_s3_is_followed_over_http_and_the_doctor_checks_it(
    s3: str, cache: Path, samples: Path, tmp_path: Path
) -> None:
    indexed_team = IndexedTeam(tmp_path, cache, samples, mode="http", library=f"{s3}/library")
    try:
        channel = indexed_team.channel("photos")
        file = indexed_team.share(channel, indexed_team.samples / "eagle.jpg")
        found = indexed_team.waits("eagle.jpg")
        indexed_team.act("delete_file", file)
        gone = indexed_team.waits("eagle.jpg", found=False)
        until(lambda: "eagle.jpg" not in indexed_team.indexed(), PATIENCE)
        print(f"over HTTP, library in S3: found after {found:.1f} s, gone after {gone:.1f} s", file=sys.stderr)
        assert indexed_team.examined() == [
            "The extra jobs is installed.",
            f"{s3}/library is writable.",
            "The token has the scopes for pictures in channels.",
            f"Pictures of {len(indexed_team.channels())} channels of {indexed_team.workspace.team.id} are indexed.",
            f"The library has all pictures of {indexed_team.workspace.team.id}.",
        ]
        indexed_team.team.stop()
        retries, indexed_team.workspace.timing.retries = indexed_team.workspace.timing.retries, ()
        indexed_team.share(channel, indexed_team.paint("late.png"))
        assert indexed_team.examined()[-1].startswith("1 change of pictures in")
        indexed_team.workspace.timing.retries = retries
    finally:
        indexed_team.team.close()


@pytest.mark.long
def test_burst_is_added_once_by_two_bots_of_which_one_is_killed(
    postgresql_server: postgresql.Server, cache: Path, samples: Path, tmp_path: Path
) -> None:
    indexed_team = IndexedTeam(tmp_path, cache, samples, postgresql_server.create_database())
    other, _ = indexed_team.team.start_another()
    try:
        until(lambda: indexed_team.workspace.sockets.connections == 2, PATIENCE)
        channels = [indexed_team.channel(f"burst-{number}") for number in range(4)]
        start = time.monotonic()
        for number in range(200):
            if number == 100:
                indexed_team.workspace.faults.drop_sockets()
            if number == 150:
                indexed_team.team.kill()  # the one that started first, and so the one that indexes
            indexed_team.share(channels[number % 4], indexed_team.paint(f"burst-{number}.png"))
        expected = sorted(["strawberries.jpg", *(f"burst-{number}.png" for number in range(200))])
        until(lambda: indexed_team.indexed() == expected, 240)
        print(f"all found {time.monotonic() - start:.1f} s after the first", file=sys.stderr)
        library = Library(indexed_team.library, cache)
        added = Counter(
            key.uri for shard in read_shards(library.storage, library.open().manifest.fingerprint) for key in shard.keys
        )
        assert set(added.values()) == {1}
        for channel in channels:
            assert sum("/findimg off" in each["text"] for each in indexed_team.person.messages(channel.id)) == 1
    finally:
        other.kill()
        other.wait()
        indexed_team.team.close()


def test_bot_without_the_extra_jobs_says_what_is_missing(library: str, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError('No module named duckdb')")
    outer = {name: value for name, value in os.environ.items() if not name.startswith("FINDIMG_")}
    variables = {
        "FINDIMG_LIVE_INDEXING": "on",
        "FINDIMG_LIBRARY": library,
        "FINDIMG_CACHE": str(cache),
        "FINDIMG_STATE": str(tmp_path / "bot.sqlite"),
        "FINDIMG_SLACK_BOT_TOKEN": "xoxb-1",
        "FINDIMG_SLACK_APP_TOKEN": "xapp-1",
        "PYTHONPATH": str(tmp_path),
    }
    command = [Path(sys.executable).with_name("findimg-bot"), "serve"]
    done = subprocess.run(command, env=outer | variables, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "Indexing pictures from Slack at once needs findimg's extra jobs. Install it: pip install 'findimg[jobs]'."
    )
    assert "Traceback" not in done.stderr
