"""The ways to send an answer: to one person only, into a conversation, to a channel, or as a direct message."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from findimg_bot.slack.blocks.elements import small_text
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.delivery_record import current_delivery, start_delivery
from findimg_bot.slack.limits import MESSAGE_BLOCKS

SEARCHING = "Searching…"
_STATUS = "is looking through the pictures…"  # follows the bot's name
# Slack's errors for a conversation in which the bot may not post.
_MAY_NOT_POST = {
    "cannot_reply_to_message": "this message takes no replies",
    "channel_not_found": "findimg is not in the channel",
    "ekm_access_denied": "an administrator suspended posting",
    "is_archived": "the channel is archived",
    "missing_scope": "findimg lacks the permission to post in the channel",
    "no_permission": "findimg may not post in the channel",
    "not_in_channel": "findimg is not in the channel",
    "ratelimited": "Slack limits how often findimg may post in the channel",
    "restricted_action": "a workspace setting restricts posting",
    "restricted_action_non_threadable_channel": "the channel has no threads",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_locked": "the thread is locked",
    "restricted_action_thread_only_channel": "the channel allows only replies",
}
_CANNOT_UPDATE = {"cant_update_message", "edit_window_closed", "message_not_found"}
_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """Slack refuses the message's blocks, for example because a file in them was deleted."""


class Reply(Protocol):
    """A way to send an answer to the person who asked."""

    channel: str
    user: str
    private: bool  # whether only this person sees the answer

    async def show_progress(self) -> None:
        """Tell the person that the search is running. Has no effect after the first call or after the answer."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """Send the answer.

        Args:
            fresh: whether the message shows files that were uploaded just now.

        Raises:
            RefusedError: Slack refuses the blocks.
            SlackClientError: Slack cannot be reached.
            SupersededError: another bot answers.
        """


@dataclass(slots=True)
class EphemeralReply:
    """Sends an answer that only one person sees, by the response_url of a command or a click.

    A command's response_url only adds messages, so its first message cannot be replaced (slackapi/bolt-python#1268).
    A response_url can refuse files that were uploaded just now, so such an answer is posted with chat.postEphemeral.
    Where the bot is not in the channel, posting fails and the response_url is used.
    """

    respond: AsyncRespond
    client: AsyncWebClient
    channel: str
    user: str
    thread: str | None = None  # timestamp of the thread in which the person asked
    replace: bool = False  # whether it replaces the message with the button
    private: bool = True
    answered: bool = False  # then no progress is shown
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def show_progress(self) -> None:
        """See `Reply.show_progress`."""
        async with self._sending:
            if not self.answered and not self.replace:
                self.answered = True
                await self._respond(text=SEARCHING, response_type="ephemeral", replace_original=False)

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        async with self._sending:
            self.answered = True
            await start_delivery()
            if fresh and await self._post(message):
                if self.replace:
                    await self._respond(delete_original=True)
                return
            answer = await self._respond(**_content(message), response_type="ephemeral", replace_original=self.replace)
            if _is_accepted(answer):
                return
            _log.info("A response_url refused an answer: %s %s", answer.status_code, answer.body[:200])
            if not await self._post(message):
                raise _refusal(answer)

    async def _respond(self, **body: Any) -> WebhookResponse:
        return await _respond(self.respond, self.client, self.thread, **body)

    async def _post(self, message: Message) -> bool:
        try:
            await self.client.chat_postEphemeral(
                channel=self.channel, user=self.user, thread_ts=self.thread, **_content(message)
            )
        except SlackApiError as error:
            if error.response.get("error") == "invalid_blocks":
                raise RefusedError(str(error)) from error
            return False
        return True


@dataclass(slots=True)
class ConversationReply:
    """Sends an answer into a conversation, where everybody in it sees it.

    Where Slack does not let the bot post, the person gets the answer privately, with the reason: by the response_url of
    a click, which needs no permission, else by `PrivateReply`.
    """

    client: AsyncWebClient
    channel: str
    user: str  # empty for a workflow or another app
    thread: str | None = None  # timestamp of the thread; None posts beside the question
    instead_of: str | None = None  # timestamp of the message that the answer replaces
    private: bool = False
    # Whether the assistant panel shows the progress. Slack removes the progress when the answer arrives in `thread`.
    in_panel: bool = False
    respond: AsyncRespond | None = None  # of a click
    _answered: bool = False
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def show_progress(self) -> None:
        """See `Reply.show_progress`. The answer replaces this message."""
        async with self._sending:
            if self._answered:
                return
            if self.in_panel and self.thread:
                await self.client.assistant_threads_setStatus(
                    channel_id=self.channel, thread_ts=self.thread, status=_STATUS
                )
            elif self.instead_of is None and not self._continue():
                posted = await self.client.chat_postMessage(channel=self.channel, text=SEARCHING, thread_ts=self.thread)
                self.instead_of = str(posted["ts"])
                if record := current_delivery.get():
                    await record.save_progress(self.instead_of)

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        async with self._sending:
            self._answered = True
            self._continue()
            await start_delivery()
            try:
                await self._post(message)
            except SlackApiError as error:
                if not self.user:
                    raise
                code = str(error.response.get("error"))
                reason = _MAY_NOT_POST.get(code, f"Slack answered {code}")
                _log.info("An answer is sent privately, because %s.", reason)
                await self._send_privately(message, reason)

    def _continue(self) -> bool:
        """Replace the message "Searching…" of a bot that ended, and return whether there is one."""
        record = current_delivery.get()
        if record and record.progress and self.instead_of is None:
            self.instead_of = record.progress
        return self.instead_of is not None

    async def _post(self, message: Message) -> None:
        if self.instead_of:
            try:
                await _raise_refusal(
                    self.client.chat_update(channel=self.channel, ts=self.instead_of, **_content(message))
                )
                return
            except SlackApiError as error:
                if error.response.get("error") not in _CANNOT_UPDATE:
                    raise
        await _raise_refusal(_post(self.client, self.channel, self.thread, message))

    async def _send_privately(self, message: Message, reason: str) -> None:
        note = small_text(f"Only you see this, because {reason}.")
        shown = Message(message.text, [note, *message.blocks][:MESSAGE_BLOCKS])
        if self.respond is not None:
            await EphemeralReply(self.respond, self.client, self.channel, self.user, self.thread).send(shown)
        else:
            await PrivateReply(self.client, self.channel, self.user, self.thread).send(shown)


@dataclass(slots=True)
class ChannelReply:
    """Sends an answer that one person shares with a channel. Without access to the channel it uses the response_url."""

    respond: AsyncRespond
    client: AsyncWebClient
    channel: str
    user: str
    thread: str | None = None
    private: bool = False

    async def show_progress(self) -> None:
        """See `Reply.show_progress`. Nothing is shown to the channel."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        await start_delivery()
        try:
            await _raise_refusal(_post(self.client, self.channel, self.thread, message))
        except SlackApiError as error:
            _log.info("A shared answer is sent by its response_url: %s", error.response.get("error"))
            answer = await _respond(
                self.respond,
                self.client,
                self.thread,
                **_content(message),
                response_type="in_channel",
                replace_original=False,
            )
            if not _is_accepted(answer):
                raise _refusal(answer) from error


