"""The app's installation in a team or in an organisation of Enterprise Grid, with its tokens."""

import secrets
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Installation:
    """The app in one team, or in all teams of an organisation.

    With token rotation, tokens are valid for a limited time, and a refresh token gives the next pair once.
    """

    token: str = field(default_factory=lambda: f"xoxb-{secrets.token_hex(16)}", repr=False)
    installed: bool = True
    org_wide: bool = False
    refresh_token: str = field(default="", repr=False)
    workflow_tokens: set[str] = field(default_factory=set, repr=False)  # of running functions
    expiries: dict[str, float] = field(default_factory=dict, repr=False)  # token → monotonic seconds

    def renew(self, seconds: float | None = None) -> None:
        """Replace the token. An earlier one stays valid until it expires.

        Args:
            seconds: validity of the new token with rotation; None makes a token that does not expire.
        """
        if seconds is None:
            self.token, self.refresh_token, self.expiries = f"xoxb-{secrets.token_hex(16)}", "", {}
            return
        self.token = f"xoxe.xoxb-1-{secrets.token_hex(16)}"
        self.refresh_token = f"xoxe-1-{secrets.token_hex(16)}"
        self.expiries[self.token] = time.monotonic() + seconds

    def knows(self, token: str) -> bool:
        """Return whether a token is or was of this installation."""
        return token == self.token or token in self.expiries or token in self.workflow_tokens

    def is_expired(self, token: str) -> bool:
        """Return whether a known token has expired."""
        return self.expiries.get(token, float("inf")) < time.monotonic()


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation of Enterprise Grid."""

    id: str
    name: str
