"""The Web API: authentication, arguments, scopes and the form of responses."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from findimg_bot.local_slack.fault_injection import FaultInjection
from findimg_bot.local_slack.model.state import Json, Team


class ApiError(Exception):
    """A refused Web API call. The text is Slack's error code.

    Attributes:
        more: further fields of the response.
    """

    def __init__(self, error: str, **more: Any):
        super().__init__(error)
        self.more = more


class Arguments:
    """A call's arguments, sent as a form or as JSON."""

    def __init__(self, values: Mapping[str, Any]):
        self.values = values

    def text(self, name: str, default: str | None = None) -> str:
        """Return a string argument.

        Raises:
            ApiError: the argument is missing and has no default.
        """
        value = self.values.get(name)
        if value is None or value == "":
            if default is None:
                raise ApiError(
                    "invalid_arguments",
                    response_metadata={"messages": [f"[ERROR] missing required field: {name}"]},
                )
            return default
        return str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean argument. Forms send `1` or `true`."""
        value = self.values.get(name, default)
        return value if isinstance(value, bool) else str(value).lower() in ("1", "true")

    def number(self, name: str, default: int, most: int) -> int:
        """Return a number from 1 to `most`.

        Raises:
            ApiError: the argument is not a number.
        """
        try:
            return max(1, min(most, int(self.values.get(name) or default)))
        except (TypeError, ValueError) as error:
            raise ApiError("invalid_arguments") from error

    def json(self, name: str, error: str) -> Any:
        """Return a nested argument, which forms send as JSON text; None when it is missing.

        Raises:
            ApiError: the text is not JSON; `error` is its code.
        """
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            return value or None
        try:
            return json.loads(value)
        except ValueError as reason:
            raise ApiError(error) from reason


@dataclass(frozen=True, slots=True)
class Call:
    """A call by the bot."""

    team: Team
    arguments: Arguments
    request: web.Request

    def need(self, scope: str) -> None:
        """Refuse the call unless the token has this scope.

        Raises:
            ApiError: `missing_scope`.
        """
        if scope not in self.team.scopes:
            raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(self.team.scopes)))


Handler = Callable[[Call], Json | Awaitable[Json]]
OpenHandler = Callable[[Arguments, web.Request], Json]


@dataclass(slots=True)
class Api:
    """The methods, and the checks that run before each of them."""

    app_token: str
    teams: Mapping[str, Team]  # by id
    faults: FaultInjection
    methods: dict[str, tuple[Handler, str]] = field(default_factory=dict)  # name → what it does, the scope it needs
    app_methods: dict[str, OpenHandler] = field(default_factory=dict)  # those that take the app's token
    open_methods: dict[str, OpenHandler] = field(default_factory=dict)  # those that take none
    team_of_trigger: Callable[[str], Team | None] = lambda trigger: None

    async def take(self, request: web.Request) -> web.Response:
        """`POST /api/<method>`, or `GET`."""
        method = request.match_info["method"]
        try:
            values = await _read(request)
        except ValueError:
            return _answer({"ok": False, "error": "invalid_form_data"})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip() or str(values.pop("token", ""))
        self.faults.calls.append((method, dict(values)))
        await asyncio.sleep(self.faults.latency + self.faults.delays.get(method, 0.0))
        if self.faults.rate_limited.get(method, 0) > 0:
            self.faults.rate_limited[method] -= 1
            headers = {"Retry-After": str(self.faults.retry_after)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        try:
            result, headers = await self._run(method, token, Arguments(values), request)
        except ApiError as error:
            return _answer({"ok": False, "error": str(error), **error.more})
        return _answer({"ok": True, **result}, headers)

    def team_of(self, token: str, arguments: Mapping[str, Any] | None = None) -> Team:
        """Return the team of a bot token.

        Args:
            arguments: of the call, which decide between the teams of an organisation.

        Raises:
            ApiError: `not_authed`, `invalid_auth`, `account_inactive`, `token_expired` or `token_revoked`.
        """
        if not token:
            raise ApiError("not_authed")
        if self.faults.revoked:
            raise ApiError("token_revoked")
        if token == self.app_token:
            raise ApiError("not_allowed_token_type")
        teams = [team for team in self.teams.values() if team.installation.knows(token)]
        if not teams:
            raise ApiError("invalid_auth")
        if not teams[0].installed:
            raise ApiError("account_inactive")
        if teams[0].installation.is_expired(token):
            raise ApiError("token_expired")
        # The token of an organisation is for many teams. What a call is about names one of them.
        return next((team for team in teams if self._is_about(team, arguments or {})), teams[0])

    def _is_about(self, team: Team, arguments: Mapping[str, Any]) -> bool:
        named = {str(arguments.get(name) or "") for name in ("team_id", "channel", "channel_id", "user", "user_id")}
        trigger = self.team_of_trigger(str(arguments.get("trigger_id") or ""))
        file = team.files.get(str(arguments.get("file") or ""))
        if file and any(channel in team.channels for channel in file.shares):
            return True
        places = {team.id, *team.channels, *team.users}
        return team is trigger or bool(named & places) or team.view(str(arguments.get("view_id") or "")) is not None

    def reader(self, request: web.Request) -> Team | None:
        """Return the team whose files a download's token can read, or None."""
        about = {"team_id": request.match_info["file"].partition("-")[0]}
        try:
            team = self.team_of(request.headers.get("Authorization", "").removeprefix("Bearer "), about)
        except ApiError:
            return None
        return team if "files:read" in team.scopes else None

    async def _run(
        self, method: str, token: str, arguments: Arguments, request: web.Request
    ) -> tuple[Json, dict[str, str]]:
        if error := self.faults.failing.get(method):
            raise ApiError(error)
        if open_method := self.open_methods.get(method):
            return open_method(arguments, request), {}
        if app_method := self.app_methods.get(method):
            if token != self.app_token:
                self.team_of(token)  # a good token of the wrong kind is told apart from a wrong one
                raise ApiError("not_allowed_token_type")
            if self.faults.revoked:
                raise ApiError("token_revoked")
            return app_method(arguments, request), {}
        if method not in self.methods:
            raise ApiError("unknown_method", req_method=method)
        team = self.team_of(token, arguments.values)
        handler, scope = self.methods[method]
        call = Call(team, arguments, request)
        if scope:
            call.need(scope)
        result = handler(call)
        headers = {"X-OAuth-Scopes": ",".join(sorted(team.scopes)), "X-Accepted-OAuth-Scopes": scope}
        return (result if isinstance(result, dict) else await result), headers


async def _read(request: web.Request) -> Json:
    values: Json = dict(request.query)
    if request.content_type == "application/json":
        body = await request.json()
        if not isinstance(body, dict):
            raise ValueError("not an object")
        return values | body
    return values | {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _answer(body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(body, headers=headers)
