"""One workspace with a small bot for the tests of each module, and its page in the browser."""

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from findimg_bot.slack.manifest import read_manifest
from tests.bot.team import WorkspaceThread
from tests.e2e.conftest import Screen, new_page, shoot_if_failed
from tests.e2e.workspace_page.parts import Room, TinyBot, acknowledge


@pytest.fixture(scope="module")
def slack() -> Iterator[WorkspaceThread]:
    """Yield one workspace for all tests of this module."""
    slack = WorkspaceThread(read_manifest())
    yield slack
    slack.stop()


@pytest.fixture(scope="module")
def connected(slack: WorkspaceThread) -> Iterator[TinyBot]:
    """Yield the bot of this workspace."""
    bot = TinyBot(slack)
    slack.run(bot.connect())
    yield bot
    slack.run(bot.close())


@pytest.fixture
def bot(slack: WorkspaceThread, connected: TinyBot) -> Iterator[TinyBot]:
    """Yield the bot without recorded requests. Close its modals afterwards."""
    slack.run(slack.workspace.settle())
    connected.answer = acknowledge
    connected.told = queue.Queue()
    yield connected
    slack.workspace.team.modals.clear()


@pytest.fixture
def room(slack: WorkspaceThread) -> Room:
    """Return an empty channel."""
    return Room(slack)


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page that most tests share, because a new one takes a second, and its complaints."""
    complaints: list[str] = []
    with new_page(browser, Screen(), complaints) as page:
        yield page, complaints


@pytest.fixture
def opened(
    window: tuple[Page, list[str]], room: Room, request: pytest.FixtureRequest, pictures: Path
) -> Iterator[Page]:
    """Yield the page, loaded again, at the empty channel."""
    page, complaints = window
    complaints.clear()
    page.goto(room.address)
    expect(page.get_by_role("heading", name=room.name)).to_be_visible()
    yield page
    shoot_if_failed(page, request, pictures)
    assert complaints == []
