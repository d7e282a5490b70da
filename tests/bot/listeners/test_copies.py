import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from tests.bot.conftest import MODES
from tests.bot.person import images, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=MODES)
def copied(
    request: pytest.FixtureRequest, samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """Yield a team whose library holds one photograph in three folders."""
    folder = tmp_path_factory.mktemp("copied")
    for name in ("2024", "backup", "backup of backup"):
        (folder / "photos" / name).mkdir(parents=True)
        shutil.copy(samples / "cat.png", folder / "photos" / name)
    shutil.copy(samples / "dalmatian.jpg", folder / "photos")
    library = str(folder / "library")
    index(Settings(library=library, engine="local", cache=cache), [str(folder / "photos")])
    team = Team(request.param, folder, cache, library)
    yield team
    team.close()


def test_copies_are_one_row_and_can_be_listed(copied: Team) -> None:
    channel = copied.person.channel()
    answer = copied.person.command(channel, "/findimg cat")
    assert [image["alt_text"].split(":")[0] for image in images(answer)].count("cat.png") == 1
    assert "and 2 copies" in words(answer)
    copied.person.choose(channel, answer, "copies")
    listed = copied.person.wait(channel, lambda each: "Copies of *cat.png*" in words(each))
    assert words(listed).count("/cat.png") == 2
    assert "Equal files" in words(listed)
