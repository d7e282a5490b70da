"""Test how an answer is sent when Slack refuses the first attempt. Tests of the listeners check its content."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.slack.blocks.message import text_message
from findimg_bot.slack.replies import ChannelReply, ConversationReply, EphemeralReply, PrivateReply, RefusedError, Reply

ANSWER = text_message("Here they are.")
HOOK, EPHEMERAL, POST, UPDATE = "/hook", "/api/chat.postEphemeral", "/api/chat.postMessage", "/api/chat.update"
Way = Callable[[AsyncRespond, AsyncWebClient], Awaitable[None]]
AWAY = {"ok": False, "error": "not_in_channel"}
BAD_BLOCKS = {"ok": False, "error": "invalid_blocks"}


@dataclass(slots=True)
class Slack:
    """A Slack with a configured response for each path. It accepts everything else and records it."""

    refuses: dict[str, Any] = field(default_factory=dict)
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.sent.append((request.path, await request.json()))
        refusal = self.refuses.get(request.path)
        if isinstance(refusal, int):
            return web.Response(status=refusal, text="expired_url")
        if request.path == HOOK and refusal is None:
            return web.Response(text="ok")
        return web.json_response(refusal or {"ok": True, "ts": "1717243200.000200"})

    def ask(self, use: Way) -> None:
        """Run a coroutine that sends answers to this server."""

        async def run() -> None:
            runner = web.ServerRunner(web.Server(self.answer))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            try:
                client = AsyncWebClient("xoxb-secret", base_url=f"http://{host}:{port}/api/")
                await use(AsyncRespond(response_url=f"http://{host}:{port}{HOOK}"), client)
            finally:
                await runner.cleanup()

        asyncio.run(run())

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.sent]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxy from the environment. The clients would use it even for this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def whispers(replace: bool = False, fresh: bool = False) -> Way:
    return lambda respond, client: EphemeralReply(respond, client, "C1", "U1", replace=replace).send(ANSWER, fresh)


def shares(respond: AsyncRespond, client: AsyncWebClient) -> Awaitable[None]:
    return ChannelReply(respond, client, "C1", "U1").send(ANSWER)


def threads(respond: AsyncRespond, client: AsyncWebClient) -> Awaitable[None]:
    return ConversationReply(client, "C1", "U1", "1717243100.000100").send(ANSWER)


def answers_privately(channel: str) -> Way:
    return lambda respond, client: PrivateReply(client, channel, "U1").send(ANSWER)


def with_progress(reply: Callable[[AsyncRespond, AsyncWebClient], Reply]) -> Way:
    """Announce the search, answer, and announce it again too late."""

    async def use(respond: AsyncRespond, client: AsyncWebClient) -> None:
        each = reply(respond, client)
        await each.show_progress()
        await each.send(ANSWER)
        await each.show_progress()

    return use


@pytest.mark.parametrize("replace", [False, True])
def test_ephemeral_reply_uses_the_response_url(replace: bool) -> None:
    slack = Slack()
    slack.ask(whispers(replace))
    ((path, body),) = slack.sent
    assert path == HOOK
    assert (body["text"], body["blocks"]) == (ANSWER.text, list(ANSWER.blocks))
    assert (body["response_type"], body["replace_original"]) == ("ephemeral", replace)


def test_ephemeral_reply_with_fresh_files_is_posted() -> None:
    slack = Slack()
    slack.ask(whispers(fresh=True))
    ((path, body),) = slack.sent
    assert path == EPHEMERAL
    assert (body["channel"], body["user"], body["text"]) == ("C1", "U1", ANSWER.text)


def test_posted_ephemeral_reply_deletes_the_replaced_message() -> None:
    slack = Slack()
    slack.ask(whispers(replace=True, fresh=True))
    assert slack.paths == [EPHEMERAL, HOOK]
    assert slack.sent[1][1]["delete_original"] is True


def test_ephemeral_reply_falls_back_to_the_response_url() -> None:
    slack = Slack({EPHEMERAL: AWAY})
    slack.ask(whispers(fresh=True))
    assert slack.paths == [EPHEMERAL, HOOK]
    assert slack.sent[1][1]["blocks"] == list(ANSWER.blocks)


@pytest.mark.parametrize("refusal", [404, 500, {"ok": False, "error": "expired_url"}])
def test_ephemeral_reply_is_posted_after_a_refusal(refusal: Any) -> None:
    slack = Slack({HOOK: refusal})
    slack.ask(whispers())
    assert slack.paths == [HOOK, EPHEMERAL]


def test_undeliverable_ephemeral_reply_raises_the_reason() -> None:
    with pytest.raises(SlackClientError, match="404 expired_url"):
        Slack({HOOK: 404, EPHEMERAL: AWAY}).ask(whispers())


@pytest.mark.parametrize("refuses", [{HOOK: 404, EPHEMERAL: BAD_BLOCKS}, {HOOK: BAD_BLOCKS, EPHEMERAL: AWAY}])
def test_ephemeral_reply_with_invalid_blocks_is_refused(refuses: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        Slack(refuses).ask(whispers())


def test_ephemeral_reply_shows_progress_unless_answered() -> None:
    slack = Slack()
    slack.ask(with_progress(lambda respond, client: EphemeralReply(respond, client, "C1", "U1")))
    assert [body["text"] for _, body in slack.sent] == ["Searching…", ANSWER.text]
    assert {body["response_type"] for _, body in slack.sent} == {"ephemeral"}


def test_thread_reply_replaces_the_progress_message() -> None:
    slack = Slack()
    slack.ask(with_progress(lambda respond, client: ConversationReply(client, "C1", "U1", "1717243100.000100")))
    assert slack.paths == [POST, UPDATE]
    (_, searching), (_, answer) = slack.sent
    assert (searching["thread_ts"], searching["text"]) == ("1717243100.000100", "Searching…")
    assert (answer["ts"], answer["text"]) == ("1717243200.000200", ANSWER.text)


def test_thread_reply_stays_in_its_thread() -> None:
    slack = Slack()
    slack.ask(threads)
    ((path, body),) = slack.sent
    assert (path, body["thread_ts"], body["unfurl_links"]) == (POST, "1717243100.000100", False)


def test_replies_in_a_thread_stay_in_it() -> None:
    thread = "1717243100.000100"

    async def use(respond: AsyncRespond, client: AsyncWebClient) -> None:
        await EphemeralReply(respond, client, "C1", "U1", thread).send(ANSWER)
        await EphemeralReply(respond, client, "C1", "U1", thread).send(ANSWER, fresh=True)
        await ChannelReply(respond, client, "C1", "U1", thread).send(ANSWER)
        await PrivateReply(client, "C1", "U1", thread).send(ANSWER)

    slack = Slack()
    slack.ask(use)
    assert slack.paths == [HOOK, EPHEMERAL, POST, EPHEMERAL]
    assert {body["thread_ts"] for _, body in slack.sent} == {thread}


def test_conversation_reply_without_a_thread_is_posted_beside_the_question() -> None:
    slack = Slack()
    slack.ask(lambda respond, client: ConversationReply(client, "D1", "U1").send(ANSWER))
    ((path, body),) = slack.sent
    assert path == POST
    assert "thread_ts" not in body


@pytest.mark.parametrize(
    "error", ["not_in_channel", "restricted_action", "is_archived", "ratelimited", "missing_scope", "internal_error"]
)
def test_answer_is_private_where_slack_refuses_to_post_it(error: str) -> None:
    slack = Slack({POST: {"ok": False, "error": error}})
    slack.ask(threads)
    assert slack.paths == [POST, EPHEMERAL]
    assert slack.sent[1][1]["thread_ts"] == "1717243100.000100"
    assert "Only you see this, because" in str(slack.sent[1][1]["blocks"])


def test_answer_to_a_click_needs_no_token_where_slack_refuses_to_post_it() -> None:
    slack = Slack({UPDATE: {"ok": False, "error": "token_revoked"}})
    slack.ask(lambda respond, client: ConversationReply(client, "C1", "U1", None, "17.1", respond=respond).send(ANSWER))
    assert slack.paths == [UPDATE, HOOK]
    assert slack.sent[1][1]["response_type"] == "ephemeral"
    assert "Slack answered token_revoked" in str(slack.sent[1][1]["blocks"])


def test_answer_is_posted_when_the_progress_message_is_gone() -> None:
    slack = Slack({UPDATE: {"ok": False, "error": "message_not_found"}})
    slack.ask(with_progress(lambda respond, client: ConversationReply(client, "C1", "U1", "1717243100.000100")))
    assert slack.paths == [POST, UPDATE, POST]


def test_progress_is_shown_once_and_replaced_when_it_comes_late() -> None:
    async def use(respond: AsyncRespond, client: AsyncWebClient) -> None:
        reply = ConversationReply(client, "C1", "U1", "1717243100.000100")
        # Both start before the first call of Slack has ended.
        await asyncio.gather(reply.show_progress(), reply.show_progress(), reply.send(ANSWER))
        await reply.show_progress()

    slack = Slack()
    slack.ask(use)
    assert slack.paths == [POST, UPDATE]


def test_shared_answer_is_posted_to_the_channel() -> None:
    slack = Slack()
    slack.ask(shares)
    ((path, body),) = slack.sent
    assert (path, body["channel"]) == (POST, "C1")
    assert "thread_ts" not in body


def test_shared_answer_falls_back_to_the_response_url() -> None:
    slack = Slack({POST: AWAY})
    slack.ask(shares)
    assert slack.paths == [POST, HOOK]
    assert (slack.sent[1][1]["response_type"], slack.sent[1][1]["replace_original"]) == ("in_channel", False)


@pytest.mark.parametrize(("refusal", "error"), [(404, SlackClientError), (BAD_BLOCKS, RefusedError)])
def test_undeliverable_shared_answer_raises_the_reason(refusal: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Slack({POST: AWAY, HOOK: refusal}).ask(shares)


def test_modal_answer_is_ephemeral_in_its_channel() -> None:
    slack = Slack()
    slack.ask(answers_privately("C1"))
    ((path, body),) = slack.sent
    assert (path, body["channel"], body["user"]) == (EPHEMERAL, "C1", "U1")


@pytest.mark.parametrize(("channel", "ways"), [("C1", [EPHEMERAL, POST]), ("", [POST])])
def test_modal_answer_falls_back_to_a_direct_message(channel: str, ways: list[str]) -> None:
    slack = Slack({EPHEMERAL: AWAY})
    slack.ask(answers_privately(channel))
    assert slack.paths == ways
    assert slack.sent[-1][1]["channel"] == "U1"


@pytest.mark.parametrize("use", [whispers(fresh=True), threads, shares, answers_privately("C1"), answers_privately("")])
def test_invalid_blocks_raise_refused_error(
    use: Way,
) -> None:
    slack = Slack({POST: BAD_BLOCKS, EPHEMERAL: BAD_BLOCKS})
    with pytest.raises(RefusedError):
        slack.ask(use)
    assert len(slack.sent) == 1


@pytest.mark.parametrize("use", [threads, answers_privately("")])
def test_other_errors_of_slack_are_raised(use: Way) -> None:
    with pytest.raises(SlackApiError, match="token_revoked"):
        Slack({path: {"ok": False, "error": "token_revoked"} for path in (POST, EPHEMERAL)}).ask(use)


def test_only_thread_and_channel_replies_are_public() -> None:
    client, respond = AsyncWebClient(), AsyncRespond(response_url=None)
    public: list[Reply] = [ConversationReply(client, "C1", "U1", "1"), ChannelReply(respond, client, "C1", "U1")]
    private: list[Reply] = [EphemeralReply(respond, client, "C1", "U1"), PrivateReply(client, "C1", "U1")]
    assert [reply.private for reply in public + private] == [False, False, True, True]
