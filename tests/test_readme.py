"""Run every command of the README."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from findimg.errors import FindimgError
from findimg.settings import Settings
from tests.bot.person import BrowserUser, images, words
from tests.bot.team import free_port
from tests.commands import Home, label, new_home, shell_commands

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()


COMMANDS = shell_commands(README)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with new_home(tmp_path_factory.mktemp("home")) as home:
        label(home.folder / "Pictures", home.folder / "Pictures" / "labelled")
        yield home


def is_sheet(path: Path) -> bool:
    with Image.open(path) as sheet:
        return sheet.format == "JPEG" and sheet.height > 4 * 200


def test_readme_shows_demo_test_and_both_scripts() -> None:
    assert COMMANDS[0] == "make demo"
    assert "make test" in COMMANDS
    assert any(command.startswith("findimg-jobs index s3://") for command in COMMANDS)
    assert any(command.startswith("findimg-bot ask") for command in COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if not command.startswith(("make", "findimg-bot serve"))]
)
def test_readme_command_works(home: Home, command: str) -> None:
    """They run in the README's order in one home: what is asked was indexed by the command above."""
    assert home.run(command).strip()


@pytest.mark.slow
def test_python_example_works(home: Home) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (home.folder / "example.py").write_text(code)
    shutil.copy(home.folder / "Pictures" / "dalmatian.jpg", home.folder / "new.jpg")
    home.run("findimg-jobs index s3://team-photos/2026 --library s3://team-findimg/photos --engine local")
    printed = home.run("python example.py")
    assert "s3://team-photos/2026/" in printed
    assert "'said', 'told', 'says'" in printed


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("findimg-bot serve")])
def test_serve_starts_and_stops(home: Home, command: str) -> None:
    command = command.replace("0.0.0.0:3000", f"127.0.0.1:{free_port()}")
    with subprocess.Popen(
        ["sh", "-c", f"exec {command}"], env=home.environment, cwd=home.folder, stderr=subprocess.PIPE, text=True
    ) as bot:
        assert bot.stderr
        said = ""
        while not re.search("Connected to Slack|Listening on", said):
            line = bot.stderr.readline()
            assert line, said
            said += line
        bot.send_signal(signal.SIGTERM)
        assert "Traceback" not in bot.stderr.read()
    assert bot.returncode == 0


@pytest.mark.slow
def test_make_demo_finds_a_cat_and_writes_a_contact_sheet(home: Home) -> None:
    for _ in range(2):
        shown = home.run(home.demo("SERVE=0"), PROJECT)
        assert "cat.png" in shown
        assert str(home.folder / "demo" / "sheet.jpg") in shown.replace("\n", "")
        assert is_sheet(home.folder / "demo" / "sheet.jpg")
        assert not re.search(r"oneDNN|cuda|WARNING|tensorflow/", shown), shown


@pytest.mark.long
def test_make_demo_accepts_a_folder_with_blanks_and_quotes(home: Home) -> None:
    name = "Anna's  own Pictures"
    shutil.copytree(home.folder / "Pictures", home.folder / name)
    shown = home.run(home.demo(f'SERVE=0 PHOTOS="~/{name}"'), PROJECT)
    assert "cat.png" in shown
    assert is_sheet(home.folder / "demo" / "sheet.jpg")


@pytest.mark.long
@pytest.mark.slow
def test_make_demo_serves_a_workspace_that_finds_a_cat(home: Home) -> None:
    command = ["sh", "-c", home.demo()]
    with subprocess.Popen(
        command, cwd=PROJECT, env=home.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout
        shown = ""
        while not (found := re.search(r"(http://127\.0\.0\.1:\d+)/\?token=(\S+)", shown)):
            line = demo.stdout.readline()
            assert line, shown
            shown += line
        person = BrowserUser(found[1], found[2])
        general = next(each["id"] for each in person.state()["channels"] if each["name"] == "general")
        (welcome,) = person.messages(general)
        assert "/findimg" in words(welcome)
        answer = person.command(general, "/findimg cat")
        assert "cat.png" in words(answer)
        assert images(answer)
        os.killpg(demo.pid, signal.SIGINT)
        assert "Stopped." in demo.stdout.read()
    assert "Traceback" not in shown


def test_every_make_target_of_the_readme_exists() -> None:
    for command in COMMANDS:
        if command.startswith("make"):
            subprocess.run(["sh", "-c", f"{command} --dry-run"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (PROJECT / ".ci" / "run").read_text().splitlines()
    assert "- run: .ci/run" in (PROJECT / ".github" / "workflows" / "ci.yml").read_text()


def test_the_readme_lists_every_setting_and_no_other() -> None:
    table = README.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    rows = [[cell.strip(" `") for cell in row.split("|")[1:4]] for row in table.splitlines()[3:]]
    expected = [
        ["none" if Settings.is_secret(name) else f"--{name.replace('_', '-')}", f"FINDIMG_{name.upper()}", name]
        for name in Settings.model_fields
    ]
    assert rows == expected


def test_the_readme_lists_every_exit_code() -> None:
    codes = {0, FindimgError.exit_code} | {error.exit_code for error in FindimgError.__subclasses__()}
    assert {int(code) for code in re.findall(r"^\| (\d) \|", README, re.MULTILINE)} == codes
