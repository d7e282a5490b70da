"""Use the real bot in the local workspace with a browser."""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from tests.bot.team import Team
from tests.e2e.conftest import Screen, new_page

pytestmark = pytest.mark.slow
PLACES = ("photos", "travel", "design", "events", "press", "products")
NAMES = (f"{place}-{year}" for year in itertools.count(2026) for place in PLACES)


@pytest.fixture(scope="module")
def team(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Yield a workspace with the bot and a library of all sample photographs but one."""
    folder = tmp_path_factory.mktemp("browser")
    shutil.copytree(samples, folder / "photos")
    (folder / "photos" / "strawberries.jpg").unlink()
    index(Settings(library=str(folder / "library"), engine="local", cache=cache), [str(folder / "photos")])
    team = Team("socket", folder, cache, str(folder / "library"))
    yield team
    team.close()


def new_channel(team: Team) -> str:
    """Return an empty channel with a name that screenshots can show."""
    return team.person.channel(next(NAMES))


@pytest.fixture
def channel(team: Team, page: Page) -> str:
    """Open an empty channel in the browser and return it."""
    channel = new_channel(team)
    workspace = team.slack.workspace
    page.goto(f"{workspace.address}/?token={workspace.token}#{channel}")
    expect(field(page)).to_be_focused()
    return channel


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name=re.compile("^Message "))


def messages(page: Page) -> Locator:
    return page.locator("#main article")


def type_in(page: Page, text: str) -> None:
    """Type a message and send it."""
    field(page).fill(text)
    page.keyboard.press("Enter")


def expect_painted(pictures: Locator, count: int) -> None:
    """Wait until images have pixels."""
    expect(pictures).to_have_count(count)
    for number in range(count):
        picture = pictures.nth(number)
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 0


def choose(page: Page, path: Path, then: Locator) -> None:
    """Choose a file through an element that opens the browser's file chooser."""
    with page.expect_file_chooser() as chooser:
        then.click()
    chooser.value.set_files(path)


def choose_action(page: Page, message: Locator, label: str) -> None:
    """Choose an action for the first picture in an answer's menu."""
    menu = message.get_by_role("combobox").first
    menu.select_option(value=menu.locator("option", has_text=label).first.get_attribute("value"))


def count_in_view(page: Page, pictures: Locator) -> int:
    """Return how many pictures are completely inside the list of messages."""
    view = page.locator("#main .scroller").bounding_box()
    assert view
    boxes = [picture.bounding_box() for picture in pictures.all()]
    top, bottom = view["y"], view["y"] + view["height"]
    return sum(box is not None and box["y"] >= top and box["y"] + box["height"] <= bottom for box in boxes)


@pytest.mark.usefixtures("channel")
def test_answer_shows_thumbnails_and_buttons_work(page: Page) -> None:
    type_in(page, "/findimg animal")
    answer = messages(page).last
    expect(answer).to_contain_text("Images for animal · 1 to 8 of 11")
    expect(answer).to_contain_text("Only visible to you")
    expect(page.locator("#sidebar")).not_to_contain_text("null")
    expect_painted(answer.locator(".accessory img"), 8)
    first = answer.inner_text()
    answer.get_by_role("button", name="Next").click()
    expect(answer).to_contain_text("Images for animal · 9 to 11 of 11")
    assert answer.inner_text() != first
    answer.get_by_role("button", name="Previous").click()
    expect(answer).to_contain_text("Images for animal · 1 to 8 of 11")
    choose_action(page, answer, "More like this")
    expect(messages(page)).to_have_count(2)
    expect(messages(page).last).to_contain_text("Images like ")
    expect_painted(messages(page).last.locator(".accessory img"), 8)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080), (390, 844)], ids=str)
def test_six_pictures_are_in_view_without_scrolling(
    browser: Browser, team: Team, complaints: list[str], pictures: Path, size: tuple[int, int], scheme: str
) -> None:
    width, height = size
    workspace, channel = team.slack.workspace, new_channel(team)
    with new_page(browser, Screen(width, height, scheme, touch=width < 720), complaints) as page:
        page.goto(f"{workspace.address}/?token={workspace.token}#{channel}")
        type_in(page, "/findimg animal")
        thumbnails = messages(page).last.locator(".accessory img")
        expect(thumbnails).to_have_count(8)
        for thumbnail in thumbnails.all()[:6]:
            expect(thumbnail).to_have_js_property("complete", True)
            assert thumbnail.evaluate("image => image.naturalWidth") > 0
        assert count_in_view(page, thumbnails) >= 6
        page.screenshot(path=pictures / f"answer-{width}-{scheme}.png", animations="disabled")
    assert complaints == []


