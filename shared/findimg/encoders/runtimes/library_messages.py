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
_lock = threading.RLock()


@contextmanager
def without_library_messages() -> Iterator[None]:
    """Drop the libraries' own messages from standard error. Everything else passes at once, from any thread."""
    with _lock:
        original = os.dup(_STDERR)
        reading, writing = os.pipe()
        pump = threading.Thread(target=_forward, args=(reading, original), daemon=True)
        pump.start()
        os.dup2(writing, _STDERR)
        os.close(writing)
        try:
            yield
        finally:
            os.dup2(original, _STDERR)  # closes the pipe's last writing end, which ends the thread
            pump.join()
            os.close(original)


def _forward(source: int, target: int) -> None:
    """Copy lines from one file descriptor to another until the source ends, without the libraries' messages."""
    with open(source, "rb", buffering=0) as lines, open(target, "wb", buffering=0, closefd=False) as kept:
        rest = b""
        while block := lines.read(65536):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                if not _MESSAGE.match(line):
                    kept.write(line + b"\n")
        if rest and not _MESSAGE.match(rest):
            kept.write(rest)
