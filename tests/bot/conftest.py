"""Fixtures: a team that uses the bot, in each mode."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from findimg_bot.slack.manifest import Surfaces
from findimg_bot.slack.pictures import thumbnails
from findimg_bot.state.database import Database
from tests.bot import postgresql
from tests.bot.team import Team, TeamOptions

MODES = ("socket", pytest.param("http", marks=pytest.mark.long))  # both ways use the same listeners
ALL_SURFACES = Surfaces(**{field.name: True for field in fields(Surfaces)})
IMAGE_BASE_URL = "https://images.example.com/photos/"


@pytest.fixture(scope="session", autouse=True)
def patience_with_thumbnails() -> Iterator[None]:
    """Wait for thumbnails as long as a busy machine needs, instead of showing one contact sheet after some seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thumbnails, "EACH_SECONDS", 15.0)
        yield


@pytest.fixture(scope="session", params=MODES)
def team(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """Yield a workspace and the bot, first in Socket Mode, then over HTTP."""
    team = Team(request.param, tmp_path_factory.mktemp("team"), cache, library)
    yield team
    team.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """Yield a PostgreSQL server."""
    yield from postgresql.serve()


@pytest.fixture(params=["sqlite", "postgresql"])
def state_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a new state of the bot, of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "folder" / "bot.sqlite")
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.create_database()


@pytest.fixture
def database(state_address: str) -> Iterator[Database]:
    """Yield the database of the bot's state."""
    database = Database(state_address)
    yield database
    database.close()


@pytest.fixture(scope="session", params=MODES)
def equipped(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """Yield a workspace whose app has all optional surfaces, and the bot, first in Socket Mode, then over HTTP."""
    folder = tmp_path_factory.mktemp("equipped")
    team = Team(
        request.param, folder, cache, library, TeamOptions(surfaces=ALL_SURFACES, image_base_url=IMAGE_BASE_URL)
    )
    yield team
    team.close()
