"""Test each rule of admission with requests as Slack sends them: teams, organisations, channels and people."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from findimg.settings import Settings
from findimg_bot.listeners.admission import Admission
from findimg_bot.service.request_recovery import UnansweredRequest

Json = dict[str, Any]
OWN, OTHER, ORGANISATION, SIBLING = "T1OWN", "T2OTHER", "E1ORG", "T3SIBLING"


class AnsweringSlack:
    """A client of Slack that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Json]] = []

    def __getattr__(self, method: str) -> Any:
        async def called(**arguments: Any) -> None:
            self.calls.append((method, arguments))

        return called


class RememberedEvents:
    """The parts of the bot, as far as admission uses them."""

    def __init__(self) -> None:
        self.store = self.recovery = self
        self._seen: set[str] = set()

    def is_new_event(self, event: str) -> bool:
        new = event not in self._seen
        self._seen.add(event)
        return new

    async def record(self, body: Json, team: str) -> UnansweredRequest | None:
        is_new = "event_id" not in body or self.is_new_event(body["event_id"])
        recovery: Any = self
        return UnansweredRequest("1", recovery) if is_new else None

    async def finish(self, request: UnansweredRequest) -> None:
        pass


def event(kind: str = "app_mention", channel: str = "C1", team: str = OWN, shared: bool = False, **more: Any) -> Json:
    content = {"type": kind, "channel": channel, "user": "U1", "team": team, "ts": "1.0", "text": "cat", **more}
    return {
        "type": "event_callback",
        "team_id": OWN,
        "event_id": "Ev1",
        "event": content,
        "is_ext_shared_channel": shared,
        "authorizations": [{"enterprise_id": None, "team_id": OWN, "is_enterprise_install": False}],
    }


def command(team: str = OWN, channel: str = "C1", user: str = "U1", **more: Any) -> Json:
    return {"command": "/findimg", "text": "cat", "team_id": team, "channel_id": channel, "user_id": user, **more}


def click(team: str = OWN, channel: str = "C1", kind: str = "block_actions", **more: Any) -> Json:
    return {
        "type": kind,
        "user": {"id": "U1", "team_id": team},
        "team": {"id": OWN},
        "channel": {"id": channel},
        "container": {"message_ts": "1.0"},
        "actions": [{"action_id": "next"}],
        **more,
    }


def modal(callback: str) -> Json:
    view = {"id": "V1", "callback_id": callback, "app_installed_team_id": OWN}
    return {"type": "view_submission", "user": {"id": "U1", "team_id": OWN}, "team": {"id": OWN}, "view": view}


def function(person: str | None) -> Json:
    inputs = {"query": "cat"} | ({"user_context": {"id": person}} if person else {})
    content = {"type": "function_executed", "function_execution_id": "Fx1", "inputs": inputs}
    return event() | {"event": content}


def from_organisation(body: Json, team: str = SIBLING, enterprise: str = ORGANISATION) -> Json:
    return body | {"team_id": team, "enterprise_id": enterprise, "is_enterprise_install": "true"}


SINGLE = AuthorizeResult(enterprise_id=None, team_id=OWN, bot_user_id="UBOT", bot_token="xoxb-1")
ORG_WIDE = AuthorizeResult(enterprise_id=ORGANISATION, team_id=None, bot_user_id="UBOT", bot_token="xoxb-1")
OAUTH = {"slack_client_id": "1.2"}
LINKS = {"links": [{"url": "https://a.example/b", "domain": "a.example"}]}

