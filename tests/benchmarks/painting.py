"""Measure the time from a command to an answer with visible pictures, while each call of Slack takes 200 ms.

Everything is real but Slack: `findimg-bot serve` in Socket Mode, the local workspace, and its page in a browser. The
time begins with the key that sends the command. It ends with the first frame after every picture of the answer is
decoded.
"""

import shutil
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from findimg.settings import Settings
from findimg_jobs.datasets.samples import copy_samples
from findimg_jobs.indexing.run import index
from tests.benchmarks.figures import Figure, load
from tests.bot.team import Team
from tests.e2e.conftest import MISSING, NAMES

LATENCY = 0.2  # seconds for each call, upload and response_url
_WORDS = ("animal", "dog", "car", "bird", "insect", "vehicle", "food", "building", "instrument", "person")
# Resolves with the milliseconds from the next Enter until all pictures of the next answer are painted.
_PAINTED = """() => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error("No answer with pictures came within 20 seconds.")), 20000);
  const before = document.querySelectorAll("#main article").length;
  let started = 0;
  const start = (event) => { if (event.key === "Enter") started ||= performance.now(); };
  addEventListener("keydown", start, {capture: true});
  const frame = () => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
  const look = async () => {
    const articles = document.querySelectorAll("#main article");
    const pictures = articles.length > before ? [...articles[articles.length - 1].querySelectorAll("img")] : [];
    if (!pictures.length) return;
    watching.disconnect();
    for (const each of pictures) each.loading = "eager";
    await Promise.all(pictures.map((each) => each.decode()));
    await frame();
    resolve(performance.now() - started);
  };
  const watching = new MutationObserver(look);
  watching.observe(document.querySelector("#main"), {childList: true, subtree: true});
})"""


def measure(folder: Path, short: bool) -> list[Figure]:
    """Measure answers with new thumbnails, and answers with thumbnails that Slack already has."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        print(f"Not measured: painting. {MISSING}", file=sys.stderr)
        return []
    copy_samples(folder / "painted-samples")
    library = str(folder / "painted")
    index(Settings(library=library, engine="local", cache=folder / "cache"), [str(folder / "painted-samples")])
    (folder / "painting").mkdir()
    team = Team("socket", folder / "painting", folder / "cache", library)
    rounds = 1 if short else 5
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            workspace = team.slack.workspace
            channel = team.person.channel()
            page.goto(f"{workspace.address}/?token={workspace.token}#{channel}")
            _ask(page, "/findimg animal")  # opens the library and draws the page once
            workspace.faults.latency = LATENCY
            new = [_ask_anew(team, page, word) for _ in range(rounds) for word in _WORDS]
            for word in _WORDS:
                _ask(page, f"/findimg {word}")
            seen = [_ask(page, f"/findimg {word}") for _ in range(rounds) for word in _WORDS]
            browser.close()
    finally:
        team.close()
    return _figures("new", new) + _figures("known", seen)


def _figures(which: str, seconds: Sequence[float]) -> list[Figure]:
    name = f"{len(seconds)} commands to painted pictures, {which} thumbnails, p"
    return [
        Figure(f"{name}{percent}", 1000 * float(np.percentile(seconds, percent)), "ms", load=load())
        for percent in (50, 95, 100)
    ]


def _ask_anew(team: Team, page: Page, word: str) -> float:
    """Ask while Slack has none of the thumbnails."""
    with closing(sqlite3.connect(team.environment["FINDIMG_STATE"])) as connection, connection:
        connection.execute("DELETE FROM thumbnails")
    return _ask(page, f"/findimg {word}")


def _ask(page: Page, text: str) -> float:
    """Send a command, and return the seconds until the pictures of its answer are painted."""
    field = page.get_by_role("combobox").last
    field.fill(text)
    page.evaluate(f"() => {{ window.painted = ({_PAINTED})(); }}")
    field.press("Enter")
    return float(page.evaluate("window.painted")) / 1000