@dataclass(slots=True)
class PrivateReply:
    """Sends an answer to one person without a response_url: in the channel of the question, else directly."""

    client: AsyncWebClient
    channel: str
    user: str
    thread: str | None = None
    private: bool = True

    async def show_progress(self) -> None:
        """See `Reply.show_progress`. Nothing is shown, because a modal has just closed."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        await start_delivery()
        if self.channel:
            try:
                await _raise_refusal(
                    self.client.chat_postEphemeral(
                        channel=self.channel, user=self.user, thread_ts=self.thread, **_content(message)
                    )
                )
                return
            except SlackApiError as error:
                _log.info("An answer is sent as a direct message: %s", error.response.get("error"))
        await _raise_refusal(self.client.chat_postMessage(channel=self.user, **_content(message)))


def _content(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": list(message.blocks)}


def _post(client: AsyncWebClient, channel: str, thread: str | None, message: Message) -> Awaitable[AsyncSlackResponse]:
    return client.chat_postMessage(
        channel=channel, unfurl_links=False, unfurl_media=False, thread_ts=thread, **_content(message)
    )


async def _respond(respond: AsyncRespond, client: AsyncWebClient, thread: str | None, **body: Any) -> WebhookResponse:
    """Send to a response_url over the client's open connections. Bolt's own `respond` opens one each time."""
    hook = AsyncWebhookClient(str(respond.response_url), proxy=client.proxy, ssl=client.ssl, session=client.session)
    return await hook.send_dict(body | ({"thread_ts": thread} if thread else {}))


def _is_accepted(answer: WebhookResponse) -> bool:
    """Return whether a response_url accepted a message. It can refuse one with status 200."""
    return answer.status_code == 200 and answer.body in ("ok", "", '{"ok":true}')


def _refusal(answer: WebhookResponse) -> Exception:
    """Return the error for a response_url that refused a message."""
    text = f"its response_url answered {answer.status_code} {answer.body[:100]}"
    return RefusedError(text) if "invalid_blocks" in answer.body else SlackRequestError(text)


async def _raise_refusal(call: Awaitable[AsyncSlackResponse]) -> None:
    try:
        await call
    except SlackApiError as error:
        if error.response.get("error") == "invalid_blocks":
            raise RefusedError(str(error)) from error
        raise