# What the settings say, who installed the app, the request, and part of the refusal. None passes; "" is silent.
RULES: list[tuple[Json, AuthorizeResult, Json, str | None]] = [
    # One workspace whose token is set
    ({}, SINGLE, event(), None),
    ({}, SINGLE, command(), None),
    ({}, SINGLE, click(), None),
    ({}, SINGLE, event(team=OTHER, shared=True), "only people of the workspace"),
    ({}, SINGLE, event(user_team=OTHER, shared=True), "only people of the workspace"),
    ({}, SINGLE, event(shared=True), None),
    ({}, SINGLE, command(team=OTHER), "only people of the workspace"),
    ({}, SINGLE, click(team=OTHER), "only people of the workspace"),
    ({}, SINGLE, click(team=OTHER, kind="shortcut", trigger_id="1.2"), "only people of the workspace"),
    ({"allow_teams": OTHER}, SINGLE, event(team=OTHER, shared=True), None),
    ({"allow_teams": OTHER}, SINGLE, event(), None),
    ({"allow_teams": OTHER}, SINGLE, click(team=OTHER), None),
    ({"allow_teams": "T9"}, SINGLE, command(team=OTHER), "only people of the workspace"),
    ({"allow_teams": "*"}, SINGLE, command(team=OTHER), None),
    # Messages that nobody expects an answer to
    ({}, SINGLE, event(team=OTHER, shared=True, bot_id="B1"), ""),
    ({}, SINGLE, event(team=OTHER, shared=True, subtype="message_changed"), ""),
    ({}, SINGLE, event("link_shared", shared=True, **LINKS), ""),
    # Pictures in channels: everybody's are followed, and no message is for the bot
    ({}, SINGLE, event("message", channel_type="channel"), ""),
    ({}, SINGLE, event("message", channel_type="group", team=OTHER, shared=True), ""),
    ({}, SINGLE, event("message", channel_type="channel", subtype="message_deleted"), None),
    ({"allow_channels": "C2", "allow_users": "U2"}, SINGLE, event("file_shared", file_id="F1"), None),
    ({}, SINGLE, event("file_shared", file_id="F1", team=OTHER, shared=True), None),
    ({"allow_users": "U2"}, SINGLE, event("channel_archive"), None),
    ({"allow_users": "U2"}, SINGLE, event("member_left_channel"), None),
    (OAUTH, SINGLE, event("file_shared", file_id="F1"), ""),
    # Workspaces that installed the app by OAuth
    (OAUTH, SINGLE, command(), f"FINDIMG_ALLOW_TEAMS needs {OWN}"),
    (OAUTH | {"allow_teams": OTHER}, SINGLE, command(), f"FINDIMG_ALLOW_TEAMS needs {OWN}"),
    (OAUTH | {"allow_teams": OWN}, SINGLE, command(), None),
    (OAUTH | {"allow_teams": OWN}, SINGLE, command(team=OTHER), "only people of the workspace"),
    (OAUTH | {"allow_teams": "*"}, SINGLE, event(), None),
    (OAUTH, SINGLE, event("app_uninstalled"), None),
    (OAUTH, SINGLE, event("tokens_revoked"), None),
    # An installation for a whole organisation
    (OAUTH | {"allow_teams": ORGANISATION}, ORG_WIDE, from_organisation(command(team=SIBLING)), None),
    (OAUTH | {"allow_teams": OWN}, ORG_WIDE, from_organisation(command()), f"needs {ORGANISATION}"),
    (
        OAUTH | {"allow_teams": ORGANISATION},
        ORG_WIDE,
        from_organisation(command(team=OTHER), OTHER, "E9"),
        "only people of the workspace",
    ),
    (OAUTH | {"allow_teams": ORGANISATION}, ORG_WIDE, from_organisation(event(team=SIBLING)), None),
    (
        OAUTH | {"allow_teams": ORGANISATION},
        ORG_WIDE,
        from_organisation(event(team=OTHER, shared=True)),
        "only people of the workspace",
    ),
    # Channels
    ({"allow_channels": "C1"}, SINGLE, event(), None),
    ({"allow_channels": "C1"}, SINGLE, event(channel="C2"), "not allowed to answer here"),
    ({"allow_channels": "C1"}, SINGLE, command(channel="C2"), "not allowed to answer here"),
    ({"allow_channels": "C1"}, SINGLE, click(channel="C2"), "not allowed to answer here"),
    ({"allow_channels": "C1 D1"}, SINGLE, event("message", channel="D1", channel_type="im"), None),
    ({"allow_channels": "C1"}, SINGLE, event("message", channel="D1", channel_type="im"), "not allowed to answer here"),
    ({"allow_channels": "C1"}, SINGLE, event("app_home_opened", channel="D1", tab="home"), None),
    (
        {"allow_channels": "C1"},
        SINGLE,
        click(kind="shortcut", channel="", trigger_id="1.2"),
        "not allowed to answer here",
    ),
    ({"allow_channels": "C1"}, SINGLE, modal("find_picture"), ""),
    ({"allow_channels": "C1"}, SINGLE, modal("share_picture"), ""),
    ({"allow_channels": "C1"}, SINGLE, modal("image"), None),
    ({"allow_channels": "C1"}, SINGLE, event("link_shared", **LINKS), None),
    ({"allow_channels": "C1"}, SINGLE, event("link_shared", channel="C2", **LINKS), ""),
    ({"allow_channels": "C1"}, SINGLE, event("link_shared", channel="COMPOSER", **LINKS), ""),
    ({"allow_channels": "C1"}, SINGLE, function("U1"), "not allowed to answer here"),
    # People
    ({"allow_users": "U1"}, SINGLE, command(), None),
    ({"allow_users": "U1"}, SINGLE, command(user="U2"), "not allowed to answer here"),
    ({"allow_users": "U2"}, SINGLE, event(), "not allowed to answer here"),
    ({"allow_users": "U2"}, SINGLE, click(), "not allowed to answer here"),
    ({"allow_users": "U2"}, SINGLE, event("app_home_opened", channel="D1", tab="home"), ""),
    ({"allow_users": "U1"}, SINGLE, function("U1"), None),
    ({"allow_users": "U1"}, SINGLE, function("U2"), "not allowed to answer here"),
    ({"allow_users": "U1"}, SINGLE, function(None), "not allowed to answer here"),
    ({}, SINGLE, function(None), None),
]


