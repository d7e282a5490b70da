"""Installation by OAuth, and the methods that test and revoke tokens."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from aiohttp import BasicAuth, web

from findimg_bot.local_slack.fault_injection import Timing
from findimg_bot.local_slack.model.state import Json, Team, User
from findimg_bot.local_slack.web_api.api import Api, ApiError, Arguments, Call

_CODE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Grant:
    team: Team
    user: User
    redirect_uri: str
    expires: float


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """The ids and the secret of an app."""

    app_id: str
    client_id: str
    client_secret: str


class Installer(Protocol):
    """Puts the app into teams.

    Attributes:
        timing: has the validity of tokens with rotation.
    """

    timing: Timing

    def install(self, team: Team) -> None:
        """Put the app into a team, or into its organisation."""

    def revoke(self, team: Team) -> None:
        """Give up a team's token."""

    def refresh(self, refresh_token: str) -> Team | None:
        """Use a refresh token, and return its team, or None if the token is used or unknown."""


class OAuth:
    """Installs the app in teams."""

    def __init__(self, app: AppCredentials, redirect_urls: Sequence[str], installer: Installer):
        """Args:
        redirect_urls: the manifest's; the first is taken where the app names none.
        installer: puts the app into teams, and renews its tokens.
        """
        self._app = app
        self._redirect_urls = redirect_urls
        self._installer = installer
        self._codes: dict[str, _Grant] = {}

    def register(self, api: Api) -> None:
        """Register the methods."""
        api.methods |= {"auth.test": (self.test, ""), "auth.revoke": (self.revoke, "")}
        api.open_methods |= {"oauth.v2.access": self.access, "api.test": self.echo}

    def authorize(self, request: web.Request, team: Team, user: User) -> web.Response:
        """Serve `GET /oauth/v2/authorize`: the signed-in person agrees and returns to the app with a code."""
        query = request.query
        back = query.get("redirect_uri") or next(iter(self._redirect_urls), "")
        if query.get("client_id") != self._app.client_id:
            return web.Response(status=400, text="invalid_client_id: this client_id is not this workspace's app.")
        if urlsplit(back).hostname not in ("127.0.0.1", "localhost"):
            return web.Response(status=400, text=f"bad_redirect_uri: {back!r} is not an address on this machine.")
        asked = {scope for scope in query.get("scope", "").split(",") if scope}
        if not asked or not asked <= team.scopes:
            return web.Response(status=400, text="invalid_scope: the app asks for scopes that its manifest lacks.")
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Grant(team, user, back, time.monotonic() + _CODE_SECONDS)
        joint = "&" if urlsplit(back).query else "?"
        raise web.HTTPFound(f"{back}{joint}{urlencode({'code': code, 'state': query.get('state', '')})}")

    def access(self, arguments: Arguments, request: web.Request) -> Json:
        """`oauth.v2.access`."""
        client, secret = arguments.text("client_id", ""), arguments.text("client_secret", "")
        if not client and (header := request.headers.get("Authorization", "")).startswith("Basic "):
            basic = BasicAuth.decode(header)
            client, secret = basic.login, basic.password
        if client != self._app.client_id:
            raise ApiError("invalid_client_id")
        if not secrets.compare_digest(secret.encode(), self._app.client_secret.encode()):
            raise ApiError("bad_client_secret")
        if arguments.text("grant_type", "") == "refresh_token":
            team = self._installer.refresh(arguments.text("refresh_token", ""))
            if team is None:
                raise ApiError("invalid_refresh_token")
            return self._granted(team)
        grant = self._codes.pop(arguments.text("code", ""), None)
        if grant is None or grant.expires < time.monotonic():
            raise ApiError("invalid_code")
        if arguments.text("redirect_uri", grant.redirect_uri) != grant.redirect_uri:
            raise ApiError("bad_redirect_uri")
        if not grant.team.installed:
            self._installer.install(grant.team)
        return self._granted(grant.team) | {"authed_user": {"id": grant.user.id}}

    def _granted(self, team: Team) -> Json:
        organisation, org_wide = team.organisation, team.installation.org_wide
        granted: Json = {
            "access_token": team.bot_token,
            "token_type": "bot",
            "scope": ",".join(sorted(team.scopes)),
            "bot_user_id": team.bot.id,
            "app_id": self._app.app_id,
            "team": None if org_wide else {"id": team.id, "name": team.name},
            "enterprise": organisation and {"id": organisation.id, "name": organisation.name},
            "is_enterprise_install": org_wide,
        }
        if team.installation.refresh_token:
            seconds = int(self._installer.timing.token or 0)
            granted |= {"refresh_token": team.installation.refresh_token, "expires_in": seconds}
        return granted

    def test(self, call: Call) -> Json:
        """`auth.test`."""
        organisation, org_wide = call.team.organisation, call.team.installation.org_wide
        shown: Json = {
            "url": call.team.url,
            "team": organisation.name if organisation and org_wide else call.team.name,
            "user": call.team.bot.name,
            "team_id": organisation.id if organisation and org_wide else call.team.id,
            "user_id": call.team.bot.id,
            "bot_id": call.team.bot_id,
            "is_enterprise_install": org_wide,
        }
        return shown | ({"enterprise_id": organisation.id} if organisation else {})

    def revoke(self, call: Call) -> Json:
        """`auth.revoke`."""
        test = call.arguments.flag("test")
        if not test:
            self._installer.revoke(call.team)
        return {"revoked": not test}

    @staticmethod
    def echo(arguments: Arguments, request: web.Request) -> Json:
        """`api.test`."""
        if error := arguments.text("error", ""):
            raise ApiError(error, args=dict(arguments.values))
        return {"args": dict(arguments.values)}
