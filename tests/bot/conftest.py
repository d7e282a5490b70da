"""What tests of the bot share: a team that asks it, in each mode."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.team import Team

MODES = ("socket", "http")


@pytest.fixture(scope="session", params=MODES)
def team(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """A workspace and the bot, in Socket Mode, then over HTTP."""
    team = Team(request.param, tmp_path_factory.mktemp("team"), cache, library)
    yield team
    team.close()
