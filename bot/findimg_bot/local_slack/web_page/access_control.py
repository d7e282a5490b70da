"""Access control: refuses requests of other pages and other machines."""

import hmac
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from findimg_bot.local_slack.model.state import Team, User

_STRICT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": _STRICT_POLICY,
}
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AccessControl:
    """Checks requests against the workspace's addresses and its people's tokens."""

    def __init__(self, port: int, teams: Mapping[str, Team]):
        """Args:
        teams: live; who joins later is known too.
        """
        self._own = (f"127.0.0.1:{port}", f"localhost:{port}")
        # slack-sdk's built-in WebSocket client omits the port; browsers do not.
        self._hosts = {*self._own, "127.0.0.1", "localhost"}
        self._teams = teams
        # Browsers send cookies to all ports of a host, and several workspaces may run.
        self._cookie = f"workspace-{port}"

    @property
    def page_policy(self) -> str:
        """Return the page's content security policy, which allows its own files and images of this machine."""
        sockets = " ".join(f"ws://{host}" for host in self._own)
        return (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: http://127.0.0.1:* "
            f"http://localhost:*; connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

    def person(self, token: str) -> tuple[Team, User] | None:
        """Return the team and the person of a token."""
        found = None
        for team in self._teams.values():
            for user in team.users.values():
                if hmac.compare_digest(user.token.encode(), token.encode()) and not user.is_bot:
                    found = team, user
        return found

    def signed_in(self, request: web.Request) -> tuple[Team, User] | None:
        """Return the team and the person who are signed in."""
        return self.person(request.cookies.get(self._cookie, ""))

    def sign_in(self, token: str) -> web.Response:
        """Set the cookie, and redirect to the page's address without the token."""
        response = web.Response(status=302, headers={hdrs.LOCATION: "/"})
        response.set_cookie(self._cookie, token, httponly=True, samesite="Strict", path="/")
        return response

    def middleware(self) -> Middleware:
        """Refuse requests for other hosts or from other origins."""

        @web.middleware
        async def guard(request: web.Request, handler: Next) -> web.StreamResponse:
            host, origin = request.headers.get(hdrs.HOST, ""), request.headers.get(hdrs.ORIGIN)
            # Refuse DNS rebinding and pages of other origins.
            if host not in self._hosts or (origin is not None and origin != f"http://{host}"):
                return web.Response(status=403, text="This address is for the workspace's own page only.")
            return await handler(request)

        return guard

    @staticmethod
    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        """Add the default headers to a response. This is a signal handler."""
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
