"""Test that changes at the same moment share one transaction."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from findimg.errors import StorageError
from findimg_bot.state.database import Database
from findimg_bot.state.write_queue import WriteQueue


class Changes:
    """Changes that write down their calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.connections: set[int] = set()

    def record(self, connection: Connection, names: Sequence[str]) -> list[str]:
        return self._call("record", connection, names)

    def finish(self, connection: Connection, names: Sequence[str]) -> list[str]:
        return self._call("finish", connection, names)

    def fail(self, connection: Connection, names: Sequence[str]) -> list[str]:
        raise StorageError("The disk is full.")

    def _call(self, kind: str, connection: Connection, names: Sequence[str]) -> list[str]:
        self.calls.append((kind, list(names)))
        self.connections.add(id(connection))
        return [f"{kind} {name}" for name in names]


def test_changes_of_one_kind_share_a_call_and_all_share_a_transaction(database: Database) -> None:
    changes = Changes()

    async def write() -> list[str]:
        queue = WriteQueue(database)
        written = ((changes.finish, "a"), (changes.record, "b"), (changes.finish, "b"), (changes.record, "c"))
        try:
            return await asyncio.gather(*(queue.write(change, name) for change, name in written))
        finally:
            queue.close()

    assert asyncio.run(write()) == ["finish a", "record b", "finish b", "record c"]
    assert sorted(changes.calls) == [("finish", ["a", "b"]), ("record", ["b", "c"])]
    assert len(changes.connections) == 1


def test_failed_transaction_is_reported_to_each_caller_and_the_next_one_runs(database: Database) -> None:
    changes = Changes()

    async def write() -> list[str | BaseException]:
        queue = WriteQueue(database)
        try:
            failed = await asyncio.gather(
                queue.write(changes.record, "a"), queue.write(changes.fail, "b"), return_exceptions=True
            )
            return [*failed, await queue.write(changes.record, "c")]
        finally:
            queue.close()

    *failed, recorded = asyncio.run(write())
    assert [type(each) for each in failed] == [StorageError, StorageError]
    assert recorded == "record c"


@pytest.mark.parametrize("count", [1, 1000])
def test_each_caller_gets_its_own_result(database: Database, count: int) -> None:
    changes = Changes()

    async def write() -> list[str]:
        queue = WriteQueue(database)
        try:
            return await asyncio.gather(*(queue.write(changes.record, str(number)) for number in range(count)))
        finally:
            queue.close()

    assert asyncio.run(write()) == [f"record {number}" for number in range(count)]
    assert len(changes.calls) == 1
