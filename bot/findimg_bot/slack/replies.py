"""Where an answer goes: to one person after a command or a click, into a thread, or to one person in private."""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from findimg_bot.slack.blocks import Message

SEARCHING = "Searching…"
_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """Slack does not take the message's blocks, as when a file in them was deleted."""


class Reply(Protocol):
    """The way back to whoever asked."""

    channel: str
    user: str
    private: bool  # whether only this person sees the answer

    async def begin(self) -> None:
        """Says that the answer is being looked for."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """Sends the answer.

        Args:
            fresh: whether the message shows files that were uploaded just now.

        Raises:
            RefusedError: Slack does not take its blocks.
            SlackClientError: Slack cannot be reached by any way.
        """


@dataclass(slots=True)
class EphemeralReply:
    """An answer that only one person sees, by the response_url of a command or a click.

    What a command says first cannot be replaced later, its response_url only adds (slackapi/bolt-python#1268). Where
    files are fresh the answer is posted, since a response_url has been seen to refuse them; that needs the bot in the
    channel, and where it is not, the response_url has to do.
    """

    respond: AsyncRespond
    client: AsyncWebClient
    channel: str
    user: str
    replace: bool = False  # whether it takes the place of the message with the button that was clicked
    private: bool = True
    answered: bool = False  # then there is nothing to wait for

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
        if _is_taken(answer):
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
    """An answer that everybody in a channel or a direct message sees, in a thread."""

    client: AsyncWebClient
    channel: str
    user: str
    thread: str
    instead_of: str | None = None  # the message whose place the answer takes
    private: bool = False

    async def begin(self) -> None:
        """See `Reply.begin`; the answer takes the place of what it says."""
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
        await _refusable(call)


@dataclass(slots=True)
class ChannelReply:
    """An answer that one person shares with everybody in the channel; where the bot is not, by the response_url."""

    respond: AsyncRespond
    client: AsyncWebClient
    channel: str
    user: str
    private: bool = False

    async def begin(self) -> None:
        """See `Reply.begin`; a channel need not know."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        content: dict[str, Any] = {"text": message.text, "blocks": list(message.blocks)}
        try:
            await _refusable(
                self.client.chat_postMessage(channel=self.channel, unfurl_links=False, unfurl_media=False, **content)
            )
        except SlackApiError as error:
            _log.info("A shared answer goes by its response_url: %s", error.response.get("error"))
            hook = _hook(self.respond, self.client)
            answer = await hook.send(**content, response_type="in_channel", replace_original=False)
            if not _is_taken(answer):
                raise _refusal(answer) from error


@dataclass(slots=True)
class PrivateReply:
    """An answer to one person after a modal: in the channel it was asked in, else in the direct message."""

    client: AsyncWebClient
    channel: str
    user: str
    private: bool = True

    async def begin(self) -> None:
        """See `Reply.begin`; the modal has just closed, and its answer comes soon."""

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`."""
        content: dict[str, Any] = {"text": message.text, "blocks": list(message.blocks)}
        if self.channel:
            try:
                await _refusable(self.client.chat_postEphemeral(channel=self.channel, user=self.user, **content))
                return
            except SlackApiError as error:
                _log.info("An answer goes to the direct message: %s", error.response.get("error"))
        await _refusable(self.client.chat_postMessage(channel=self.user, **content))


def _is_taken(answer: WebhookResponse) -> bool:
    """Whether a response_url took a message; it can refuse with status 200, too."""
    return answer.status_code == 200 and answer.body in ("ok", "", '{"ok":true}')


def _hook(respond: AsyncRespond, client: AsyncWebClient) -> AsyncWebhookClient:
    """A response_url, over the connections that the client has: Bolt's own `respond` opens one for each answer."""
    return AsyncWebhookClient(str(respond.response_url), proxy=client.proxy, ssl=client.ssl, session=client.session)


def _refusal(answer: WebhookResponse) -> Exception:
    """Why a response_url did not take a message."""
    text = f"its response_url answered {answer.status_code} {answer.body[:100]}"
    return RefusedError(text) if "invalid_blocks" in answer.body else SlackRequestError(text)


async def _refusable(call: Awaitable[Any]) -> None:
    try:
        await call
    except SlackApiError as error:
        if error.response.get("error") == "invalid_blocks":
            raise RefusedError(str(error)) from error
        raise
