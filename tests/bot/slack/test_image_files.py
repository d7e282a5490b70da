"""Test which file a question is about, and who may see it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import ImageError, QueryError
from findimg_bot.errors import SlackAccessError
from findimg_bot.slack.pictures.image_files import (
    SlackFile,
    _may_see,
    find_file,
    find_newest,
    image_among,
    images_of,
    is_link,
    thread_messages,
)

T = TypeVar("T")
CAT = {"id": "F1", "name": "cat.png", "mimetype": "image/png", "url_private": "https://files.slack.com/F1"}
STUB = {"id": "F1", "file_access": "check_file_info"}


@dataclass(slots=True)
class Slack:
    """A Slack that gives the configured responses of each Web API method in turn, the last one repeatedly."""

    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        method = request.path.rpartition("/")[2]
        self.calls.append(method)
        answers = self.answers[method]
        return web.json_response(answers.pop(0) if len(answers) > 1 else answers[0])

    def ask(self, use: Callable[[AsyncWebClient], Awaitable[T]]) -> T:
        """Run something with a client of this Slack."""

        async def run() -> T:
            runner = web.ServerRunner(web.Server(self.answer))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            try:
                return await use(
                    AsyncWebClient("xoxb-secret", base_url=f"http://{host}:{port}/api/", retry_handlers=[])
                )
            finally:
                await runner.cleanup()

        return asyncio.run(run())


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxy from the environment. The client would use it even for this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def described(*files: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return responses of files.info."""
    return {"files.info": [{"ok": True, "file": file} for file in files]}


def refused(method: str, error: str, **more: Any) -> Slack:
    """Return a Slack that refuses a method."""
    return Slack({method: [{"ok": False, "error": error, **more}]})


def images(slack: Slack, **message: Any) -> list[SlackFile]:
    return slack.ask(lambda client: images_of(client, message))


@pytest.mark.parametrize(
    ("file", "sees"),
    [
        ({"user": "U1"}, True),
        ({"user": "U2"}, False),
        ({"user": "U2", "is_public": True}, True),
        ({"user": "U2", "is_public": False}, False),
        ({"user": "U2", "channels": ["C1"]}, True),
        ({"user": "U2", "groups": ["C0", "C1"]}, True),
        ({"user": "U2", "ims": ["C1"]}, True),
        ({"user": "U2", "channels": ["C2"], "groups": ["G1"], "ims": ["D1"]}, False),
        ({}, False),
    ],
)
def test_link_shows_only_what_the_person_may_see(file: dict[str, Any], sees: bool) -> None:
    assert _may_see(file, "U1", "C1") is sees


@pytest.mark.parametrize(
    "link",
    [
        "https://team.slack.com/files/U1ABC/F1ABC/holiday.jpg",
        "https://team.slack.com/files/U1ABC/F1ABC",
        "https://team.enterprise.slack.com/files/W1ABC/F1ABC/größe_%20.jpg?origin_team=T1",
        "https://files.slack.com/files-pri/T1ABC-F1ABC/holiday.jpg",
        "https://files.slack.com/files-tmb/T1ABC-F1ABC-0a1b2c/holiday_360.jpg",
        "https://team.slack.com/archives/C1ABC/p1717243200123456",
        "https://team.slack.com/archives/D1ABC/p1717243200123456?thread_ts=1717243100.000100&cid=C1ABC",
    ],
)
def test_file_and_message_links_are_recognised(link: str) -> None:
    assert is_link(link)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat",
        "s3://photos/cat.jpg",
        "https://example.com/cat.jpg",
        "https://team.slack.com/archives/C1ABC",
        "https://team.slack.com/archives/C1ABC/p17172432001234567",
        "https://team.slack.com/files/U1ABC/holiday.jpg",
        "http://team.slack.com/files/U1ABC/F1ABC/holiday.jpg",
        "see https://team.slack.com/files/U1ABC/F1ABC",
        "https://team.slack.com/files/U1ABC/F1ABC/a b.jpg",
        "https://evil.example/x?https://team.slack.com/files/U1ABC/F1ABC",
    ],
)
def test_other_text_is_not_a_link(text: str) -> None:
    assert not is_link(text)


def test_first_image_of_a_message_is_chosen() -> None:
    text, cat, dog = (
        {"id": each, "mimetype": kind}
        for each, kind in zip("tcd", ("text/plain", "image/png", "image/heic"), strict=True)
    )
    assert image_among([text, cat, dog]) == cat
    assert image_among([text, {"id": "x"}, {"id": "y", "mimetype": None}]) is None
    assert image_among([]) is None
    assert image_among(None) is None


