"""Check the systemd units and the crontab."""

import os
import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"
UNITS = INFRA / "systemd"
CRONTAB = INFRA / "crontab" / "findimg"


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((UNITS / name).read_text())
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed: it checks nothing")
@pytest.mark.parametrize("name", ["findimg-nightly.service", "findimg-nightly.timer", "findimg-bot.service"])
def test_units_pass_systemd_analyze(name: str, tmp_path: Path) -> None:
    for each in UNITS.iterdir():
        # It looks for what is to be started, which is not installed here.
        text = re.sub(r"/opt/findimg/\.venv/bin/findimg-\w+", "/bin/true", each.read_text())
        (tmp_path / each.name).write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", tmp_path / name], capture_output=True, text=True
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed: it checks nothing")
def test_timer_fires_daily() -> None:
    moment = unit("findimg-nightly.timer")["Timer"]["OnCalendar"]
    told = subprocess.run(["systemd-analyze", "calendar", moment], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "*-*-* 02:00:00" in told.stdout


def test_locked_library_succeeds_and_wrong_settings_are_not_retried() -> None:
    service = unit("findimg-nightly.service")["Service"]
    assert service["Type"] == "oneshot"
    assert service["SuccessExitStatus"] == "4"
    assert service["RestartPreventExitStatus"] == "2"
    assert service["Restart"] == "on-failure"


LINES = [line for line in CRONTAB.read_text().splitlines() if line and not line.startswith("#") and "=" not in line[:9]]
FIELD = r"(?:\*|\d+(?:-\d+)?)(?:/\d+)?(?:,\d+)*"


def test_crontab_lines_have_time_user_and_command() -> None:
    assert len(LINES) == 2
    ranges = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
    for line in LINES:
        *times, user, command = line.split(None, 6)
        for field, (low, high) in zip(times, ranges, strict=True):
            assert re.fullmatch(FIELD, field), line
            assert all(low <= int(number) <= high for number in re.findall(r"\d+", field.partition("/")[0]))
        assert user == "findimg"
        # To cron a % ends the command.
        assert "%" not in command
    assert CRONTAB.read_text().endswith("\n")


@pytest.mark.parametrize(("code", "printed"), [(0, ""), (2, "said\n"), (3, "said\n"), (4, "")])
@pytest.mark.parametrize("line", LINES)
def test_only_failed_runs_send_mail(line: str, code: int, printed: str, tmp_path: Path) -> None:
    (tmp_path / "nightly.env").write_text("NIGHTLY_SOURCES='one two'\n")
    (tmp_path / "findimg-jobs").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho said\nexit {code}\n')
    (tmp_path / "findimg-jobs").chmod(0o755)
    command = line.split(None, 6)[6].replace("/etc/findimg", str(tmp_path))
    done = subprocess.run(
        ["sh", "-c", command], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (printed, "")
    assert (done.returncode == 0) is (printed == "")
    assert (tmp_path / "asked").read_text() in ("index --sources one two\n", "prune\n")
