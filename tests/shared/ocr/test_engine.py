"""Test that rapidocr stays quiet and offline, and what happens without it."""

import subprocess
import sys

import pytest

from findimg.errors import ModelError
from findimg.ocr import engine

QUIET = """
import logging, socket, sys
before = logging.root.level, list(logging.root.handlers), logging.getLogger().manager.disable
def refused(*arguments, **options):
    raise AssertionError("the network was used")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refused
from PIL import Image
from findimg.ocr.reader import TextReader
reader = TextReader(threads=1)
assert reader.read(Image.new("RGB", (300, 200), "white")) == []
assert (logging.root.level, list(logging.root.handlers), logging.getLogger().manager.disable) == before
"""


@pytest.mark.slow
def test_reading_uses_no_network_and_writes_no_message() -> None:
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_missing_extra_is_one_sentence_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(
        ModelError, match=r"^Reading text needs the extra ocr\. Install it with pip install 'findimg\[ocr\]'\.$"
    ):
        engine.model_files()


def test_release_without_models_is_refused_instead_of_downloading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_MODELS", {"Det": "of-the-future.onnx"})
    with pytest.raises(ModelError, match=r"has no of-the-future\.onnx, and findimg downloads no model"):
        engine.model_files()
