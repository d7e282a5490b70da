"""The ways to send an answer: to one person only, into a thread, to a channel, or as a direct message."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from findimg_bot.slack.blocks.message import Message

SEARCHING = "Searching…"
_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """Slack refuses the message's blocks, for example because a file in them was deleted."""


class Reply(Protocol):
    """A way to send an answer to the person who asked."""

    channel: str
    user: str
    private: bool  # whether only this person sees the answer

    async def begin(self) -> None:
        """Tell the person that the search is running."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """Send the answer.

        Args:
            fresh: whether the message shows files that were uploaded just now.

        Raises:
            RefusedError: Slack refuses the blocks.
            SlackClientError: Slack cannot be reached.
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
    replace: bool = False  # whether it replaces the message with the button
    private: bool = True
    answered: bool = False  # then no progress is shown

    async def begin(self) -> None:
        """See `Reply.begin`."""
        if not self.answered and not self.replace:
            await _hook(self.respond, self.client).send(
                text=SEARCHING, response_type="ephemeral", replace_original=False
            )

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        self.answered = True
        if fresh and await self._post(message):
            if self.replace:
                await _hook(self.respond, self.client).send(delete_original=True)
            return
        answer = await _hook(self.respond, self.client).send(
            text=message.text, blocks=list(message.blocks), response_type="ephemeral", replace_original=self.replace
        )
        if _is_accepted(answer):
            return
        _log.info("A response_url refused an answer: %s %s", answer.status_code, answer.body[:200])
        if not await self._post(message):
            raise _refusal(answer)

    async def _post(self, message: Message) -> bool:
        try:
            await self.client.chat_postEphemeral(
                channel=self.channel, user=self.user, text=message.text, blocks=list(message.blocks)
            )
        except SlackApiError as error:
            if error.response.get("error") == "invalid_blocks":
                raise RefusedError(str(error)) from error
            return False
        return True


@dataclass(slots=True)
class ThreadReply:
    """Sends an answer into a thread, where everybody in the conversation sees it."""

    client: AsyncWebClient
    channel: str
    user: str
    thread: str
    instead_of: str | None = None  # timestamp of the message that the answer replaces
    private: bool = False

    async def begin(self) -> None:
        """See `Reply.begin`. The answer replaces this message."""
        if self.instead_of is None:
            posted = await self.client.chat_postMessage(channel=self.channel, thread_ts=self.thread, text=SEARCHING)
            self.instead_of = posted["ts"]

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        content: dict[str, Any] = {"text": message.text, "blocks": list(message.blocks)}
        if self.instead_of:
            call = self.client.chat_update(channel=self.channel, ts=self.instead_of, **content)
        else:
            call = self.client.chat_postMessage(
                channel=self.channel, thread_ts=self.thread, unfurl_links=False, unfurl_media=False, **content
            )
        await _raise_refusal(call)


@dataclass(slots=True)
class ChannelReply:
    """Sends an answer that one person shares with a channel. Without access to the channel it uses the response_url."""

    respond: AsyncRespond
    client: AsyncWebClient
    channel: str
    user: str
    private: bool = False

    async def begin(self) -> None:
        """See `Reply.begin`. Nothing is shown to the channel."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        content: dict[str, Any] = {"text": message.text, "blocks": list(message.blocks)}
        try:
            await _raise_refusal(
                self.client.chat_postMessage(channel=self.channel, unfurl_links=False, unfurl_media=False, **content)
            )
        except SlackApiError as error:
            _log.info("A shared answer is sent by its response_url: %s", error.response.get("error"))
            hook = _hook(self.respond, self.client)
            answer = await hook.send(**content, response_type="in_channel", replace_original=False)
            if not _is_accepted(answer):
                raise _refusal(answer) from error


@dataclass(slots=True)
class PrivateReply:
    """Sends an answer to one person after a modal: in the channel of the question, else as a direct message."""

    client: AsyncWebClient
    channel: str
    user: str
    private: bool = True

    async def begin(self) -> None:
        """See `Reply.begin`. Nothing is shown, because the modal has just closed."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        content: dict[str, Any] = {"text": message.text, "blocks": list(message.blocks)}
        if self.channel:
            try:
                await _raise_refusal(self.client.chat_postEphemeral(channel=self.channel, user=self.user, **content))
                return
            except SlackApiError as error:
                _log.info("An answer is sent as a direct message: %s", error.response.get("error"))
        await _raise_refusal(self.client.chat_postMessage(channel=self.user, **content))


def _is_accepted(answer: WebhookResponse) -> bool:
    """Return whether a response_url accepted a message. It can refuse one with status 200."""
    return answer.status_code == 200 and answer.body in ("ok", "", '{"ok":true}')


def _hook(respond: AsyncRespond, client: AsyncWebClient) -> AsyncWebhookClient:
    """Return a client of the response_url that reuses open connections. Bolt's own `respond` opens one each time."""
    return AsyncWebhookClient(str(respond.response_url), proxy=client.proxy, ssl=client.ssl, session=client.session)


def _refusal(answer: WebhookResponse) -> Exception:
    """Return the error for a response_url that refused a message."""
    text = f"its response_url answered {answer.status_code} {answer.body[:100]}"
    return RefusedError(text) if "invalid_blocks" in answer.body else SlackRequestError(text)


async def _raise_refusal(call: Awaitable[Any]) -> None:
    try:
        await call
    except SlackApiError as error:
        if error.response.get("error") == "invalid_blocks":
            raise RefusedError(str(error)) from error
        raise
