"""Records requests until they are answered, and answers those of bots that were killed."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from findimg.errors import StorageError
from findimg_bot.slack.delivery_record import SupersededError
from findimg_bot.slack_objects import SlackObject
from findimg_bot.state.database import Database
from findimg_bot.state.requests import LEASE_SECONDS, NewRequest, Requests, TakenRequest
from findimg_bot.state.write_queue import WriteQueue

_INTERVAL = LEASE_SECONDS / 4  # between two looks for requests of bots that ended
_RECORD_SECONDS = 1.5  # until a command is answered without a record. Slack waits for 3 seconds.
_ATTEMPTS = 2  # after which a request is given up, because it may be the reason why bots end
_STOP_SECONDS = 10.0  # to complete answers before the bot stops
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class UnansweredRequest:
    """A request that is not answered yet. It is the `DeliveryRecord` of its answer.

    Attributes:
        recorded: the write of the record. Its result is whether the request is new. None after a takeover.
        is_interrupted: whether a bot ended while it sent the answer, so that nobody knows whether it was sent.
    """

    id: str
    recovery: "RequestRecovery"
    recorded: asyncio.Future[bool] | None = None
    progress: str = ""
    is_interrupted: bool = False
    _is_started: bool = False

    async def start_delivery(self) -> None:
        """See `DeliveryRecord.start_delivery`. Without the database an answer is sent all the same."""
        if not self._is_started:
            await self.recovery.start_delivery(self)
            self._is_started = True

    async def save_progress(self, ts: str) -> None:
        """See `DeliveryRecord.save_progress`."""
        self.progress = ts
        with suppress(StorageError):
            await self.recovery.save_progress(self)

    async def finish(self) -> None:
        """Delete the record, because the request is answered or needs no answer."""
        await self.recovery.finish(self)


DispatchAgain = Callable[[dict[str, Any], UnansweredRequest], Awaitable[None]]


class RequestRecovery:
    """The requests that this bot answers.

    A request belongs to the bot that accepted it, as long as that bot renews its lease. When the lease ends, another
    bot takes the request over.
    """

    def __init__(self, database: Database):
        """Take the lease.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        self._requests = Requests()
        self._records = WriteQueue(database)  # an acknowledgement waits for no other change
        self._queue = WriteQueue(database)
        self._open: dict[str, UnansweredRequest] = {}
        self._undeleted: list[str] = []  # answered requests that could not be deleted
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False
        database.run(self._requests.keep_lease)

    async def record(self, body: SlackObject, team: str) -> UnansweredRequest | None:
        """Record a request of Slack before it is acknowledged. Return None for an event that was recorded before.

        If the database does not answer, commands and clicks are accepted without a record. Slack repeats events.

        Raises:
            StorageError: an event cannot be recorded.
        """
        event = str(body.get("event_id") or "")
        request = UnansweredRequest(secrets.token_urlsafe(12), self)
        self._open[request.id] = request

        request.recorded = self._records.write(self._requests.record, NewRequest(request.id, team, body, event))
        try:
            is_new = await asyncio.wait_for(asyncio.shield(request.recorded), None if event else _RECORD_SECONDS)
        except (StorageError, TimeoutError):
            if event:
                del self._open[request.id]
                raise
            _log.warning("A request could not be recorded in time. It is lost if this bot is killed before it answers.")
            is_new = True
        if not is_new:
            del self._open[request.id]
        return request if is_new else None

    async def run(self, dispatch_again: DispatchAgain, is_ready: Callable[[], bool]) -> None:
        """Keep the lease, and answer the requests of bots that ended, until the task is cancelled.

        Args:
            dispatch_again: processes a request as if Slack had sent it.
            is_ready: whether this bot can answer.
        """
        reported = False
        while True:
            try:
                taken = await self._keep_lease_and_take_over(is_ready())
                reported = False
            except StorageError as error:
                if not reported:
                    _log.warning("Cannot look for requests of other bots: %s", error)
                taken, reported = [], True
            if taken:
                _log.warning("A bot ended before it answered %d requests. This bot answers them.", len(taken))
            for each in taken:
                task = asyncio.create_task(self._answer_taken(each, dispatch_again))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(_INTERVAL)

    async def complete(self) -> None:
        """Wait for some seconds until all requests are answered, then leave the others to another bot."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                while self._open:
                    await asyncio.sleep(0.05)
        self._is_stopped = True
        for task in self._tasks:
            task.cancel()
        with suppress(StorageError):
            await self._queue.write(self._release_lease, None)

    def close(self) -> None:
        """Wait for the last writes."""
        self._records.close()
        self._queue.close()

    async def start_delivery(self, request: UnansweredRequest) -> None:
        """See `UnansweredRequest`."""
        if self._is_stopped:
            raise SupersededError
        try:
            if request.recorded:
                await asyncio.shield(request.recorded)
            if not await self._queue.write(self._requests.start_deliveries, request.id):
                raise SupersededError
        except StorageError as error:
            _log.warning("An answer is sent without a record: %s", error)

    async def save_progress(self, request: UnansweredRequest) -> None:
        """See `UnansweredRequest`."""
        await self._queue.write(self._requests.save_progress, (request.id, request.progress))

    async def finish(self, request: UnansweredRequest) -> None:
        """See `UnansweredRequest`."""
        if self._open.pop(request.id, None) is None or self._is_stopped:
            return
        try:
            if request.recorded and not request.recorded.done():
                # The record is still being written. Deleting it now would have no effect, and it would stay.
                await asyncio.wait([request.recorded])
            await self._queue.write(self._requests.finish, request.id)
        except StorageError:
            self._undeleted.append(request.id)

    async def _keep_lease_and_take_over(self, is_ready: bool) -> list[TakenRequest]:
        claim, undeleted = secrets.token_urlsafe(12), list(self._undeleted)

        def write(connection: Connection, claims: Sequence[str]) -> list[list[TakenRequest]]:
            self._requests.keep_lease(connection)
            self._requests.finish(connection, undeleted)
            return [self._requests.take_over(connection, each) if is_ready else [] for each in claims]

        taken = await self._queue.write(write, claim)
        del self._undeleted[: len(undeleted)]
        return taken

    def _release_lease(self, connection: Connection, arguments: Sequence[None]) -> Sequence[None]:
        self._requests.release_lease(connection)
        return arguments

    async def _answer_taken(self, taken: TakenRequest, dispatch_again: DispatchAgain) -> None:
        request = UnansweredRequest(taken.id, self, progress=taken.progress)
        request.is_interrupted = taken.is_answered or taken.attempts > _ATTEMPTS
        self._open[request.id] = request
        await dispatch_again(taken.body, request)
