"""Fixtures: a real browser, and pages that must have no errors and load nothing from other hosts."""

import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MISSING = (
    "No Chromium was found, so nothing of the page was tested. Install one: apt install chromium (Debian, Ubuntu), "
    "brew install --cask chromium (macOS), or .venv/bin/playwright install chromium."
)
PATIENCE = 20_000  # milliseconds until what should come is given up
_FAILED = pytest.StashKey[bool]()


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen. Parametrise `screen` for another one."""

    width: int = 1280
    height: int = 800
    scheme: Any = "light"
    touch: bool = False


DARK = Screen(scheme="dark")
PHONE = Screen(390, 844, touch=True)


# Of a module, not of the session: while Playwright runs, nothing else in this thread can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield the system's Chromium, or Playwright's own."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = next(filter(None, map(shutil.which, NAMES)), own)
        if not Path(path).is_file():
            # pytest -q shows no reasons, and our own warnings are errors; this one has to be seen.
            warnings.warn_explicit(MISSING, pytest.PytestWarning, __file__, 1, module="browser")
            pytest.skip(MISSING)
        expect.set_options(timeout=PATIENCE)
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture
def screen() -> Screen:
    """Return a desktop screen in light colours."""
    return Screen()


@pytest.fixture
def complaints() -> list[str]:
    """Yield a list of the page's errors, alerts and requests to other hosts. It must be empty at the end."""
    return []


@pytest.fixture
def page(
    browser: Browser, screen: Screen, complaints: list[str], pictures: Path, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """Yield an empty page of a new browser context."""
    with new_page(browser, screen, complaints) as page:
        yield page
        shoot_if_failed(page, request, pictures)
    assert complaints == []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for screenshots: FINDIMG_SCREENSHOTS, or a temporary folder."""
    wanted = os.environ.get("FINDIMG_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def shoot(page: Page, pictures: Path) -> Callable[[str], Path]:
    """Return a function that takes a named screenshot."""

    def shoot(name: str) -> Path:
        path = pictures / f"{_file_name(name)}.png"
        page.screenshot(path=path, animations="disabled")
        return path

    return shoot


@contextmanager
def new_page(browser: Browser, screen: Screen, complaints: list[str]) -> Iterator[Page]:
    """Yield a page of a new browser context, and collect its complaints in a list."""
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        color_scheme=screen.scheme,
        has_touch=screen.touch,
        is_mobile=screen.touch,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    _listen(page, complaints)
    yield page
    context.close()


def shoot_if_failed(page: Page, request: pytest.FixtureRequest, pictures: Path) -> None:
    """Take a screenshot if the test failed."""
    if request.node.stash.get(_FAILED, False):
        page.screenshot(path=pictures / f"failed-{_file_name(request.node.name)}.png")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Record whether a test failed, for its screenshot."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def _listen(page: Page, complaints: list[str]) -> None:
    origin = ""

    def asked(request: Request) -> None:
        nonlocal origin
        address = urlsplit(request.url)
        origin = origin or address.netloc
        if address.netloc != origin and address.scheme not in ("blob", "data"):
            complaints.append(f"asked for {request.url}")

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def alerted(dialog: Dialog) -> None:
        complaints.append(f"alerted {dialog.message}")
        dialog.dismiss()

    page.on("request", asked)
    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(f"threw {error}"))
    page.on("dialog", alerted)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)
