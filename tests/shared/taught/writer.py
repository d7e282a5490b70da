"""Teach made-up examples from a process of its own: python -m tests.shared.taught.writer URI PERSON FIRST COUNT."""

import sys

from findimg.storage.base import open_storage
from findimg.taught.log import TaughtLog
from findimg.taught.teaching import Lesson, add_lesson
from tests.shared.taught.examples import made_up_example

NAMES, AT_ONCE = 25, 4  # examples of one lesson


def name_of(number: int) -> str:
    """Return the name that an example is taught as."""
    return f"name {number // AT_ONCE % NAMES}"


def main(uri: str, person: str, first: int, count: int) -> None:
    """Teach the examples, those that are known already as well."""
    storage = open_storage(uri)
    log = TaughtLog(storage)
    for start in range(first, first + count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, first + count))
        add_lesson(storage, log, person, Lesson(name_of(start), [made_up_example(number) for number in numbers]))
        print(start, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
