"""Delivery to the bot: the interface, and signed HTTP."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp

from findimg_bot.local_slack.model.state import Json

COMMANDS, INTERACTIVE, EVENTS = "slash_commands", "interactive", "events_api"


class DeliveryError(Exception):
    """The bot did not acknowledge. The text is Slack's error code."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The number and the reason of a repeated delivery."""

    attempt: int  # 1 is the first repetition
    reason: str  # `timeout` or `error`


class Delivery(Protocol):
    """A transport to the bot."""

    async def send(self, kind: str, payload: Json, seconds: float, retry: Retry | None = None) -> Json:
        """Send one payload and wait for its acknowledgement.

        Args:
            kind: `COMMANDS`, `INTERACTIVE` or `EVENTS`.
            seconds: how long the bot has.

        Returns:
            What came with the acknowledgement; empty when nothing did.

        Raises:
            DeliveryError: `operation_timeout` or `dispatch_failed`.
        """

    async def close(self) -> None:
        """Close the transport."""


class SignedHttp:
    """HTTP requests to one address, signed with the app's secret."""

    def __init__(self, url: str, signing_secret: str):
        self._url = url
        self._secret = signing_secret
        self._session: aiohttp.ClientSession | None = None

    async def send(self, kind: str, payload: Json, seconds: float, retry: Retry | None = None) -> Json:
        """See `Delivery.send`."""
        if kind == EVENTS:
            content_type, body = "application/json", json.dumps(payload)
        else:
            content_type = "application/x-www-form-urlencoded"
            body = urlencode(payload if kind == COMMANDS else {"payload": json.dumps(payload)})
        headers = {"Content-Type": content_type, **signature(self._secret, body)}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry.attempt), "X-Slack-Retry-Reason": f"http_{retry.reason}"}
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with self._session.post(
                self._url,
                data=body.encode(),
                headers=headers,
                timeout=aiohttp.ClientTimeout(seconds),
                allow_redirects=False,
            ) as answer:
                text = await answer.text()
                if answer.status != 200:
                    raise DeliveryError("dispatch_failed")
                return _parsed(text, answer.content_type)
        except TimeoutError as error:
            raise DeliveryError("operation_timeout") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise DeliveryError("dispatch_failed") from error

    async def close(self) -> None:
        """See `Delivery.close`."""
        if self._session:
            await self._session.close()


def signature(secret: str, body: str, timestamp: int | None = None) -> dict[str, str]:
    """Return the headers with Slack's signature of a request.

    Args:
        timestamp: seconds since 1970; now when None.

    Source: Slack, Verifying requests: HMAC-SHA256 of `v0:<timestamp>:<body>`.
    """
    now = str(int(time.time()) if timestamp is None else timestamp)
    digest = hmac.new(secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={digest}"}


def _parsed(text: str, content_type: str) -> Json:
    if not text:
        return {}
    if content_type != "application/json":
        return {"text": text}
    payload: Any = json.loads(text)
    return payload if isinstance(payload, dict) else {}
