"""The response_url of commands and interactions, which takes five responses within 30 minutes."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from findimg_bot.local_slack.fault_injection import FaultInjection, Timing
from findimg_bot.local_slack.model.limits import message_problems
from findimg_bot.local_slack.model.messages import Messages, NewMessage
from findimg_bot.local_slack.model.state import Channel, Json, Message, Team

_USES = 5


@dataclass(slots=True)
class ResponseUrl:
    """A response_url and the place of its responses."""

    team: Team
    channel: Channel
    user: str
    original: Message | None  # the message that was acted on, which alone it can change
    expires: float
    uses: int = 0


class ResponseUrls:
    """The response_urls of all teams."""

    def __init__(
        self,
        messages: Messages,
        showable: Callable[[Team, Mapping[str, Any]], bool],
        timing: Timing,
        faults: FaultInjection,
        address: str,
    ):
        """Args:
        showable: whether a block's `slack_file` can be shown in a team.
        """
        self._messages = messages
        self._showable = showable
        self._timing = timing
        self._faults = faults
        self._address = address
        self._response_urls: dict[str, ResponseUrl] = {}

    def new(self, kind: str, team: Team, channel: Channel, user: str, original: Message | None = None) -> str:
        """Return a new response_url.

        Args:
            kind: `commands`, `actions` or `app`, as Slack's addresses say.
            original: the message with the clicked element. Commands and message shortcuts have none, so
                `replace_original` has no effect for them.
        """
        name = f"{kind}/{team.id}/{secrets.token_urlsafe(18)}"
        self._response_urls[name] = ResponseUrl(
            team, channel, user, original, time.monotonic() + self._timing.response_url
        )
        return f"{self._address}/hooks/{name}"

    async def handle(self, request: web.Request) -> web.Response:
        """Serve `POST /hooks/…`: accept one answer."""
        await asyncio.sleep(self._faults.latency)
        response_url = self._response_urls.get(request.match_info["name"])
        if response_url is None:
            return _refused("invalid_token")
        if response_url.expires < time.monotonic():
            return _refused("expired_url")
        if response_url.uses >= _USES:
            return _refused("used_url")
        try:
            body = json.loads(await request.text())
        except ValueError:
            return _refused("invalid_payload", 400)
        if not isinstance(body, dict):
            return _refused("invalid_payload", 400)
        if error := self.answer(response_url, body):
            return _refused(error)
        response_url.uses += 1
        return web.Response(text="ok")

    def acknowledged(self, team: Team, channel: Channel, user: str, payload: Json) -> str | None:
        """Post the response in a command's acknowledgement; return Slack's error, or None."""
        return self.answer(ResponseUrl(team, channel, user, None, 0.0), payload)

    def answer(self, response_url: ResponseUrl, body: Json) -> str | None:
        """Carry out a response; return Slack's error, or None."""
        original = response_url.original
        if original and response_url.team.message(response_url.channel.id, original.ts) is not original:
            original = None  # it was deleted meanwhile
        if body.get("delete_original"):
            if original is None:
                return "message_not_found"
            self._messages.delete(response_url.team, original)
            return None
        text, blocks = str(body.get("text") or ""), body.get("blocks") or []
        if not text and not blocks:
            return "no_text"
        if message_problems(blocks, lambda slack_file: self._can_show(response_url.team, slack_file)):
            return "invalid_blocks"
        # Without either field an answer to a click takes the place of the message.
        replace = body.get("replace_original", "response_type" not in body)
        if original and replace:
            # An ephemeral message stays ephemeral.
            self._messages.change(response_url.team, original, text, blocks)
            return None
        only_for = None if body.get("response_type") == "in_channel" else response_url.user
        thread = str(body.get("thread_ts") or "")
        new = NewMessage(text, blocks, thread)
        self._messages.post(response_url.team, response_url.channel, new, only_for=only_for)
        return None

    def _can_show(self, team: Team, slack_file: Mapping[str, Any]) -> bool:
        return not self._faults.response_urls_refuse_files and self._showable(team, slack_file)


def _refused(error: str, status: int = 404) -> web.Response:
    return web.json_response({"ok": False, "error": error}, status=status)
