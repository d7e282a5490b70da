"""Run the commands of documents in a temporary home."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer
from PIL import Image

from findimg_bot.slack.manifest import read_manifest
from findimg_jobs.datasets.samples import copy_samples
from tests.bot.team import WorkspaceThread


def shell_commands(markdown: str) -> list[str]:
    """Return all commands in the fenced `sh` blocks, in order."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", markdown, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


@dataclass(frozen=True, slots=True)
class Home:
    """The home of a new user: photographs in `Pictures`, and buckets on a local S3 server."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str, folder: Path | None = None) -> str:
        """Run a command as a reader of the README would. Return its output, both streams together."""
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
        """Return the command that runs `make demo` in this home, with the environment of this test run."""
        return f"make -o '{sys.prefix}/.installed' demo VENV='{sys.prefix}' DEMO='{self.folder}/demo' {arguments}"


def label(pictures: Path, folder: Path) -> None:
    """Write views of some sample photographs into `folder/<label>/`."""
    labelled = {
        "bird": ("eagle", "geese", "spoonbills"),
        "car": ("car-blue", "car-desert"),
        "dog": ("bull-mastiff", "dalmatian"),
        "fruit": ("strawberries", "chestnuts"),
    }
    for name, photographs in labelled.items():
        (folder / name).mkdir(parents=True)
        for photograph in photographs:
            with Image.open(pictures / f"{photograph}.jpg") as whole:
                for number in range(6):
                    view = whole.crop((10 * number, 5 * number, whole.width - 5 * number, whole.height - 10 * number))
                    view.save(folder / name / f"{photograph}-{number}.jpg")


@contextmanager
def new_home(folder: Path) -> Iterator[Home]:
    """Yield a home in an empty folder, with S3 and Slack on this machine, but without a library."""
    copy_samples(folder / "Pictures")
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
    slack = WorkspaceThread(read_manifest())
    environment |= {
        "FINDIMG_LIBRARY": str(folder / "findimg"),
        "FINDIMG_SLACK_API_URL": slack.workspace.api_url,
        "FINDIMG_SLACK_BOT_TOKEN": slack.workspace.bot_token,
        "FINDIMG_SLACK_APP_TOKEN": slack.workspace.app_token,
        "FINDIMG_SLACK_SIGNING_SECRET": slack.workspace.signing_secret,
    }
    client.create_bucket(Bucket="team-photos")
    client.create_bucket(Bucket="team-findimg")
    for picture in sorted((folder / "Pictures").glob("*.jpg"))[:5]:
        client.upload_file(str(picture), "team-photos", f"2026/{picture.name}")
    yield Home(folder, environment)
    slack.stop()
    server.stop()
