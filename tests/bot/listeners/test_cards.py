"""Test how thumbnails reach an answer: on cards from a public address, or uploaded once and in parallel."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.conftest import MODES
from tests.bot.person import Json, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow
ADDRESS = "https://thumbnails.example.com/library/"


@pytest.fixture(scope="module", params=MODES)
def team(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """Yield a team to which no thumbnail was uploaded yet."""
    team = Team(request.param, tmp_path_factory.mktemp("cards"), cache, library)
    yield team
    team.close()


def test_thumbnails_are_uploaded_in_parallel_and_once(team: Team) -> None:
    calls = team.faults.calls
    calls.clear()
    team.faults.delays["files.getUploadURLExternal"] = 1.0
    try:
        team.person.command(team.person.channel(), "/findimg animal")
    finally:
        team.faults.delays.clear()
    methods = [method for method, _ in calls]
    first = methods.index("files.completeUploadExternal")
    assert methods[:first].count("files.getUploadURLExternal") > 1
    assert methods.count("files.getUploadURLExternal") >= 8
    assert methods.count("files.completeUploadExternal") < 8
    until(lambda: [method for method, _ in calls].count("files.info") >= 8)
    calls.clear()
    team.person.command(team.person.channel(), "/findimg animal")
    assert not [method for method, _ in calls if method.startswith("files.")]


def test_public_thumbnails_are_cards_with_pictures_and_buttons(team: Team) -> None:
    team.stop()
    team.environment["FINDIMG_THUMBNAIL_BASE_URL"] = ADDRESS
    team.start()
    team.faults.calls.clear()
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg animal")
    cards = cards_of(answer)
    assert 1 <= len(cards) <= 10
    assert all(card["hero_image"]["image_url"].startswith(ADDRESS) for card in cards)
    assert all(card["actions"] for card in cards)
    assert not [method for method, _ in team.faults.calls if method.startswith("files.")]
    count = len(team.person.messages(channel))
    ids = {"block_id": cards[0]["block_id"], "action_id": "more_like_this"}
    team.person.ask("action", channel=channel, ts=answer["ts"], **ids)
    until(lambda: len(team.person.messages(channel)) > count)
    assert "Images like" in words(team.person.messages(channel)[-1])
    team.person.click(channel, answer, "next")
    team.person.wait(channel, lambda each: len(cards_of(each)) == 12 - len(cards))


def cards_of(message: Json) -> list[Json]:
    """Return the cards of an answer."""
    return [card for block in message.get("blocks", ()) if block["type"] == "carousel" for card in block["elements"]]
