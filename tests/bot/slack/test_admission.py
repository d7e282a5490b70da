"""Who is let in, and what comes in with them."""

from pathlib import Path

import pytest

from tests.bot.person import Person, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["socket"])
def choosy(request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory):
    """A bot that answers in one channel only, and not everybody."""
    team = Team(request.param, tmp_path_factory.mktemp("choosy"), cache, library)
    workspace = team.slack.workspace
    other = team.slack.call(workspace.team.add_user, "other")
    team.stop()
    channel = workspace.team.channel("general").id
    team.environment |= {"FINDIMG_ALLOW_CHANNELS": channel, "FINDIMG_ALLOW_USERS": workspace.me.id}
    team.start()
    yield team, channel, Person(workspace.address, other.token)
    team.close()


def test_only_allowed_channels_and_people_get_answers(choosy, samples: Path) -> None:
    team, channel, other = choosy
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
