"""Who may use Slack's optional surfaces, where the settings restrict it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.conftest import ALL_SURFACES, IMAGE_BASE_URL
from tests.bot.person import BrowserUser, Json, until, words
from tests.bot.team import Team, TeamOptions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def team(library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Yield a workspace whose app has all surfaces, and a bot that answers in two conversations only."""
    folder = tmp_path_factory.mktemp("choosy")
    team = Team("http", folder, cache, library, TeamOptions(surfaces=ALL_SURFACES, image_base_url=IMAGE_BASE_URL))
    team.stop()
    team.environment["FINDIMG_ALLOW_CHANNELS"] = f"{general(team)} {team.person.direct()}"
    team.start()
    yield team
    team.close()


def general(team: Team) -> str:
    return next(each["id"] for each in team.person.state()["channels"] if each["name"] == "general")


def test_shortcut_is_refused(team: Team) -> None:
    team.person.ask("global_shortcut", callback_id="find_picture")
    view = until(lambda: team.person.state()["modal"])
    assert "not allowed" in words(view)
    assert not view["submit"]


def test_home_tab_is_shown_and_other_channels_are_refused(team: Team) -> None:
    team.person.ask("home")
    until(lambda: team.person.state()["home"] and "images* are indexed" in words(team.person.state()["home"]))
    assert not [each for each in team.person.messages(team.person.direct()) if "not allowed" in each["text"]]
    assert "not allowed" in team.person.command(team.person.channel(), "/findimg dalmatian")["text"]
    assert "dalmatian.jpg" in words(team.person.command(general(team), "/findimg dalmatian"))


def test_channel_beside_the_assistant_panel_stays_out_of_sight(team: Team, samples: Path) -> None:
    person, channel = team.person, team.person.channel()
    person.share(channel, samples / "dalmatian.jpg")
    person.ask("home", tab="messages", beside=channel)
    prompts = until(lambda: person.state()["panels"][person.direct()]["prompts"])
    assert "What is this?" not in [each["message"] for each in prompts]
    person.ask("send", channel=person.direct(), text="What is this?")
    person.wait(person.direct(), lambda each: "There is no picture here" in words(each))


def test_links_elsewhere_get_no_preview(team: Team) -> None:
    person, other = team.person, team.person.channel()
    refused = person.ask("send", channel=other, text=f"{IMAGE_BASE_URL}cat.png")["ts"]
    allowed = person.ask("send", channel=general(team), text=f"{IMAGE_BASE_URL}cat.png")["ts"]
    person.wait(general(team), lambda each: each["ts"] == allowed and "attachments" in each)
    assert [each["ts"] for each in person.messages(other) if "attachments" not in each] == [refused]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("search", {"query": "cat"}), ("step", {"callback_id": "find_pictures", "inputs": {"words": "cat"}})],
)
def test_functions_are_refused_because_they_run_in_no_channel(team: Team, verb: str, arguments: Json) -> None:
    answer = team.person.try_to(verb, **arguments)
    assert "findimg is not allowed to answer here" in answer["error"]


def test_functions_serve_only_the_people_who_may_ask(library: str, cache: Path, tmp_path: Path) -> None:
    team = Team("socket", tmp_path, cache, library, TeamOptions(surfaces=ALL_SURFACES, image_base_url=IMAGE_BASE_URL))
    try:
        workspace = team.slack.workspace
        other = BrowserUser(workspace.address, team.slack.call(workspace.team.add_user, "other").token)
        team.environment |= {"FINDIMG_ALLOW_USERS": workspace.me.id, "FINDIMG_IMAGE_BASE_URL": ""}
        team.restart()
        # Pictures without links lead to the app.
        best = team.person.ask("search", query="cat")["results"][0]
        assert best["link"] == f"https://slack.com/app_redirect?app={workspace.app_id}&team={workspace.team.id}"
        assert "not allowed" in other.try_to("search", query="cat")["error"]
        inputs = {"words": "cat"}
        answer = team.person.try_to("step", callback_id="find_pictures", inputs=inputs)
        assert "The pictures have no links" in answer["error"]
        assert "not allowed" in other.try_to("step", callback_id="find_pictures", inputs=inputs)["error"]
    finally:
        team.close()
