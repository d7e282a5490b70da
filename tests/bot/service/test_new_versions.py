"""Test that queries are answered while new versions are published."""

import asyncio
import itertools
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from findimg.settings import Settings
from findimg_bot.local_slack.model.state import Json
from findimg_jobs.indexing.run import IndexOptions, index
from tests.bot.person import images, until, words
from tests.bot.team import Team, TeamOptions

pytestmark = pytest.mark.slow

QUERIES, AT_ONCE, PAUSE = 1000, 8, 0.15
PUBLISHED, SECONDS = 20, 1.2  # the bot looks every second


@pytest.fixture(scope="module")
def versions(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return a library with two versions without a common image: `one` with 12 images, then `two` with 10."""
    folder = tmp_path_factory.mktemp("versions")
    pictures = sorted(path for path in samples.iterdir() if path.suffix in (".jpg", ".png"))
    settings = Settings(library=str(folder / "library"), engine="local", cache=cache)
    names = []
    for name, chosen in (("one", pictures[:12]), ("two", pictures[12:22])):
        (folder / name).mkdir()
        for path in chosen:
            shutil.copy(path, folder / name)
        report = index(settings, [str(folder / name)], IndexOptions(allow_shrink=True))
        names.append(str(report.version))
    return folder / "library", names


@pytest.fixture(scope="module")
def changing_team(
    versions: tuple[Path, list[str]], cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    team = Team("http", tmp_path_factory.mktemp("changing_team"), cache, str(versions[0]))
    yield team
    team.close()


def publish(library: Path, version: str) -> None:
    """Publish a version as findimg-jobs does: replace CURRENT in one step."""
    (library / "CURRENT.new").write_text(version)
    (library / "CURRENT.new").replace(library / "CURRENT")


@pytest.mark.long
def test_each_answer_comes_from_one_version(changing_team: Team, versions: tuple[Path, list[str]]) -> None:
    library, names = versions
    pictures = {
        str(len(list(folder.iterdir()))): {path.name for path in folder.iterdir()}
        for folder in (library.parent / "one", library.parent / "two")
    }
    answers, published = changing_team.slack.run(ask_while_publishing(changing_team, library, names), 300)
    assert len(answers) == QUERIES
    assert published >= PUBLISHED
    counts = set()
    for answer in answers:
        count = re.search(r"(\d+) images · indexed", words(answer))
        assert count, words(answer)
        shown = {image["alt_text"].split(":")[0] for image in images(answer)}
        assert shown
        assert shown <= pictures[count[1]]
        counts.add(count[1])
    assert counts == set(pictures)


async def ask_while_publishing(team: Team, library: Path, names: list[str]) -> tuple[list[Json], int]:
    """Ask QUERIES questions, AT_ONCE at a time, while CURRENT changes. Return the answers and the number of changes."""
    workspace = team.slack.workspace
    person, numbers = workspace.person(), iter(range(QUERIES))
    page = workspace.services.page_updates.open(workspace.team, workspace.me)
    waiting: dict[str, asyncio.Future[Json]] = {}
    answers: list[Json] = []

    async def read() -> None:
        while True:
            told = await page.get()
            if told["type"] == "message" and told["message"].get("blocks"):
                waiting[told["channel"]].set_result(told["message"])

    async def ask(number: int) -> None:
        channel = workspace.team.add_channel(f"published{number}", bot=True).id
        while next(numbers, None) is not None:
            waiting[channel] = asyncio.get_running_loop().create_future()
            await person.send(channel, "/findimg animal" if number % 2 else "/findimg thing")
            answers.append(await asyncio.wait_for(waiting[channel], 30))
            await asyncio.sleep(PAUSE)

    async def change() -> int:
        for count, name in enumerate(itertools.cycle(reversed(names)), 1):
            publish(library, name)
            await asyncio.sleep(SECONDS)
            if len(answers) == QUERIES:
                return count
        raise AssertionError

    reading = asyncio.create_task(read())
    _, published = await asyncio.gather(asyncio.gather(*(ask(number) for number in range(AT_ONCE))), change())
    reading.cancel()
    return answers, published


def test_thumbnail_of_a_removed_image_is_deleted_in_slack(
    changing_team: Team, versions: tuple[Path, list[str]]
) -> None:
    library, names = versions
    publish(library, names[0])
    channel = changing_team.person.channel()
    until(lambda: "12 images" in words(changing_team.person.command(channel, "/findimg animal")))
    files = [image["slack_file"]["id"] for image in images(changing_team.person.command(channel, "/findimg animal"))]
    publish(library, names[1])
    kept = changing_team.slack.workspace.team.files
    until(lambda: all(file not in kept or kept[file].deleted for file in files))


def test_first_published_version_needs_no_restart(samples: Path, cache: Path, tmp_path: Path) -> None:
    team = Team("http", tmp_path, cache, str(tmp_path / "library"), TeamOptions(path="/healthz"))
    try:
        channel = team.person.channel()
        assert "Images cannot be searched at the moment" in words(team.person.command(channel, "/findimg cat"))
        (tmp_path / "photos").mkdir()
        shutil.copy(samples / "cat.png", tmp_path / "photos")
        index(Settings(library=str(tmp_path / "library"), engine="local", cache=cache), [str(tmp_path / "photos")])
        start = time.monotonic()
        until(lambda: "cat.png" in words(team.person.command(channel, "/findimg cat")))
        assert time.monotonic() - start < 30
    finally:
        team.close()
