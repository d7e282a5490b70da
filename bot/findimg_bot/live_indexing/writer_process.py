"""The process that writes to the library, so that embedding delays no answer of the bot.

It reads requests from standard input and writes answers to standard output, until standard input is closed. So it ends
with the bot, even if the bot is killed.
"""

import contextlib
import os
import pickle
import sys
from typing import BinaryIO

from findimg.errors import FindimgError, StorageError
from findimg.plugins import find_apply
from findimg_bot.live_indexing.writer_messages import HEAD, WriteRequest, WriteResult
from findimg_bot.logs import start_log

_PATIENCE = 2.0  # seconds to wait for another run that writes. The bot then tries again later.
_NICE = 5  # answers go first


def main() -> None:
    """Apply changes until standard input is closed."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Libraries may print. Only answers go to the bot.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    start_log(int(sys.argv[1]))
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    _write(answers, _is_able())
    while (request := _read(requests)) is not None:
        _write(answers, _answer(request))


def _is_able() -> WriteResult:
    """Return the first answer: whether everything is installed that this process needs."""
    try:
        find_apply()
        return WriteResult()
    except FindimgError as error:
        return WriteResult(error=_without_cause(error))


def _read(stream: BinaryIO) -> WriteRequest | None:
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    request = pickle.loads(stream.read(HEAD.unpack(head)[0]))
    assert isinstance(request, WriteRequest)
    return request


def _answer(request: WriteRequest) -> WriteResult:
    try:
        return WriteResult(find_apply()(request.settings, request.change, _PATIENCE))
    except FindimgError as error:
        return WriteResult(error=_without_cause(error))
    except Exception as error:
        return WriteResult(error=StorageError(f"The library cannot be changed: {type(error).__name__}: {error}"))


def _without_cause(error: FindimgError) -> FindimgError:
    """Return an error that can be sent to the bot."""
    return type(error)(str(error))


def _write(stream: BinaryIO, answer: WriteResult) -> None:
    data = pickle.dumps(answer)
    stream.write(HEAD.pack(len(data)) + data)
    stream.flush()


if __name__ == "__main__":
    main()
