"""Test which people and channels the bot answers."""

from pathlib import Path

import pytest

from tests.bot.person import BrowserUser, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["socket"])
def restricted_team(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
):
    """Yield a bot that answers some people in one channel only."""
    team = Team(request.param, tmp_path_factory.mktemp("restricted_team"), cache, library)
    workspace = team.slack.workspace
    other = team.slack.call(workspace.team.add_user, "other")
    team.stop()
    channel = workspace.team.channel("general").id
    team.environment |= {"FINDIMG_ALLOW_CHANNELS": channel, "FINDIMG_ALLOW_USERS": workspace.me.id}
    team.start()
    yield team, channel, BrowserUser(workspace.address, other.token)
    team.close()


def test_only_allowed_channels_and_people_get_answers(restricted_team, samples: Path) -> None:
    team, channel, other = restricted_team
    elsewhere = team.person.channel()
    assert "dalmatian.jpg" in words(team.person.command(channel, "/findimg dalmatian"))
    for person, where in ((team.person, elsewhere), (other, channel)):
        assert "not allowed to answer here" in person.command(where, "/findimg dalmatian")["text"]
        bot = person.state()["bot"]["id"]
        person.ask("send", channel=where, text=f"<@{bot}> dalmatian")
        person.wait(where, lambda message: message.get("ephemeral") and "not allowed" in message["text"])
    message = team.person.share(elsewhere, samples / "cat.png")
    team.person.ask("shortcut", callback_id="tag_image", channel=elsewhere, ts=message["ts"])
    refused = [each for each in team.person.messages(elsewhere) if "not allowed" in each["text"]]
    until(lambda: len([e for e in team.person.messages(elsewhere) if "not allowed" in e["text"]]) > len(refused) - 1)
    assert not any(images(each) for each in team.person.messages(elsewhere))


def test_home_tab_and_direct_message_are_not_disturbed_by_channel_rules(restricted_team) -> None:
    team, _, _ = restricted_team
    before = team.person.state()["home"]
    team.person.ask("home")
    shown = until(lambda: (now := team.person.state()["home"]) != before and now)
    assert "images* are indexed" in words(shown)
    assert not [each for each in team.person.messages(team.person.direct()) if "not allowed" in each["text"]]


def send_mention(slack: Team, channel: str, **event: str) -> None:
    """Let Slack send a mention from a shared channel."""
    workspace = slack.slack.workspace
    ts = slack.slack.call(workspace.team.next_ts)
    content = {"text": f"<@{workspace.team.bot.id}> dalmatian", "user": workspace.me.id, **event}
    about = {"type": "app_mention", "channel": channel, "ts": ts, "event_ts": ts, **content}
    slack.slack.call(workspace.services.events.send, workspace.team, "app_mention", about, is_ext_shared_channel=True)


@pytest.mark.parametrize("stranger", [{"user_team": "T0OTHER"}, {"source_team": "T0OTHER"}, {"team": "T0OTHER"}, {}])
def test_people_of_other_organisations_are_refused(team: Team, stranger: dict[str, str]) -> None:
    channel = team.person.channel()
    send_mention(team, channel, **stranger)
    refused = team.person.wait(channel, lambda each: "only people of the workspace" in each["text"])
    assert refused["ephemeral"]
    send_mention(team, channel, user_team=team.slack.workspace.team.id)
    answer = team.person.wait(channel, lambda each: "Images for *dalmatian*" in words(each))
    assert len([each for each in team.person.messages(channel) if "Images for" in words(each)]) == 1, answer


def test_allowed_organisations_get_answers(team: Team) -> None:
    team.stop()
    team.environment["FINDIMG_ALLOW_TEAMS"] = "T0FRIENDS"
    team.start()
    try:
        channel = team.person.channel()
        send_mention(team, channel, user_team="T0FRIENDS")
        team.person.wait(channel, lambda each: "Images for *dalmatian*" in words(each))
    finally:
        del team.environment["FINDIMG_ALLOW_TEAMS"]
        team.restart()
