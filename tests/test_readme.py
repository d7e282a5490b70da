"""Whatever the README promises is run."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from PIL import Image

from jobs.samples import gather
from shared.errors import FindimgError
from shared.settings import Settings
from tests.bot.person import Person, images, words

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()


def shell_commands(markdown: str) -> list[str]:
    """Every command of the fenced `sh` blocks, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


COMMANDS = shell_commands(README)


@dataclass(frozen=True, slots=True)
class Home:
    """A new user's home: photographs in `Pictures`, buckets on a local S3 server."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str, folder: Path | None = None) -> str:
        """Runs a command as its README reader would; returns what it printed, both streams together."""
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=folder or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        assert "Traceback" not in done.stdout
        return done.stdout

    def demo(self, arguments: str = "") -> str:
        """How `make demo` is run with the environment of this test run, which is made already, into this home."""
        return f"make -o '{sys.prefix}/.installed' demo VENV='{sys.prefix}' DEMO='{self.folder}/demo' {arguments}"


def label(pictures: Path) -> None:
    """Sorts views of some sample photographs into `labelled/<label>/`."""
    labelled = {
        "bird": ("eagle", "geese", "spoonbills"),
        "car": ("car-blue", "car-desert"),
        "dog": ("bull-mastiff", "dalmatian"),
        "fruit": ("strawberries", "chestnuts"),
    }
    for name, photographs in labelled.items():
        (pictures / "labelled" / name).mkdir(parents=True)
        for photograph in photographs:
            with Image.open(pictures / f"{photograph}.jpg") as whole:
                for number in range(6):
                    view = whole.crop((10 * number, 5 * number, whole.width - 5 * number, whole.height - 10 * number))
                    view.save(pictures / "labelled" / name / f"{photograph}-{number}.jpg")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    gather(folder / "Pictures")
    label(folder / "Pictures")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    outer = {
        name: value for name, value in os.environ.items() if not name.startswith(("FINDIMG_", "AWS_", "MAKE", "MFLAGS"))
    }
    environment = outer | {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="team-photos")
    client.create_bucket(Bucket="team-findimg")
    for picture in sorted((folder / "Pictures").glob("*.jpg"))[:5]:
        client.upload_file(str(picture), "team-photos", f"2026/{picture.name}")
    yield Home(folder, environment)
    server.stop()


def is_sheet(path: Path) -> bool:
    with Image.open(path) as sheet:
        return sheet.format == "JPEG" and sheet.height > 4 * 200


def test_the_readme_has_the_two_commands_and_shows_both_scripts() -> None:
    assert COMMANDS[0] == "make demo"
    assert "make test" in COMMANDS
    assert any(command.startswith("findimg-jobs index s3://") for command in COMMANDS)
    assert any(command.startswith("findimg-bot ask") for command in COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("make")])
def test_a_command_of_the_readme_works(home: Home, command: str) -> None:
    """They run in the README's order in one home: what is asked was indexed by the command above."""
    assert home.run(command).strip()


@pytest.mark.slow
def test_make_demo_shows_a_cat_and_draws_a_sheet_without_noise(home: Home) -> None:
    for _ in range(2):
        shown = home.run(home.demo("SERVE=0"), PROJECT)
        assert "cat.png" in shown
        assert str(home.folder / "demo" / "sheet.jpg") in shown.replace("\n", "")
        assert is_sheet(home.folder / "demo" / "sheet.jpg")
        assert not re.search(r"oneDNN|cuda|WARNING|tensorflow/", shown), shown


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Pictures", "Anna's  own Pictures"])
def test_make_demo_takes_a_folder_of_ones_own(home: Home, name: str) -> None:
    if name != "Pictures":
        shutil.copytree(home.folder / "Pictures", home.folder / name)
    shown = home.run(home.demo(f'SERVE=0 PHOTOS="~/{name}"'), PROJECT)
    assert "cat.png" in shown
    assert is_sheet(home.folder / "demo" / "sheet.jpg")


@pytest.mark.slow
def test_make_demo_opens_a_workspace_in_which_a_cat_is_found_and_ends_when_it_is_told_to(home: Home) -> None:
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
        person = Person(found[1], found[2])
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
