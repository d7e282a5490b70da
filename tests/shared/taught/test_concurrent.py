"""Teach from several processes at the same time, with kills."""

import subprocess
import sys
import threading
import time
from collections import defaultdict

import pytest

from findimg.search.taught.follower import INTERVAL
from findimg.storage.base import open_storage
from findimg.taught.log import TaughtLog
from tests.shared.taught.examples import made_up_example
from tests.shared.taught.writer import name_of

EXAMPLES = 500
WRITERS = {"T1/bot": (0, 168), "T2/bot": (168, 168), "terminal/job": (336, 164)}  # first example and count
SECONDS = 5.0  # until all readers agree


class Reader(threading.Thread):
    """Follows the events as a bot does."""

    def __init__(self, uri: str):
        super().__init__(daemon=True)
        self.log = TaughtLog(open_storage(uri))
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(INTERVAL):
            self.log.refresh()


def write(uri: str, person: str, kills: int) -> None:
    """Run one writer to its end. Kill and start it again several times, each time a little later."""
    first, count = WRITERS[person]
    command = [sys.executable, "-m", "tests.shared.taught.writer", uri, person, str(first), str(count)]
    for kill in range(kills + 1):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            for lessons, _ in enumerate(writer.stdout, 1):
                if kill < kills and lessons == 7 * (kill + 1):
                    writer.kill()
    assert writer.returncode == 0


@pytest.mark.long
def test_nothing_is_lost_or_doubled_and_all_readers_agree(place: str) -> None:
    readers = [Reader(place), Reader(place)]
    threads = [threading.Thread(target=write, args=(place, person, 2)) for person in WRITERS]
    for thread in (*readers, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    written = time.monotonic()
    expected: dict[str, set[str]] = defaultdict(set)
    for number in range(EXAMPLES):
        expected[name_of(number)].add(made_up_example(number).sha256)
    log = TaughtLog(open_storage(place))
    complete = log.refresh()
    assert len(log.events()) == EXAMPLES
    found = {name.name: [each.example.sha256 for each in name.taught] for name in complete.names.values()}
    assert {name: set(hashes) for name, hashes in found.items()} == expected
    assert sum(map(len, found.values())) == EXAMPLES
    while any(reader.log.state.id != complete.id for reader in readers):
        assert time.monotonic() - written < SECONDS
        time.sleep(0.05)
    for reader in readers:
        reader.stopped.set()
        reader.join()
