"""Measure how fast the bot acknowledges and answers while many people ask and uploaded images are embedded.

Everything is real but Slack: `findimg-bot serve` as a process of its own, over HTTP or a WebSocket, against the local
workspace, which runs here and takes its share of the same cores: what is measured is what a person there would see.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from findimg.settings import Settings
from findimg_bot.local_slack.model.state import Json
from findimg_bot.local_slack.server import Workspace
from findimg_jobs.datasets.samples import copy_samples
from findimg_jobs.indexing.run import index
from tests.benchmarks.figures import Figure, load
from tests.bot.person import images
from tests.bot.team import Team

_PATIENCE = 60.0  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Load:
    """The times that people at the workspace measured."""

    asked: int
    failed: int  # commands without an acknowledgement, or without images in the answer
    tagged: int  # uploaded images that were tagged meanwhile
    acknowledged: Sequence[float]  # seconds, one a command
    answered: Sequence[float]  # seconds, one an answer


def measure(folder: Path, short: bool) -> list[Figure]:
    """Measure the bot in both modes, with 50 people who ask at once.

    Raises:
        RuntimeError: somebody got no acknowledgement, or no images.
    """
    copy_samples(folder / "samples")
    cache, library = folder / "cache", str(folder / "served")
    index(Settings(library=library, engine="local", cache=cache), [str(folder / "samples")])
    figures = []
    for mode in ("http",) if short else ("http", "socket"):
        (folder / mode).mkdir()
        team = Team(mode, folder / mode, cache, library)
        try:
            image = folder / "samples" / "dalmatian.jpg"
            ask_many(team, "/findimg animal", image, 4, 1)  # thumbnails are uploaded, the backbone is warm
            seen = ask_many(team, "/findimg animal", image, *(4, 1) if short else (50, 5))
        finally:
            team.close()
        if seen.failed:
            raise RuntimeError(f"{seen.failed} of {seen.asked} commands were not answered with images.")
        for what, seconds, percent in (
            ("acknowledged", seen.acknowledged, 50),
            ("acknowledged", seen.acknowledged, 99),
            ("answered", seen.answered, 50),
            ("answered", seen.answered, 95),
        ):
            name = f"{len(seen.answered)} commands over {mode}, {what}, p{percent}"
            figures.append(Figure(name, 1000 * float(np.percentile(seconds, percent)), "ms", load=load()))
    return figures


def ask_many(team: Team, text: str, image: Path, people: int, rounds: int, pause: float = 0.5) -> Load:
    """Let many people ask at the same moment, several times, each in their own channel.

    Args:
        image: uploaded and tagged again and again meanwhile.
        people: how many ask at once.
        pause: seconds between an answer to all and the next time.
    """
    return team.slack.run(_ask_many(team.slack.workspace, text, image.read_bytes(), people, rounds, pause), 600)


async def _ask_many(workspace: Workspace, text: str, image: bytes, people: int, rounds: int, pause: float) -> Load:
    person = workspace.person()
    channels = [workspace.team.add_channel(f"load{number}", bot=True).id for number in range(people)]
    waiting: dict[str, asyncio.Future[Json]] = {}
    page = workspace.services.page_updates.open(workspace.team, workspace.me)
    acknowledged: list[float] = []
    answered: list[float] = []
    failed = tagged = 0

    async def read() -> None:
        while True:
            told = await page.get()
            future = waiting.get(told.get("channel", ""))
            if told["type"] == "message" and future and not future.done() and told["message"].get("blocks"):
                future.set_result(told["message"])

    async def ask(channel: str) -> None:
        nonlocal failed
        waiting[channel] = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        try:
            await person.send(channel, text)
            acknowledged.append(time.perf_counter() - start)
            answer = await asyncio.wait_for(waiting[channel], _PATIENCE)
            answered.append(time.perf_counter() - start)
            failed += not images(answer)
        except Exception:
            failed += 1

    async def tag() -> None:
        nonlocal tagged
        place = workspace.team.add_channel("uploads", bot=True).id
        while True:
            file = person.upload("image.jpg", image)
            ts = await person.send(place, "", files=[file.id])
            waiting[place] = asyncio.get_running_loop().create_future()
            await person.shortcut("tag_image", place, ts)
            await waiting[place]
            tagged += 1

    background = [asyncio.create_task(read()), asyncio.create_task(tag())]
    try:
        for _ in range(rounds):
            await asyncio.gather(*(ask(channel) for channel in channels))
            await asyncio.sleep(pause)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        workspace.services.page_updates.close(workspace.me, page)
    return Load(people * rounds, failed, tagged, acknowledged, answered)
