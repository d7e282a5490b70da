"""Run every command of the runbook, except those that need an account or another machine."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Home, new_home, shell_commands

PROJECT = Path(__file__).parents[1]
RUNBOOK = (PROJECT / "docs" / "runbook.md").read_text()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Yield a home whose library has two versions."""
    with new_home(tmp_path_factory.mktemp("runbook")) as home:
        home.environment["NIGHTLY_SOURCES"] = str(home.folder / "Pictures")
        home.environment["FINDIMG_ENGINE"] = "local"
        home.run('findimg-jobs index "$NIGHTLY_SOURCES"')
        shutil.copy(home.folder / "Pictures" / "eagle.jpg", home.folder / "Pictures" / "copy-of-eagle.jpg")
        home.run('findimg-jobs index "$NIGHTLY_SOURCES"')
        yield home


@pytest.mark.long
@pytest.mark.parametrize("command", shell_commands(RUNBOOK))
def test_runbook_command_works(home: Home, command: str) -> None:
    """They run in the runbook's order in one home."""
    assert home.run(command).strip()


def test_skipped_runbook_commands_need_an_account() -> None:
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in blocks} == {"sh", "sh account"}
    for kind, block in blocks:
        if kind == "sh account":
            for line in block.splitlines():
                assert re.match(r"(kubectl|aws|systemctl|journalctl|curl) ", line), line


def test_runbook_links_are_valid() -> None:
    titles = {title.lower().replace("'", "").replace(" ", "-") for title in re.findall(r"^## (.*)$", RUNBOOK, re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= titles
    security = (PROJECT / "SECURITY.md").read_text()
    assert set(re.findall(r"docs/runbook\.md#([^)]+)\)", security)) <= titles
