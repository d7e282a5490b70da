"""Teach a name in one browser, and find its pictures in another."""

import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageOps
from playwright.sync_api import Browser, Locator, Page, expect

import findimg
from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from tests.bot.team import Team
from tests.e2e.conftest import Screen, new_page

pytestmark = pytest.mark.slow
ROWS = ".section:has(.accessory > .picture)"
LABELS = ("lotus", "sunflower", "crab")  # of the photographs


@dataclass(frozen=True, slots=True)
class Case:
    """A name of which the library shows pictures that no search finds."""

    name: str
    look_for: str  # finds one of the pictures
    right: frozenset[str]  # names of the pictures' files, which do not say what they show
    library: str


def draw_badge(background: Path, path: Path, number: int) -> None:
    """Write a picture of an invented company's badge, three rings of its colours and a bar, before a photograph."""
    chance = random.Random(number)
    picture = ImageOps.fit(Image.open(background).convert("RGB"), (360, 270))
    pen = ImageDraw.Draw(picture)
    x, y, size = chance.randrange(120, 240), chance.randrange(110, 160), chance.randrange(90, 120)
    for ring, colour in enumerate(("#e4007c", "#10d0c0", "#5a1fd1", "#ffe600")):
        radius = size * (4 - ring) // 4
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    pen.rectangle((x - size, y - 8, x + size, y + 8), fill="#101010")
    picture.save(path)


def lotus_photos(photos: Path, folder: Path) -> frozenset[str]:
    """Fill a folder with some of the 1,400 photographs under neutral names. Return the names of those of a lotus."""
    right = set()
    paths = [path for label in LABELS for path in sorted((photos / "labelled" / label).iterdir())]
    for number, path in enumerate(paths):
        name = f"p{number:04}{path.suffix}"
        shutil.copy(path, folder / name)
        if path.parent.name == "lotus":
            right.add(name)
    return frozenset(right)


def drawn_photos(samples: Path, folder: Path) -> frozenset[str]:
    """Fill a folder with the sample photographs, and with drawn pictures. Return the names of the drawn ones."""
    backgrounds = sorted(path for path in samples.iterdir() if path.suffix in (".jpg", ".png"))
    for path in backgrounds:
        shutil.copy(path, folder / path.name)
    names = [f"p{number:04}.png" for number in range(14)]
    for number, name in enumerate(names):
        draw_badge(backgrounds[2 * number], folder / name, number)
    return frozenset(names)


@pytest.fixture(scope="module", params=["lotus", "drawn"])
def case(request: pytest.FixtureRequest, samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Return the name *lotus* with photographs, which is skipped without them, and an invented name."""
    folder = tmp_path_factory.mktemp("teaching")
    source, library = folder / "archive", str(folder / "library")
    source.mkdir()
    if request.param == "lotus":
        right = lotus_photos(request.getfixturevalue("photos"), source)
        case = Case("lotus", "flower on the water", right, library)
    else:
        case = Case("zorblat", "name:p0003", drawn_photos(samples, source), library)
    index(Settings(library=library, engine="local", cache=cache), [str(source)])
    return case


@pytest.fixture(scope="module")
def team(case: Case, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Yield a workspace with the bot."""
    team = Team("socket", tmp_path_factory.mktemp("team"), cache, case.library)
    yield team
    team.close()


@contextmanager
def page_of(browser: Browser, team: Team, token: str, complaints: list[str]) -> Iterator[Page]:
    """Yield a page of a person in the channel `general`."""
    workspace = team.slack.workspace
    with new_page(browser, Screen(height=1000), complaints) as page:
        page.goto(f"{workspace.address}/?token={token}#{workspace.team.channel('general').id}")
        yield page


def ask(page: Page, text: str) -> Locator:
    """Send a command and return its answer."""
    answers = page.locator("#main article")
    count = answers.count()
    page.get_by_role("combobox", name=re.compile("^Message ")).fill(text)
    page.keyboard.press("Enter")
    expect(answers).to_have_count(count + 1)
    return answers.last


def right_hits(answer: Locator, case: Case) -> int:
    """Return how many of the first ten hits of an answer are right."""
    answer.get_by_role("button", name="Teach").wait_for()
    names = [_name(text) for text in answer.locator(ROWS).all_inner_texts()]
    following = answer.get_by_role("button", name="Next")
    if following.count():
        following.click()
        expect(answer).to_contain_text("9 to ")
        names += [_name(text) for text in answer.locator(ROWS).all_inner_texts()]
    return sum(name in case.right for name in names[:10])


def _name(row: str) -> str:
    return row.split()[1]


def places(case: Case, search: Callable[[findimg.OpenedLibrary], list[findimg.Hit]]) -> list[int]:
    """Return which of the first eight hits are right, from 0."""
    with findimg.open(case.library) as library:
        return [place for place, hit in enumerate(search(library)[:8]) if Path(hit.uri).name in case.right]


def tick(modal: Locator, place: int) -> None:
    """Tick a picture as one that shows the name."""
    modal.get_by_role("group", name=re.compile("^These show")).get_by_role("checkbox").nth(place).check()


def test_name_is_taught_in_one_modal_and_found_in_a_second_browser(
    browser: Browser, team: Team, case: Case, complaints: list[str], pictures: Path
) -> None:
    workspace = team.slack.workspace
    colleague = team.slack.call(workspace.team.add_user, "colleague")
    with (
        page_of(browser, team, workspace.token, complaints) as page,
        page_of(browser, team, colleague.token, complaints) as second,
    ):
        answer = ask(page, f"/findimg {case.name}")
        assert right_hits(answer, case) == 0
        answer.get_by_role("button", name="Teach").click()
        modal = page.get_by_role("dialog", name="Teach a name")
        expect(modal.get_by_label("Name, as people will search for it")).to_have_value(case.name)
        found = places(case, lambda library: library.search(case.look_for))
        modal.get_by_label("Look for more pictures of it").fill(case.look_for)
        page.keyboard.press("Enter")
        expect(modal).to_contain_text(f"Images for {case.look_for}")
        tick(modal, found[0])
        with findimg.open(case.library) as library:
            first = library.search(case.look_for)[found[0]].uri
        modal.get_by_role("button", name="More like the ticked ones").click()
        expect(modal).to_contain_text(f"Images like {Path(first).name}")
        expect(modal).to_contain_text("You chose 1 picture on other pages")
        for place in places(case, lambda library: library.similar(first))[:3]:
            tick(modal, place)
        page.screenshot(path=pictures / f"teach-{case.name}.png", animations="disabled")
        modal.get_by_role("button", name="Teach", exact=True).click()
        expect(modal).to_be_hidden()
        confirmed = page.locator("#main article").last
        expect(confirmed).to_contain_text(f"findimg knows {case.name} now: 4 pictures show it.")
        page.screenshot(path=pictures / f"taught-{case.name}.png", animations="disabled")
        assert right_hits(confirmed, case) == 10
        assert right_hits(ask(second, f"/findimg {case.name}"), case) == 10
    assert complaints == []
