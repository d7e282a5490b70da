"""The response_url of commands and interactions: five answers within half an hour."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from findimg_bot.local_slack.faults import Faults, Timing
from findimg_bot.local_slack.model.limits import message_problems
from findimg_bot.local_slack.model.messages import Messages
from findimg_bot.local_slack.model.state import Channel, Json, Message, Team

_USES = 5


@dataclass(slots=True)
class Hook:
    """One response_url: where its answers go."""

    team: Team
    channel: Channel
    user: str
    original: Message | None  # the message that was acted on, which alone it can change
    expires: float
    uses: int = 0


class Hooks:
    """The response_urls of all teams."""

    def __init__(
        self,
        messages: Messages,
        showable: Callable[[Team, Mapping[str, Any]], bool],
        timing: Timing,
        faults: Faults,
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
        self._hooks: dict[str, Hook] = {}

    def new(self, kind: str, team: Team, channel: Channel, user: str, original: Message | None = None) -> str:
        """A response_url.

        Args:
            kind: `commands`, `actions` or `app`, as Slack's addresses say.
            original: only a click has one. A command's answers stand beside each other whatever `replace_original`
                says, and so do those of a message shortcut.
        """
        name = f"{kind}/{team.id}/{secrets.token_urlsafe(18)}"
        self._hooks[name] = Hook(team, channel, user, original, time.monotonic() + self._timing.response_url)
        return f"{self._address}/hooks/{name}"

    async def take(self, request: web.Request) -> web.Response:
        """`POST /hooks/…`: one answer."""
        hook = self._hooks.get(request.match_info["name"])
        if hook is None:
            return _refused("invalid_token")
        if hook.expires < time.monotonic():
            return _refused("expired_url")
        if hook.uses >= _USES:
            return _refused("used_url")
        try:
            body = json.loads(await request.text())
        except ValueError:
            return _refused("invalid_payload", 400)
        if not isinstance(body, dict):
            return _refused("invalid_payload", 400)
        if error := self.answer(hook, body):
            return _refused(error)
        hook.uses += 1
        return web.Response(text="ok")

    def acknowledged(self, team: Team, channel: Channel, user: str, payload: Json) -> str | None:
        """The answer that came with a command's acknowledgement; returns Slack's error, None when it was taken."""
        return self.answer(Hook(team, channel, user, None, 0.0), payload)

    def answer(self, hook: Hook, body: Json) -> str | None:
        """Does what an answer says; returns Slack's error, None when it was taken."""
        original = hook.original
        if original and hook.team.message(hook.channel.id, original.ts) is not original:
            original = None  # it was deleted meanwhile
        if body.get("delete_original"):
            if original is None:
                return "message_not_found"
            self._messages.delete(hook.team, original)
            return None
        text, blocks = str(body.get("text") or ""), body.get("blocks") or []
        if not text and not blocks:
            return "no_text"
        if message_problems(blocks, lambda slack_file: self._can_show(hook.team, slack_file)):
            return "invalid_blocks"
        # Without either field an answer to a click takes the place of the message.
        replace = body.get("replace_original", "response_type" not in body)
        if original and replace:
            # Whoever sees the original sees the new one: what was for one person never becomes public in place.
            self._messages.change(hook.team, original, text, blocks)
            return None
        only_for = None if body.get("response_type") == "in_channel" else hook.user
        thread = str(body.get("thread_ts") or "")
        self._messages.post(hook.team, hook.channel, text, blocks, thread, only_for=only_for)
        return None

    def _can_show(self, team: Team, slack_file: Mapping[str, Any]) -> bool:
        return not self._faults.hooks_refuse_files and self._showable(team, slack_file)


def _refused(error: str, status: int = 404) -> web.Response:
    return web.json_response({"ok": False, "error": error}, status=status)
