"""Test calls that Slack refuses, on each way an answer can take: the person gets the true reason."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bot.listeners.test_conversations import mention
from tests.bot.person import Json, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow

INVITE = "Invite it with /invite"
LIMITED = "Slack limits how often findimg may"
OTHERS = {
    "account_inactive": "Slack does not accept findimg's token (account_inactive)",
    "file_not_found": "Slack does not have that file any more",
    "invalid_auth": "Slack does not accept findimg's token (invalid_auth)",
    "is_archived": "is archived",
    "missing_scope": "lacks the permission",
    "restricted_action": "does not allow findimg to do that",
    "token_revoked": "Slack does not accept findimg's token (token_revoked)",
}


@pytest.fixture
def picture(team: Team, samples: Path) -> tuple[str, Json]:
    """Return a channel with a picture, and the message with it."""
    channel = team.person.channel()
    return channel, team.person.share(channel, samples / "dalmatian.jpg")


@pytest.fixture
def failing(team: Team) -> Iterator[Callable[[str, str], None]]:
    """Let a method of the Web API fail until the end of the test."""
    yield from let_fail(team)


def let_fail(team: Team) -> Iterator[Callable[[str, str], None]]:
    timing = team.slack.workspace.timing
    seconds, timing.acknowledge = timing.acknowledge, 30.0  # a busy machine must not add a failure of its own
    yield team.faults.failing.__setitem__
    timing.acknowledge = seconds
    team.faults.failing.clear()
    team.faults.rate_limited.clear()
    team.faults.retry_after = 1
    assert "Traceback" not in team.log.read_text()


@pytest.fixture
def failing_surface(equipped: Team) -> Iterator[Callable[[str, str], None]]:
    """Let a method of the Web API fail for the app with all surfaces."""
    yield from let_fail(equipped)


@pytest.mark.parametrize(
    ("method", "error", "said"),
    [
        ("files.list", "ratelimited", LIMITED),
        ("files.list", "missing_scope", OTHERS["missing_scope"]),
        ("files.list", "account_inactive", OTHERS["account_inactive"]),
        ("files.list", "token_revoked", OTHERS["token_revoked"]),
        ("files.list", "is_archived", OTHERS["is_archived"]),
        ("files.list", "internal_error", "Slack answered internal_error. Try again"),
    ],
)
def test_command_about_the_newest_picture_says_what_slack_refuses(
    team: Team,
    picture: tuple[str, Json],
    failing: Callable[[str, str], None],
    method: str,
    error: str,
    said: str,
) -> None:
    failing(method, error)
    assert said in words(team.person.command(picture[0], "/tag"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ratelimited", LIMITED),
        ("not_in_channel", INVITE),
        ("missing_scope", OTHERS["missing_scope"]),
        ("invalid_auth", OTHERS["invalid_auth"]),
        ("expired_trigger_id", "Slack allows only 3 seconds"),
    ],
)
def test_modal_that_does_not_open_says_why(
    team: Team, failing: Callable[[str, str], None], error: str, said: str
) -> None:
    failing("views.open", error)
    assert said in words(team.person.command(team.person.channel(), "/tag"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ratelimited", LIMITED),
        ("not_in_channel", INVITE),
        ("channel_not_found", INVITE),
        ("missing_scope", OTHERS["missing_scope"]),
        ("restricted_action", OTHERS["restricted_action"]),
    ],
)
def test_mention_in_a_thread_says_why_its_pictures_are_unknown(
    team: Team, picture: tuple[str, Json], failing: Callable[[str, str], None], error: str, said: str
) -> None:
    channel, message = picture
    failing("conversations.replies", error)
    mention(team, channel, "what is this?", thread_ts=message["ts"])
    answer = team.person.wait(channel, lambda each: said in words(each))
    assert answer["thread_ts"] == message["ts"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ratelimited", LIMITED),
        ("missing_scope", "findimg lacks the permission to post"),
        ("restricted_action", "a workspace setting restricts posting"),
        ("is_archived", "the channel is archived"),
        ("not_in_channel", "findimg is not in the channel"),
        ("internal_error", "Slack answered internal_error"),
    ],
)
@pytest.mark.parametrize("place", ["mention", "direct", "next"])
def test_answer_that_cannot_be_posted_is_private_with_the_reason(
    team: Team, failing: Callable[[str, str], None], place: str, error: str, reason: str
) -> None:
    channel = team.person.direct() if place == "direct" else team.person.channel()
    before = {each["ts"] for each in team.person.messages(channel)}
    if place != "next":
        failing("chat.postMessage", error)
    if place == "direct":
        team.person.ask("send", channel=channel, text="animal")
    else:
        mention(team, channel, "animal")
    if place == "next":
        shown = team.person.wait(channel, lambda each: "Images for *animal*" in words(each))
        failing("chat.update", error)
        team.person.click(channel, shown, "next")
        before.add(shown["ts"])
    answer = team.person.wait(channel, lambda each: each["ts"] not in before and "Images for" in words(each))
    assert answer["ephemeral"]
    assert f"Only you see this, because {reason}" in words(answer)


def test_share_uses_the_click_where_posting_is_refused(team: Team, failing: Callable[[str, str], None]) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg animal")
    failing("chat.postMessage", "not_in_channel")
    team.person.choose(channel, answer, "share")
    shared = team.person.wait(channel, lambda each: "shared by" in words(each))
    assert not shared.get("ephemeral")


@pytest.mark.parametrize("method", ["files.list", "files.info", "conversations.replies", "chat.postMessage"])
@pytest.mark.parametrize("retry_after", [1, 60])
def test_limited_call_is_repeated_soon_or_named(
    team: Team, picture: tuple[str, Json], failing: Callable[[str, str], None], method: str, retry_after: int
) -> None:
    channel, message = picture
    file = {"id": message["files"][0]["id"], "file_access": "check_file_info"}
    more = {
        "files.list": {},
        "files.info": {"files": [file]},
        "conversations.replies": {"thread_ts": message["ts"]},
        "chat.postMessage": {"thread_ts": message["ts"]},
    }[method]
    team.faults.retry_after = retry_after
    team.faults.rate_limited[method] = 1
    mention(team, channel, "what is this?", **more)

    def shown(each: Json) -> bool:
        text = words(each)
        named = LIMITED in text
        return named if retry_after > 1 else "Tags of *dalmatian.jpg*" in text and not named

    until(lambda: any(shown(each) for each in team.person.messages(channel)))


@pytest.mark.parametrize(
    ("error", "said"), [("expired_trigger_id", "Slack allows only 3 seconds"), ("ratelimited", LIMITED)]
)
def test_global_shortcut_that_opens_no_modal_is_explained_directly(
    equipped: Team, failing_surface: Callable[[str, str], None], error: str, said: str
) -> None:
    person, direct = equipped.person, equipped.person.direct()
    before = {each["ts"] for each in person.messages(direct)}
    failing_surface("views.open", error)
    person.ask("global_shortcut", callback_id="find_picture")
    person.wait(direct, lambda each: each["ts"] not in before and said in words(each))


def test_modal_that_cannot_be_changed_is_explained_directly(
    equipped: Team, failing_surface: Callable[[str, str], None]
) -> None:
    person, direct = equipped.person, equipped.person.direct()
    before = {each["ts"] for each in person.messages(direct)}
    while opened_before := person.state()["modal"]:  # by another test
        person.ask("close", view_id=opened_before["id"])
    person.ask("global_shortcut", callback_id="find_picture")
    modal = until(lambda: person.state()["modal"])
    failing_surface("views.update", "ratelimited")
    person.ask("submit", view_id=modal["id"], values={"words": {"search_in_modal": {"value": "dalmatian"}}})
    person.wait(direct, lambda each: each["ts"] not in before and LIMITED in words(each))
    person.ask("close", view_id=modal["id"])
