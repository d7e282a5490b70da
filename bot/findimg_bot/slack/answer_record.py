"""The record of the answer that is being sent, so that another bot does not send it again."""

from contextvars import ContextVar
from typing import Protocol


class SupersededError(Exception):
    """Another bot has taken over the request, and answers it."""


class AnswerRecord(Protocol):
    """The record of the request that is being answered. It prevents a second answer after a bot was killed.

    Attributes:
        progress: timestamp of the message "Searching…" that the answer replaces, empty if there is none.
    """

    progress: str

    async def start_answer(self) -> None:
        """Record that an answer is being sent.

        Raises:
            SupersededError: another bot has taken over the request.
        """

    async def save_progress(self, ts: str) -> None:
        """Record the timestamp of the message "Searching…"."""


# Set for each request that is recorded.
current_answer: ContextVar[AnswerRecord | None] = ContextVar("current_answer", default=None)


async def start_answer() -> None:
    """Record that the answer to the current request is being sent. Errors as of `AnswerRecord.start_answer`."""
    if record := current_answer.get():
        await record.start_answer()
