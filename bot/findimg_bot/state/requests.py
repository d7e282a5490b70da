"""Requests of Slack that the bot accepted and has not answered yet, so that another bot can answer them."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, select, update

from findimg_bot.state.database import insert_row
from findimg_bot.state.tables import events, leases, requests

REQUEST_SECONDS = 1800.0  # for which a response_url is valid
LEASE_SECONDS = 10.0  # after which the requests of a bot that ended belong to others
_TOKENS = ("bot_access_token", "token")  # fields of a request that answering does not need


@dataclass(frozen=True, slots=True)
class TakenRequest:
    """A request of a bot that ended."""

    id: str
    body: dict[str, Any]  # what Slack sent, without tokens
    attempts: int  # how many bots ended before they answered it, 1 or more
    is_answered: bool  # whether a part of the answer may have been sent
    progress: str  # timestamp of the message "Searching…", empty if there is none


class Requests:
    """The part of the state that is about unanswered requests, as seen by one bot.

    Every method is a part of a transaction, and may be repeated if it is unknown whether that was committed.
    """

    def __init__(self) -> None:
        self._owner = f"bot {secrets.token_urlsafe(12)}"

    def record(self, connection: Connection, request: str, team: str, body: Mapping[str, Any], event: str) -> bool:
        """Store a request, and return whether it is new.

        Args:
            request: a new id.
            body: what Slack sent. Tokens in it are not stored.
            event: the id of an event, which Slack may send again. Empty for other requests.
        """
        if event and not claim_event(connection, event, request):
            return False
        row = {
            "id": request,
            "team": team,
            "body": json.dumps(_without_tokens(body)),
            "owner": self._owner,
            "claim": "",
            "attempts": 0,
            "is_answered": False,
            "progress": "",
            "created": time.time(),
        }
        insert_row(connection, requests, row)
        return True

    def start_answer(self, connection: Connection, request: str) -> bool:
        """Store that an answer is being sent. Return False if another bot has taken over the request."""
        return self._change(connection, request, is_answered=True)

    def save_progress(self, connection: Connection, request: str, ts: str) -> None:
        """Store the timestamp of the message that the answer will replace."""
        self._change(connection, request, progress=ts)

    def finish(self, connection: Connection, request: str) -> None:
        """Delete a request, unless another bot has taken it over."""
        mine = (requests.c.id == request) & (requests.c.owner == self._owner)
        connection.execute(delete(requests).where(mine))

    def keep_lease(self, connection: Connection) -> None:
        """Keep the requests of this bot for `LEASE_SECONDS`. Delete the requests of all bots that are too old."""
        now = time.time()
        row = {"name": self._owner, "owner": self._owner, "until": now + LEASE_SECONDS}
        insert_row(connection, leases, row, replace=("until",))
        connection.execute(delete(requests).where(requests.c.created <= now - REQUEST_SECONDS))
        ended = leases.c.name.startswith("bot ") & (leases.c.until < now - REQUEST_SECONDS)
        connection.execute(delete(leases).where(ended, ~exists().where(requests.c.owner == leases.c.name)))

    def release_lease(self, connection: Connection) -> None:
        """Leave the requests of this bot to others."""
        connection.execute(delete(leases).where(leases.c.name == self._owner))

    def take_over(self, connection: Connection, claim: str) -> list[TakenRequest]:
        """Take over the requests of bots whose lease has ended, and return them. Each goes to one bot only.

        Args:
            claim: a new text, by which a repeated transaction finds what it took over.
        """
        held = select(leases.c.name).where(leases.c.until >= time.time())
        values = {"owner": self._owner, "claim": claim, "attempts": requests.c.attempts + 1}
        connection.execute(update(requests).where(requests.c.owner.not_in(held)).values(values))
        rows = connection.execute(select(requests).where(requests.c.claim == claim).order_by(requests.c.created))
        return [
            TakenRequest(row["id"], json.loads(row["body"]), row["attempts"], row["is_answered"], row["progress"])
            for row in rows.mappings()
        ]

    def _change(self, connection: Connection, request: str, **values: Any) -> bool:
        mine = (requests.c.id == request) & (requests.c.owner == self._owner)
        return connection.execute(update(requests).where(mine).values(values)).rowcount > 0


def claim_event(connection: Connection, event: str, claim: str) -> bool:
    """Return whether an event is new, and remember it.

    Args:
        claim: a new text. If an earlier attempt was committed before its connection broke, the event has this claim.
    """
    if insert_row(connection, events, {"id": event, "created": time.time(), "claim": claim}):
        return True
    return connection.execute(select(events.c.claim).where(events.c.id == event)).scalar() == claim


def _without_tokens(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in body.items() if name not in _TOKENS}
    if isinstance(kept.get("event"), dict):
        kept["event"] = {name: value for name, value in kept["event"].items() if name not in _TOKENS}
    return kept