@pytest.mark.usefixtures("channel")
def test_share_posts_one_picture_to_the_channel(page: Page) -> None:
    type_in(page, "/findimg dalmatian")
    expect(messages(page)).to_have_count(1)
    choose_action(page, messages(page).last, "Share this one")
    expect(messages(page)).to_have_count(2)
    shared = messages(page).last
    expect(shared).not_to_contain_text("Only visible to you")
    expect(shared).to_contain_text("dalmatian.jpg")


@pytest.mark.usefixtures("channel")
def test_uploaded_photograph_is_tagged_from_the_message_menu(
    page: Page, samples: Path, shoot: Callable[[str], Path]
) -> None:
    choose(page, samples / "dalmatian.jpg", page.get_by_role("button", name=re.compile("upload|attach", re.I)).first)
    field(page).fill("Who is this?")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    page.keyboard.press("Enter")
    message = messages(page).last
    expect(message).to_contain_text("Who is this?")
    message.hover()
    message.get_by_role("button", name=re.compile("more actions", re.I)).click()
    page.get_by_role("menuitem", name="Tag this image").click()
    expect(messages(page)).to_have_count(2)
    expect(messages(page).last).to_contain_text("Tags of dalmatian.jpg:")
    expect_painted(messages(page).last.locator("figure img"), 1)
    shoot("tag")


@pytest.mark.usefixtures("channel")
def test_tag_asks_for_an_image_when_there_is_none(page: Page, samples: Path) -> None:
    type_in(page, "/tag")
    modal = page.get_by_role("dialog", name="Tag an image")
    expect(modal).to_be_visible()
    modal.locator("input[type=file]").set_input_files(samples / "cat.png")
    modal.get_by_role("button", name="Tag it").click()
    expect(modal).to_be_hidden()
    expect(messages(page).last).to_contain_text("Tags of cat.png:")


def test_mention_in_an_image_thread_is_answered_in_the_thread(
    page: Page, team: Team, channel: str, samples: Path, shoot: Callable[[str], Path]
) -> None:
    bot = team.person.state()["bot"]["id"]
    first = team.person.share(channel, samples / "cat.png", "Look!")
    file = team.person.upload("motorcycle-left.png", (samples / "motorcycle-left.png").read_bytes())
    team.person.ask("send", channel=channel, text=f"<@{bot}>", thread_ts=first["ts"], files=[file["id"]])
    page.get_by_text("2 replies").click()
    thread = page.get_by_role("complementary", name=re.compile("thread", re.I))
    answer = thread.locator("article").last
    expect(answer).to_contain_text("Tags of motorcycle-left.png:")
    # The right picture of the stereo pair is folded behind the left one.
    expect(answer).to_contain_text("and 1 near-duplicate")
    expect_painted(answer.locator(".accessory img"), 8)
    shoot("thread")


@pytest.mark.usefixtures("channel")
def test_unknown_word_is_reported_with_suggestions(page: Page) -> None:
    type_in(page, "/findimg elephhhant")
    expect(messages(page).last).to_contain_text("Showing results for 'elephant'")


@pytest.mark.usefixtures("channel")
def test_home_tab_shows_the_library(page: Page, shoot: Callable[[str], Path]) -> None:
    page.get_by_role("link", name="findimg").click()
    page.get_by_role("link", name="Home").click()
    expect(page.locator("#main")).to_contain_text("30 images are indexed")
    shoot("home")


@pytest.mark.usefixtures("channel")
def test_click_works_after_a_restart(page: Page, team: Team) -> None:
    type_in(page, "/findimg animal")
    expect(messages(page).last).to_contain_text("1 to 8")
    team.restart()
    messages(page).last.get_by_role("button", name="Next").click()
    expect(messages(page).last).to_contain_text("9 to 11")


@pytest.mark.usefixtures("channel")
def test_new_version_is_found(page: Page, team: Team, samples: Path, cache: Path) -> None:
    type_in(page, "/findimg strawberry")
    expect(messages(page)).to_have_count(1)
    expect(messages(page).last).not_to_contain_text("strawberries.jpg")
    folder = Path(team.environment["FINDIMG_LIBRARY"]).parent
    shutil.copy(samples / "strawberries.jpg", folder / "photos")
    index(Settings(library=str(folder / "library"), engine="local", cache=cache), [str(folder / "photos")])
    for attempt in range(20):
        type_in(page, "/findimg strawberry")
        expect(messages(page)).to_have_count(attempt + 2)
        if "strawberries.jpg" in messages(page).last.inner_text():
            break
        page.wait_for_timeout(500)
    expect(messages(page).last).to_contain_text("strawberries.jpg")
