"""The delivery record of a request: whether its answer is being sent, so that another bot does not send it again."""

from contextvars import ContextVar
from typing import Protocol


class SupersededError(Exception):
    """Another bot has taken over the request, and answers it."""


class DeliveryRecord(Protocol):
    """Record of the answer to one request. It prevents a second answer after a bot was killed.

    Attributes:
        progress: timestamp of the message "Searching…" that the answer replaces, empty if there is none.
    """

    progress: str

    async def start_delivery(self) -> None:
        """Record that an answer is being sent.

        Raises:
            SupersededError: another bot has taken over the request.
        """

    async def save_progress(self, ts: str) -> None:
        """Record the timestamp of the message "Searching…"."""


# Set for each request that is recorded.
current_delivery: ContextVar[DeliveryRecord | None] = ContextVar("current_delivery", default=None)


async def start_delivery() -> None:
    """Record that the answer to the current request is being sent. Errors as of `DeliveryRecord.start_delivery`."""
    if record := current_delivery.get():
        await record.start_delivery()