def test_images_of_a_message_need_no_call() -> None:
    slack = Slack()
    other = {**CAT, "id": "F2"}
    text = {"id": "F3", "mimetype": "text/plain"}
    assert images(slack, files=[text, CAT, other, CAT]) == [CAT, other]
    assert slack.calls == []


def test_forwarded_images_are_found() -> None:
    attachments = [{"text": "no files"}, {"files": [CAT]}, {"files": None}]
    assert images(Slack(), attachments=attachments) == [CAT]


def test_large_image_in_a_block_is_an_image_of_the_message() -> None:
    block = {"type": "image", "slack_file": {"id": "F1"}}
    assert images(Slack(described(CAT)), blocks=[block, {"type": "section"}]) == [CAT]


@pytest.mark.parametrize(
    "message",
    [
        {"blocks": [{"type": "image", "image_url": "https://example.com/cat.jpg"}]},
        {"attachments": [{"image_url": "https://example.com/cat.jpg"}]},
    ],
)
def test_image_on_the_web_is_named(message: dict[str, Any]) -> None:
    with pytest.raises(QueryError, match="only at pictures in Slack"):
        images(Slack(), **message)


@pytest.mark.parametrize("stub", [STUB, {"id": "F1"}, {**CAT, "file_access": "check_file_info"}])
def test_stub_is_described_by_slack(stub: dict[str, Any]) -> None:
    slack = Slack(described(CAT))
    assert images(slack, files=[stub]) == [CAT]
    assert slack.calls == ["files.info"]


def test_file_without_a_type_is_awaited_for_a_moment() -> None:
    slack = Slack(described({"id": "F1"}, {"id": "F1"}, CAT))
    assert images(slack, files=[{"id": "F1"}]) == [CAT]
    assert len(slack.calls) == 3


def test_file_that_never_gets_a_type_is_judged_by_its_name() -> None:
    named = {"id": "F1", "name": "cat.HEIC", "url_private": "https://files.slack.com/F1"}
    assert images(Slack(described(named)), files=[{"id": "F1"}]) == [named]
    assert images(Slack(described({**named, "name": "cat.txt"})), files=[{"id": "F1"}]) == []


@pytest.mark.parametrize(("mode", "reason"), [("tombstone", "was deleted"), ("hidden_by_limit", "storage limit")])
def test_unusable_file_is_named(mode: str, reason: str) -> None:
    gone = {"id": "F2", "mode": mode}
    with pytest.raises(ImageError, match=reason):
        images(Slack(), files=[gone])
    assert images(Slack(), files=[gone, CAT]) == [CAT]


@pytest.mark.parametrize(
    ("error", "more", "reason"),
    [
        ("ratelimited", {}, "Slack limits how often"),
        ("missing_scope", {"needed": "files:read"}, "lacks the permission files:read"),
        ("channel_not_found", {}, "Invite it with /invite"),
    ],
)
def test_refusal_is_explained_unless_the_event_is_enough(error: str, more: dict[str, Any], reason: str) -> None:
    slack = refused("files.info", error, **more)
    with pytest.raises((QueryError, SlackAccessError), match=reason):
        images(slack, files=[STUB])
    enough = {**CAT, "file_access": "check_file_info"}
    assert images(slack, files=[enough]) == [enough]


def test_file_is_found_only_for_people_who_may_see_it() -> None:
    slack = Slack(described({**CAT, "user": "U2", "channels": ["C1"]}))
    assert slack.ask(lambda client: find_file(client, "F1", "U1", "C1"))["id"] == "F1"
    with pytest.raises(QueryError, match="not visible"):
        slack.ask(lambda client: find_file(client, "F1", "U1", "C2"))
    with pytest.raises(QueryError, match="not visible"):
        refused("files.info", "file_not_found").ask(lambda client: find_file(client, "F1", "U1", "C1"))


def test_missing_membership_means_no_newest_image_and_other_refusals_are_explained() -> None:
    assert refused("files.list", "channel_not_found").ask(lambda client: find_newest(client, "C1")) is None
    with pytest.raises(SlackAccessError, match="Slack limits"):
        refused("files.list", "ratelimited").ask(lambda client: find_newest(client, "C1"))
    assert refused("conversations.replies", "thread_not_found").ask(lambda c: thread_messages(c, "C1", "1")) == []
    with pytest.raises(QueryError, match="/invite"):
        refused("conversations.replies", "not_in_channel").ask(lambda client: thread_messages(client, "C1", "1"))
    with pytest.raises(SlackAccessError, match="channels:history"):
        refused("conversations.replies", "missing_scope", needed="channels:history").ask(
            lambda client: thread_messages(client, "C1", "1")
        )
