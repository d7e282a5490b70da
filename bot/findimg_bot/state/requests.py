"""Requests of Slack that the bot accepted and has not answered yet, so that another bot can answer them."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, select, update

from findimg_bot.slack_objects import SlackObject
from findimg_bot.state.database import insert_row, insert_rows
from findimg_bot.state.tables import events, leases, requests

REQUEST_SECONDS = 1800.0  # for which a response_url is valid
LEASE_SECONDS = 10.0  # after which the requests of a bot that ended belong to others
_TOKENS = ("bot_access_token", "token")  # fields of a request that their handling does not need


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request that is not recorded yet."""

    id: str  # new for each request
    team: str
    body: SlackObject  # what Slack sent. Tokens in it are not stored.
    event: str  # the id of an event, which Slack may send again. Empty for other requests.


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

    def record(self, connection: Connection, new: Sequence[NewRequest]) -> list[bool]:
        """Store requests, and return whether each is new. The number of statements does not depend on theirs."""
        claimed = claim_events(connection, {each.event: each.id for each in reversed(new) if each.event})
        is_new = [not each.event or claimed.get(each.event) == each.id for each in new]
        now = time.time()
        rows = [
            {
                "id": each.id,
                "team": each.team,
                "body": json.dumps(_without_tokens(each.body)),
                "owner": self._owner,
                "claim": "",
                "attempts": 0,
                "is_answered": False,
                "progress": "",
                "created": now,
            }
            for each, accepted in zip(new, is_new, strict=True)
            if accepted
        ]
        insert_rows(connection, requests, rows)
        return is_new

    def start_deliveries(self, connection: Connection, ids: Sequence[str]) -> list[bool]:
        """Store that answers are being sent. Return for each request whether it still belongs to this bot."""
        change = update(requests).where(self._mine(ids)).values(is_answered=True).returning(requests.c.id)
        mine = set(connection.execute(change).scalars())
        return [each in mine for each in ids]

    def save_progress(self, connection: Connection, messages: Sequence[tuple[str, str]]) -> list[None]:
        """Store for some requests the timestamp of the message that the answer will replace."""
        mine = (requests.c.id == bindparam("request")) & (requests.c.owner == self._owner)
        change = update(requests).where(mine).values(progress=bindparam("ts"))
        connection.execute(change, [{"request": request, "ts": ts} for request, ts in messages])
        return [None] * len(messages)

    def finish(self, connection: Connection, ids: Sequence[str]) -> list[None]:
        """Delete requests, unless another bot has taken them over."""
        connection.execute(delete(requests).where(self._mine(ids)))
        return [None] * len(ids)

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

    def _mine(self, ids: Sequence[str]) -> ColumnElement[bool]:
        return requests.c.id.in_(ids) & (requests.c.owner == self._owner)


def claim_events(connection: Connection, claims: Mapping[str, str]) -> dict[str, str]:
    """Claim events. Return those that are new or have the given claim already.

    Args:
        claims: for each id of an event a new text. If an earlier attempt was committed before its connection broke,
            the event has this claim.
    """
    # In one order, because two bots that insert the same events must not wait for each other.
    rows = [{"id": event, "created": time.time(), "claim": claims[event]} for event in sorted(claims)]
    claimed = {event: claims[event] for (event,) in insert_rows(connection, events, rows)}
    if len(claimed) < len(claims):
        known = select(events.c.id, events.c.claim).where(events.c.id.in_(claims.keys() - claimed.keys()))
        claimed |= {event: claim for event, claim in connection.execute(known) if claim == claims[event]}
    return claimed


def _without_tokens(body: SlackObject) -> dict[str, Any]:
    kept = {name: value for name, value in body.items() if name not in _TOKENS}
    if isinstance(kept.get("event"), dict):
        kept["event"] = {name: value for name, value in kept["event"].items() if name not in _TOKENS}
    return kept
