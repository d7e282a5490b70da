"""Ask in Slack while a library gets a second image–text encoder, uses it, and loses the first one."""

import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from findimg.library.library import Library
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.maintenance.encoder_roles import remove_encoder, use_encoders
from tests.bot.person import Json, images, until, words
from tests.bot.team import Team
from tests.sentences import draw_things, settings
from tests.shared.encoders.made_clip import make_agreeing_folder

pytestmark = pytest.mark.long
FIRST, SECOND = "onnx-clip", "clip-b32"


@pytest.fixture
def place(things: Path, tmp_path: Path) -> Path:
    """Return a folder with a copy of the library of sentences, and another model."""
    shutil.copytree(things / "library", tmp_path / "library")
    make_agreeing_folder(tmp_path / "other model", seed=2, dim=32)
    return tmp_path


@pytest.fixture
def team(place: Path, cache: Path) -> Iterator[Team]:
    team = Team("socket", place, cache, str(place / "library"))
    yield team
    team.close()


def serves(team: Team, version: str) -> None:
    """Wait until the bot answers from a version."""

    def is_serving() -> bool:
        with urllib.request.urlopen(f"{team.monitor}/metrics", timeout=5) as page:
            return f'findimg_version_info{{version="{version}"}} 1.0' in page.read().decode()

    until(is_serving)


def shown(message: Json) -> list[str]:
    """Return the names of the pictures of an answer, best first: `sea-0.png`."""
    found = re.findall(r"[a-z-]+-\d\.png", words(message) + " ".join(each["alt_text"] for each in images(message)))
    return list(dict.fromkeys(found))


def test_sentences_are_answered_while_encoders_are_added_used_and_removed(
    team: Team, place: Path, things: Path, cache: Path
) -> None:
    channel, direct, library = team.person.channel(), team.person.direct(), Library(str(place / "library"), cache)

    def ask_both() -> None:
        answer = team.person.command(channel, "/findimg a photo of the sea -snow -roses")
        assert shown(answer)[0].startswith("sea-"), words(answer)
        before = {each["ts"] for each in team.person.messages(direct)}
        team.person.ask("send", channel=direct, text="snow on the grass, please")
        answer = team.person.wait(direct, lambda each: each["ts"] not in before and bool(images(each)))
        assert shown(answer)[0].startswith("grass-snow-"), words(answer)

    ask_both()
    other = settings(things, cache).model_copy(
        update={"library": library.uri, "backbone": SECOND, "weights": str(place / "other model"), "engine": "ray"}
    )
    added = index(other, [str(things / "pictures")], IndexOptions(from_thumbnails=True))
    serves(team, str(added.version))
    ask_both()
    for by_image, by_words in ((None, SECOND), (SECOND, SECOND)):
        manifest = use_encoders(library, by_image, by_words)
        serves(team, manifest.version)
        ask_both()
    (place / "other model").rename(place / "gone")
    shutil.copytree(things / "pictures", place / "pictures")
    draw_things(place / "pictures", ("sea-coal",), copies=1)
    without = other.model_copy(update={"backbone": "", "weights": ""})
    night = index(without, [str(place / "pictures")])  # both encoders come from the library
    assert (night.failed, night.images) == (0, 25)
    serves(team, str(night.version))
    ask_both()
    left = remove_encoder(library, FIRST)
    assert (left.backbone, left.second) == (SECOND, None)
    serves(team, left.version)
    ask_both()
    picture = place / "new.png"
    shutil.copyfile(things / "pictures" / "grass-snow-1.png", picture)
    shared = team.person.share(direct, picture)
    answer = team.person.wait(direct, lambda each: each["ts"] > shared["ts"] and bool(images(each)))
    assert "snow" in words(answer).partition("Images like")[0], words(answer)
