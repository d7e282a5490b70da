"""Measure how fast the bot acknowledges and answers while many people ask and uploaded images are embedded.

Everything is real but Slack: `findimg-bot serve` as a process of its own, over HTTP or a WebSocket, against the local
workspace, which runs here and takes its share of the same cores: what is measured is what a person there would see.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from findimg.settings import Settings
from findimg_bot.local_slack.model.state import Json
from findimg_bot.local_slack.workspace import Workspace
from findimg_jobs.datasets.samples import copy_samples
from findimg_jobs.indexing.run import index
from tests.benchmarks.figures import Figure, load
from tests.bot.person import images
from tests.bot.team import Team

_PATIENCE = 60.0  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Rush:
    """How many people ask at the same moment, and how often."""

    people: int
    rounds: int
    pause: float = 0.5  # seconds between an answer to all and the next time


@dataclass(frozen=True, slots=True)
class Load:
    """The times that people at the workspace measured."""

    asked: int
    refused: int  # commands that the bot did not acknowledge. Slack tells the person.
    failed: int  # acknowledged commands without images in the answer
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
            ask_many(team, "/findimg animal", image, Rush(4, 1))  # thumbnails are uploaded, the backbone is warm
            seen = ask_many(team, "/findimg animal", image, Rush(4, 1) if short else Rush(50, 5))
        finally:
            team.close()
        if seen.refused or seen.failed:
            raise RuntimeError(f"{seen.refused + seen.failed} of {seen.asked} commands were not answered with images.")
        for what, seconds, percent in (
            ("acknowledged", seen.acknowledged, 50),
            ("acknowledged", seen.acknowledged, 99),
            ("answered", seen.answered, 50),
            ("answered", seen.answered, 95),
        ):
            name = f"{len(seen.answered)} commands over {mode}, {what}, p{percent}"
            figures.append(Figure(name, 1000 * float(np.percentile(seconds, percent)), "ms", load=load()))
    return figures


def ask_many(
    team: Team,
    text: str,
    image: Path,
    rush: Rush,
    on_acknowledged: Callable[[int], None] = lambda count: None,
) -> Load:
    """Let many people ask at the same moment, several times, each in their own channel.

    Args:
        image: uploaded and tagged again and again meanwhile.
        rush: how many people ask, and how often.
        on_acknowledged: called with the number of acknowledgements, after each.
    """
    work = _ask_many(team.slack.workspace, text, image.read_bytes(), rush, on_acknowledged)
    return team.slack.run(work, 600)


async def _ask_many(
    workspace: Workspace,
    text: str,
    image: bytes,
    rush: Rush,
    on_acknowledged: Callable[[int], None],
) -> Load:
    person = workspace.person()
    channels = [workspace.team.add_channel(f"load{number}", bot=True).id for number in range(rush.people)]
    waiting: dict[str, asyncio.Future[Json]] = {}
    page = workspace.services.page_updates.open(workspace.team, workspace.me)
    acknowledged: list[float] = []
    answered: list[float] = []
    refused = failed = tagged = 0

    async def read() -> None:
        while True:
            told = await page.get()
            future = waiting.get(told.get("channel", ""))
            if told["type"] == "message" and future and not future.done() and _is_answer(told["message"]):
                future.set_result(told["message"])

    async def ask(channel: str) -> None:
        nonlocal refused, failed
        waiting[channel] = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        try:
            await person.send(channel, text)
        except Exception:
            refused += 1
            return
        try:
            acknowledged.append(time.perf_counter() - start)
            on_acknowledged(len(acknowledged))
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
            try:
                await person.shortcut("tag_image", place, ts)
                async with asyncio.timeout(_PATIENCE):
                    await waiting[place]
                tagged += 1
            except Exception:  # when a bot is killed; without a pause, the workspace could accept no new connection
                await asyncio.sleep(rush.pause)

    background = [asyncio.create_task(read()), asyncio.create_task(tag())]
    try:
        for _ in range(rush.rounds):
            await asyncio.gather(*(ask(channel) for channel in channels))
            await asyncio.sleep(rush.pause)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        workspace.services.page_updates.close(workspace.me, page)
    return Load(rush.people * rush.rounds, refused, failed, tagged, acknowledged, answered)


def _is_answer(message: Json) -> bool:
    """Return whether a message ends the wait of the person: an answer, or the note that a bot was killed during it."""
    return bool(message.get("blocks")) or "interrupted" in message["text"]