@pytest.mark.parametrize(("allowed", "installed", "body", "refusal"), RULES)
def test_request_is_admitted_by_the_rules(
    allowed: Json, installed: AuthorizeResult, body: Json, refusal: str | None, tmp_path: Path
) -> None:
    passed, said = asyncio.run(process(allowed, installed, body, tmp_path))
    assert passed == (refusal is None)
    if refusal:
        assert refusal in said
    else:
        assert said == ""


def test_repeated_event_is_passed_over(tmp_path: Path) -> None:
    async def twice() -> list[bool]:
        admission = admission_for({}, tmp_path)
        return [(await process_with(admission, SINGLE, event()))[0] for _ in range(2)]

    assert asyncio.run(twice()) == [True, False]


def test_foreign_response_url_is_refused(tmp_path: Path) -> None:
    body = click(response_url="https://evil.example/hooks/1")
    passed, said = asyncio.run(process({}, SINGLE, body, tmp_path))
    assert not passed
    assert said == "This response_url is not Slack's."


def admission_for(allowed: Json, folder: Path) -> Admission:
    settings = Settings(state=str(folder / "bot.sqlite"), slack_bot_token=SecretStr("xoxb-1"), **allowed)
    unused: Any = None
    events: Any = RememberedEvents()
    return Admission(settings, events, unused)


async def process(allowed: Json, installed: AuthorizeResult, body: Json, folder: Path) -> tuple[bool, str]:
    return await process_with(admission_for(allowed, folder), installed, body)


async def process_with(admission: Admission, installed: AuthorizeResult, body: Json) -> tuple[bool, str]:
    """Return whether a request reached its listener, and what the person was told."""
    request = AsyncBoltRequest(body=body, mode="socket_mode")
    slack = AnsweringSlack()
    request.context["authorize_result"] = installed
    request.context["client"] = slack
    passed = False

    async def listener() -> BoltResponse:
        nonlocal passed
        passed = True
        return BoltResponse(status=200)

    response = await admission.async_process(req=request, resp=BoltResponse(status=200), next=listener)
    return passed, str(response.body) + "".join(str(arguments) for _, arguments in slack.calls)
