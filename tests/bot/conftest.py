"""Fixtures: a team that uses the bot, in each mode."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.team import Team

MODES = ("socket", "http")


@pytest.fixture(scope="session", params=MODES)
def team(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """Yield a workspace and the bot, first in Socket Mode, then over HTTP."""
    team = Team(request.param, tmp_path_factory.mktemp("team"), cache, library)
    yield team
    team.close()
