"""Test findimg-bot in its own process."""

import ast
import inspect
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

from findimg.settings import Settings
from findimg_bot.cli import doctor, serve
from tests.test_imports import modules

COMMAND = Path(sys.executable).with_name("findimg-bot")


def findimg_bot(*arguments: str | Path, cwd: Path, cache: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"FINDIMG_CACHE": str(cache)} | variables
    return subprocess.run(
        [COMMAND, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def test_ask_json_has_the_documented_fields(library: str, cache: Path, tmp_path: Path) -> None:
    done = findimg_bot("ask", "/findimg cat", "--json", "-k", "1", cwd=tmp_path, cache=cache, FINDIMG_LIBRARY=library)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert list(answer) == ["query", "hits", "total", "note", "version", "took_ms"]
    fields = ["uri", "score", "width", "height", "taken", "dated_by", "thumbnail", "copies", "near_duplicates"]
    fields.append("matched")
    assert [list(hit) for hit in answer["hits"]] == [fields]
    assert answer["total"] > 1
    assert answer["hits"][0]["uri"].endswith("/cat.png")
    with Image.open(answer["hits"][0]["thumbnail"]) as thumbnail:
        assert max(thumbnail.size) == 320


def test_ask_answers_several_texts_and_writes_a_sheet(library: str, samples: Path, cache: Path, tmp_path: Path) -> None:
    texts = ["/findimg cat", "/tag", "/similar", "/words dog"]
    image = samples / "dalmatian.jpg"
    done = findimg_bot(
        "ask", *texts, "--library", library, "--image", image, "--sheet", "sheet.jpg", cwd=tmp_path, cache=cache
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for text in [*texts, "cat.png", "dalmatian", "Contact sheet: sheet.jpg"]:
        assert text in done.stdout
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > 800


def test_ask_needs_no_slash_command(library: str, cache: Path, tmp_path: Path) -> None:
    done = findimg_bot("ask", "cat", "--json", "-k", "1", cwd=tmp_path, cache=cache, FINDIMG_LIBRARY=library)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["hits"][0]["uri"].endswith("/cat.png")


def test_version_is_printed(cache: Path, tmp_path: Path) -> None:
    done = findimg_bot("--version", cwd=tmp_path, cache=cache)
    assert (done.returncode, done.stdout) == (0, f"findimg {version('findimg')}\n")


def test_shell_completion_lists_the_commands(cache: Path, tmp_path: Path) -> None:
    done = findimg_bot(
        cwd=tmp_path, cache=cache, _FINDIMG_BOT_COMPLETE="complete_bash", COMP_WORDS="findimg-bot ", COMP_CWORD="1"
    )
    assert {"ask", "serve", "try", "doctor", "manifest"} <= set(done.stdout.split())


def test_serve_and_doctor_have_a_flag_for_every_setting_that_the_bot_reads() -> None:
    read = {
        node.attr
        for module in modules("findimg_bot").values()
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).rpartition(".")[2] in ("settings", "_settings")
    }
    assert {"library", "read_text", "slack_bot_token"} <= read
    flags = {name for name in read & Settings.model_fields.keys() if not Settings.is_secret(name)}
    for command in (serve, doctor):
        assert flags <= inspect.signature(command).parameters.keys()


def test_words_need_no_library(cache: Path, tmp_path: Path) -> None:
    done = findimg_bot("ask", "/words said", "--json", "-k", "2", cwd=tmp_path, cache=cache)
    words = json.loads(done.stdout)["words"]
    assert [word["word"] for word in words] == ["said", "told"]
    assert words[0]["distance"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["ask", "/findimg cat"], "No library is named"),
        (["ask", "/findimg cat", "--library", "/no/such/library"], "Nothing is published in /no/such/library"),
        (["ask", "/tag", "--library", "LIBRARY", "--image", "/no/such/image.jpg"], "/no/such/image.jpg does not exist"),
        (["ask", "/findimg elephhhantx", "--library", "LIBRARY"], "Did you mean"),
        (
            ["ask", "/words said", "--sheet", "/no/such/folder/sheet.jpg", "--library", "LIBRARY"],
            "Cannot write the",
        ),
    ],
)
def test_error_is_one_sentence_on_stderr(
    library: str, cache: Path, tmp_path: Path, arguments: list[str], part: str
) -> None:
    done = findimg_bot(*[library if a == "LIBRARY" else a for a in arguments], "--json", cwd=tmp_path, cache=cache)
    assert done.returncode == 2
    assert part in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
