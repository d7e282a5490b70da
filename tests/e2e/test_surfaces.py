"""Use Slack's optional surfaces in the local workspace with a browser."""

import itertools
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from tests.bot.conftest import ALL_SURFACES, IMAGE_BASE_URL
from tests.bot.team import Team, TeamOptions
from tests.e2e.conftest import Screen, new_page

pytestmark = pytest.mark.slow
SIZES = [(1280, 800), (1920, 1080), (390, 844)]
NAMES = (f"{place}-{number}" for number in itertools.count(2026) for place in ("photos", "travel", "design"))
Look = Callable[..., None]


@pytest.fixture(scope="module")
def team(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Yield a workspace whose app has all surfaces, and the bot with a library of the sample photographs."""
    folder = tmp_path_factory.mktemp("surfaces")
    shutil.copytree(samples, folder / "photos")
    index(Settings(library=str(folder / "library"), engine="local", cache=cache), [str(folder / "photos")])
    team = Team(
        "socket",
        folder,
        cache,
        str(folder / "library"),
        TeamOptions(surfaces=ALL_SURFACES, image_base_url=IMAGE_BASE_URL),
    )
    yield team
    team.close()


@pytest.fixture(scope="module")
def public_thumbnails(team: Team) -> Iterator[str]:
    """Serve the library's thumbnails at a public address, restart the bot with it, and yield it."""
    handler = partial(QuietHandler, directory=team.environment["FINDIMG_LIBRARY"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    team.stop()
    team.environment["FINDIMG_THUMBNAIL_BASE_URL"] = address
    team.start()
    yield address
    server.shutdown()
    server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """A file server without a log."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=SIZES, ids=str)
def look(request: pytest.FixtureRequest, browser: Browser, team: Team, complaints: list[str], pictures: Path) -> Look:
    """Return a function that opens an address of the page in both colour schemes, uses it, and takes screenshots."""
    width, height = request.param

    def look(
        address: str | Callable[[], str], use: Callable[[Page], None], leave: Callable[[], None] = lambda: None
    ) -> None:
        for scheme in ("light", "dark"):
            with new_page(browser, Screen(width, height, scheme, touch=width < 720), complaints) as page:
                workspace = team.slack.workspace
                opened = address if isinstance(address, str) else address()
                page.goto(f"{workspace.address}/?token={workspace.token}#{opened}")
                use(page)
                name = re.sub(r"\W", "", request.node.originalname.removeprefix("test_"))
                page.screenshot(path=pictures / f"{name}-{width}-{scheme}.png", animations="disabled")
                leave()
        # Slack would load public thumbnails itself.
        public = team.environment.get("FINDIMG_THUMBNAIL_BASE_URL", "none")
        assert [each for each in complaints if public not in each] == []

    return look


def test_assistant_panel(team: Team, look: Look, samples: Path) -> None:
    channel = team.person.channel(next(NAMES))
    team.person.share(channel, samples / "dalmatian.jpg", "Who is this?")

    def use(page: Page) -> None:
        page.get_by_role("link", name="Ask findimg").click()
        panel = page.get_by_role("complementary", name="Assistant findimg")
        panel.get_by_role("button", name="What is on the newest picture in this channel?").click()
        expect(panel.locator("article").last).to_contain_text("Tags of dalmatian.jpg")
        expect(panel.locator("article").last.locator("figure img")).to_have_js_property("complete", True)

    look(channel, use)


def test_link_preview(team: Team, look: Look) -> None:
    channel = team.person.channel(next(NAMES))
    text = f"Which one: {IMAGE_BASE_URL}dalmatian.jpg or {IMAGE_BASE_URL}rocket.jpg"
    team.person.ask("send", channel=channel, text=text)

    def use(page: Page) -> None:
        message = page.locator("#main article").last
        expect(message.locator(".preview")).to_have_count(2)
        for picture in message.locator(".accessory img").all():
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("image => image.naturalWidth") > 0

    look(channel, use)


def test_enterprise_search(team: Team, look: Look) -> None:
    def use(page: Page) -> None:
        if page.viewport_size and page.viewport_size["width"] < 720:
            page.get_by_role("button", name="Channels and apps").click()
        field = page.get_by_role("searchbox", name="Search with findimg")
        field.fill("animal")
        field.press("Enter")
        dialog = page.get_by_role("dialog", name="Results for “animal”")
        expect(dialog).to_contain_text("dalmatian.jpg")

    look(team.person.channel(next(NAMES)), use)


def test_workflow_step(team: Team, look: Look) -> None:
    def use(page: Page) -> None:
        page.get_by_role("button", name="Shortcuts").click()
        page.get_by_role("menuitem", name="Workflow step: Find pictures").click()
        dialog = page.get_by_role("dialog", name="Workflow step: Find pictures")
        dialog.get_by_label("Words").fill("animal")
        dialog.get_by_label("Number of pictures").fill("3")
        dialog.get_by_role("button", name="Run the step").click()
        expect(dialog.get_by_role("link")).to_have_count(4)

    look(team.person.channel(next(NAMES)), use)


def test_carousel(team: Team, public_thumbnails: str, look: Look, complaints: list[str]) -> None:
    def use(page: Page) -> None:
        page.get_by_role("combobox", name=re.compile("^Message ")).fill("/findimg animal")
        page.keyboard.press("Enter")
        cards = page.locator("#main article").last.locator(".block.card")
        expect(cards).to_have_count(8)
        for number in range(8):
            card = cards.nth(number)
            card.scroll_into_view_if_needed()
            picture = card.locator("img")
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("image => image.naturalWidth") > 0
            assert card.get_by_role("button", name="More like this").is_visible()
        cards.first.scroll_into_view_if_needed()
        complaints[:] = [each for each in complaints if public_thumbnails not in each]

    look(lambda: team.person.channel(next(NAMES)), use)


def test_shortcut_find_a_picture(team: Team, look: Look) -> None:
    def use(page: Page) -> None:
        page.get_by_role("button", name="Shortcuts").click()
        page.get_by_role("menuitem", name="Find a picture").click()
        modal = page.get_by_role("dialog", name="Find a picture")
        modal.get_by_role("textbox").fill("animal")
        modal.get_by_role("button", name="Find").click()
        pictures = modal.locator(".accessory img")
        expect(pictures).to_have_count(8)
        expect(pictures.first).to_have_js_property("complete", True)
        expect(modal.get_by_role("button", name="Share")).to_be_visible()

    def close() -> None:
        team.person.ask("close", view_id=team.person.state()["modal"]["id"])

    look(team.person.channel(next(NAMES)), use, close)
