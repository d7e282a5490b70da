"""Modals and Home tabs, and the trigger_ids that open them."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from findimg_bot.local_slack.fault_injection import Timing
from findimg_bot.local_slack.model.limits import is_too_large, view_problems
from findimg_bot.local_slack.model.messages import named_blocks
from findimg_bot.local_slack.model.page_updates import PageUpdates
from findimg_bot.local_slack.model.state import Json, Team, View, new_id

_STACK = 3


class ViewError(Exception):
    """A view that Slack refuses.

    Attributes:
        messages: the problems of its blocks, if they are the reason.
    """

    def __init__(self, error: str, messages: list[str] | None = None):
        super().__init__(error)
        self.messages = messages or []


@dataclass(slots=True)
class _Trigger:
    team: Team
    user: str
    expires: float
    used: bool = False


class Views:
    """The views of all teams."""

    def __init__(
        self,
        page_updates: PageUpdates,
        showable: Callable[[Team, Mapping[str, Any]], bool],
        timing: Timing,
        app_id: str,
        has_home: bool,
    ):
        """Args:
        showable: whether a block's `slack_file` can be shown in a team.
        has_home: whether the manifest enables the Home tab.
        """
        self._page_updates = page_updates
        self._showable = showable
        self._timing = timing
        self._app_id = app_id
        self._has_home = has_home
        self._triggers: dict[str, _Trigger] = {}

    def new_trigger(self, team: Team, user: str) -> str:
        """Return a trigger_id, which opens one modal for this person within a few seconds."""
        name = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[name] = _Trigger(team, user, time.monotonic() + self._timing.trigger)
        return name

    def team_of_trigger(self, trigger: str) -> Team | None:
        """Return the team of a trigger_id."""
        found = self._triggers.get(trigger)
        return found.team if found else None

    def open(self, team: Team, trigger: str, content: Any) -> View:
        """Open a modal.

        Raises:
            ViewError: the trigger is used, expired or another's, or the view is refused.
        """
        return self._show(team, self._use_trigger(team, trigger), content, [])

    def push(self, team: Team, trigger: str, content: Any) -> View:
        """Open a modal on top of another, as `open` does."""
        user = self._use_trigger(team, trigger)
        stack = team.modals.get(user, [])
        if not stack:
            raise ViewError("not_found")
        return self.push_on(team, user, content)

    def push_on(self, team: Team, user: str, content: Any) -> View:
        """Open a modal on top of a person's other modals.

        Raises:
            ViewError: there are three, or the view is refused.
        """
        stack = team.modals.get(user, [])
        if len(stack) >= _STACK:
            raise ViewError("push_limit_reached")
        return self._show(team, user, content, stack)

    def update(self, team: Team, name: str, content: Any, hash_: str = "") -> View:
        """Replace a view's content.

        Args:
            name: its id or external id.
            hash_: the state that it is meant for; empty is any.

        Raises:
            ViewError: there is no such view, it was changed since, or the new one is refused.
        """
        view = team.view(name)
        if view is None:
            raise ViewError("not_found")
        if hash_ and hash_ != view.content["hash"]:
            raise ViewError("hash_conflict")
        self._check(team, content, view)
        kept = {key: view.content[key] for key in ("id", "root_view_id", "previous_view_id")}
        view.content = self._completed(team, content) | kept
        if view.content["type"] == "home":
            self._page_updates.home(team, view)
        else:
            self._page_updates.modal(team, view.user)
        return view

    def publish(self, team: Team, user: str, content: Any, hash_: str = "") -> View:
        """Publish a Home tab, as `update` does."""
        if not self._has_home:
            raise ViewError("not_enabled")
        if user not in team.users:
            raise ViewError("invalid_arguments", ["invalid `user_id`"])
        old = team.homes.get(user)
        self._check(team, content, old)
        if hash_ and (old is None or hash_ != old.content["hash"]):
            raise ViewError("hash_conflict")
        view = View(self._completed(team, content), user)
        if old:
            view.content["id"] = view.content["root_view_id"] = old.id
        team.homes[user] = view
        self._page_updates.home(team, view)
        return view

    def close(self, team: Team, view: View, everything: bool = False) -> None:
        """Close a modal, or all modals of the person."""
        stack = team.modals.get(view.user, [])
        team.modals[view.user] = [] if everything else [each for each in stack if each is not view]
        self._page_updates.modal(team, view.user)

    def _use_trigger(self, team: Team, name: str) -> str:
        trigger = self._triggers.get(name)
        if trigger is None or trigger.team is not team:
            raise ViewError("invalid_trigger_id")
        if trigger.used:
            raise ViewError("exchanged_trigger_id")
        if trigger.expires < time.monotonic():
            raise ViewError("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def _show(self, team: Team, user: str, content: Any, below: list[View]) -> View:
        self._check(team, content)
        if content["type"] != "modal":
            raise ViewError("invalid_arguments", ["[ERROR] must be a modal [json-pointer:/view/type]"])
        view = View(self._completed(team, content), user)
        view.content["root_view_id"] = below[0].id if below else view.id
        view.content["previous_view_id"] = below[-1].id if below else None
        team.modals[user] = [*below, view]
        self._page_updates.modal(team, user)
        return view

    def _check(self, team: Team, content: Any, old: View | None = None) -> None:
        if is_too_large(content):
            raise ViewError("view_too_large")
        if problems := view_problems(content, lambda slack_file: self._showable(team, slack_file)):
            raise ViewError("invalid_arguments", [f"[ERROR] {problem}" for problem in problems])
        external = content.get("external_id")
        if external and team.view(external) not in (None, old):
            raise ViewError("duplicate_external_id")

    def _completed(self, team: Team, content: Json) -> Json:
        name = new_id("V")
        return {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "title": None,
            "submit": None,
            "close": None,
            "clear_on_close": False,
            "notify_on_close": False,
            **content,
            "id": name,
            "team_id": team.id,
            "blocks": named_blocks(content["blocks"]),
            "state": {"values": {}},
            "hash": f"{int(time.time())}.{secrets.token_hex(4)}",
            "root_view_id": name,
            "previous_view_id": None,
            "app_id": self._app_id,
            "app_installed_team_id": team.id,
            "bot_id": team.bot_id,
        }
