"""Keeps the start-up messages of TensorFlow and LiteRT off standard error."""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# The libraries write these from C++ to the file descriptor 2, before any logging setting of theirs takes effect.
_MESSAGE = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\d+"
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|WARNING:absl:"
    rb"|To enable the following instructions:"
    rb"|INFO: Created TensorFlow Lite "
)
_STDERR = 2
_LAST_LINES = 1.0  # seconds to wait for the last lines
_lock = threading.RLock()


@contextmanager
def without_library_messages() -> Iterator[None]:
    """Drop the libraries' own messages from standard error. Everything else passes at once, from any thread."""
    with _lock:
        original = os.dup(_STDERR)
        reading, writing = os.pipe()
        pump = threading.Thread(target=_forward, args=(reading, os.dup(original)), daemon=True)
        pump.start()
        os.dup2(writing, _STDERR)
        os.close(writing)
        try:
            yield
        finally:
            # This closes the pipe's writing end, which ends the thread. A child process that was started meanwhile has
            # another writing end. Then the thread goes on forwarding until the child ends.
            os.dup2(original, _STDERR)
            os.close(original)
            pump.join(_LAST_LINES)


def _forward(source: int, target: int) -> None:
    """Copy lines from one file descriptor to another until the source ends, without the libraries' messages.

    Closes both.
    """
    with open(source, "rb", buffering=0) as lines, open(target, "wb", buffering=0) as kept:
        rest = b""
        while block := lines.read(65536):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                if not _MESSAGE.match(line):
                    kept.write(line + b"\n")
        if rest and not _MESSAGE.match(rest):
            kept.write(rest)
