"""Run every command of the tour, except the download."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Home, label, new_home, shell_commands

PROJECT = Path(__file__).parents[1]
TOUR = (PROJECT / "docs" / "tour.md").read_text()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Yield a home with views of some sample photographs, sorted by content, in place of the download."""
    with new_home(tmp_path_factory.mktemp("tour")) as home:
        label(home.folder / "Pictures", home.folder / "pascal")
        home.environment["FINDIMG_ENGINE"] = "local"
        yield home


@pytest.mark.long
@pytest.mark.parametrize("command", shell_commands(TOUR))
def test_tour_command_works(home: Home, command: str) -> None:
    """They run in the tour's order in one home."""
    printed = home.run(command)
    assert printed.strip()
    assert "Nothing here shows" not in printed


def test_only_the_download_is_skipped() -> None:
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", TOUR, re.MULTILINE | re.DOTALL)
    unrun = [block for kind, block in blocks if kind == "sh network"]
    assert {kind for kind, _ in blocks} == {"sh", "sh network"}
    assert unrun == ["findimg-jobs samples ~/pascal --pascal\n"]


def test_tour_pictures_exist() -> None:
    for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TOUR):
        assert (PROJECT / "docs" / picture).is_file(), picture
