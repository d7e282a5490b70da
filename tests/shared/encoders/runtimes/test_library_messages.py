import os
import subprocess
import sys
import threading
import time

import pytest

from findimg.encoders.runtimes.library_messages import without_library_messages


def test_messages_of_the_libraries_are_dropped_and_all_others_pass(capfd: pytest.CaptureFixture[str]) -> None:
    with without_library_messages():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nmine\nI0000 00:00:17.5 9 port.cc:1] x\n")
        other = threading.Thread(target=os.write, args=(2, b"another thread\nno line end"))
        other.start()
        other.join()
    os.write(2, b", after\n")
    assert capfd.readouterr().err == "mine\nanother thread\nno line end, after\n"


def test_lines_pass_before_the_block_ends() -> None:
    code = (
        "import os, sys\n"
        "from findimg.encoders.runtimes.library_messages import without_library_messages\n"
        "with without_library_messages():\n"
        "    os.write(2, b'now\\n')\n"
        "    sys.stdin.read(1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline() == b"now\n", "the process still waits for its input inside the block"
    _, rest = process.communicate(b"x")
    assert (process.returncode, rest) == (0, b"")


def test_an_error_inside_the_block_restores_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), without_library_messages():
        raise RuntimeError
    os.write(2, b"WARNING:absl:after the block, everything passes\n")
    assert capfd.readouterr().err == "WARNING:absl:after the block, everything passes\n"


def test_child_process_does_not_delay_the_end_of_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with without_library_messages():
        child = subprocess.Popen(["sh", "-c", "read line; echo late >&2"], stdin=subprocess.PIPE)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    assert child.poll() is None
    child.communicate(b"\n")
    deadline = time.monotonic() + 5
    said = ""
    while "late" not in said and time.monotonic() < deadline:
        said += capfd.readouterr().err
    assert said == "late\n", "the child's messages still arrive"
