"""Run the command of every schedule, and check which sources it indexes when their names have blanks."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from findimg_jobs.listing.source_arguments import split_sources

INFRA = Path(__file__).parents[2] / "infra"


def crontab() -> str:
    (line,) = (
        line for line in (INFRA / "crontab" / "findimg").read_text().splitlines() if "findimg-jobs index" in line
    )
    return line.split(None, 6)[6].replace("/etc/findimg/", "./")


def compose() -> str:
    services = yaml.safe_load((INFRA / "docker" / "compose.yaml").read_text())["services"]
    (script,) = (
        str(each["entrypoint"][-1]) for each in services.values() if "NIGHTLY_SOURCES" in str(each.get("entrypoint"))
    )
    # The first run is enough.
    return script.replace("$$", "$").replace('"$NIGHTLY_SOURCES" & child=$!', '"$NIGHTLY_SOURCES"; exit')


def ray_job(name: str) -> Callable[[], str]:
    def entrypoint() -> str:
        text = (INFRA / "kubernetes" / name).read_text()
        (found,) = re.findall(r"(?m)^\s*(findimg-jobs index .*)$", text)
        assert isinstance(found, str)
        return found

    return entrypoint


def systemd() -> str:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((INFRA / "systemd" / "findimg-nightly.service").read_text())
    words = parser["Service"]["ExecStart"].split()
    # systemd.service(5): ${NAME} as a separate word is one argument, $NAME would be split.
    assert words[-1] == "${NIGHTLY_SOURCES}"
    return " ".join(["findimg-jobs", *words[1:-1], '"$NIGHTLY_SOURCES"'])


@pytest.mark.parametrize(
    "command",
    [crontab, compose, ray_job("rayjob.yaml"), ray_job("raycronjob.yaml"), systemd],
    ids=["crontab", "compose", "RayJob", "RayCronJob", "systemd"],
)
def test_schedule_keeps_names_with_blanks_whole(command: Callable[[], str], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("Team Photos", "Anna's", 'the "best"', "a  b", "plain")]
    for folder in folders:
        folder.mkdir()
    expected = [*map(str, folders), "s3://bucket/my photos"]
    sources = " ".join(map(shlex.quote, expected))
    (tmp_path / "nightly.env").write_text(f"NIGHTLY_SOURCES={shlex.quote(sources)}\n")
    tool = tmp_path / "findimg-jobs"
    tool.write_text(f'#!/bin/sh\nwhile [ "$1" != --sources ]; do shift; done\nprintf %s "$2" > {tmp_path}/sources\n')
    tool.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NIGHTLY_SOURCES": sources}
    subprocess.run(["sh", "-n", "-c", command()], check=True)
    subprocess.run(["sh", "-c", command()], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert split_sources((tmp_path / "sources").read_text()) == expected
