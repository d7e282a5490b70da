"""Test that people copy the text of images in Slack, and that uploads are read."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import findimg
from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from tests.bot.person import words
from tests.bot.team import Team, TeamOptions
from tests.shared.ocr.drawn_text import draw_lines

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a library of a photograph and a sign, whose text was read."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "photos").mkdir()
    shutil.copy(samples / "dalmatian.jpg", folder / "photos")
    draw_lines("No parking <!here>", "Monday to Friday", width=600, height=400).save(folder / "photos" / "sign.png")
    settings = Settings(library=str(folder / "library"), engine="local", cache=cache, read_text="all")
    index(settings, [str(folder / "photos")])
    return folder


@pytest.fixture(scope="module")
def team(folder: Path, cache: Path) -> Iterator[Team]:
    team = Team("socket", folder, cache, str(folder / "library"), TeamOptions(read_text="likely"))
    yield team
    team.close()


def test_text_of_an_image_can_be_copied(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg no parking")
    assert "sign.png" in words(answer)
    team.person.choose(channel, answer, "text")
    copied = team.person.wait(channel, lambda each: "Text in *sign.png*" in words(each))
    assert "```No parking &lt;!here&gt;\nMonday to Friday```" in words(copied)


def test_text_of_an_upload_is_beside_its_tags(team: Team, tmp_path: Path) -> None:
    channel = team.person.channel()
    draw_lines("Connection refused", width=600, height=400).save(tmp_path / "screenshot.png")
    team.person.share(channel, tmp_path / "screenshot.png")
    answer = team.person.command(channel, "/tag")
    assert "```Connection refused```" in words(answer)


def test_python_returns_the_text_of_indexed_and_other_images(folder: Path, cache: Path, tmp_path: Path) -> None:
    draw_lines("Gate closes at 9:40", width=600, height=300).save(tmp_path / "gate.png")
    with findimg.open(str(folder / "library"), cache=cache) as library:
        assert library.text(folder / "photos" / "sign.png") == "No parking <!here>\nMonday to Friday"
        assert library.text(folder / "photos" / "dalmatian.jpg") == ""
        assert library.text(tmp_path / "gate.png") == "Gate closes at 9:40"
