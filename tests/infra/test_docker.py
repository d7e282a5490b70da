"""Lint the images and the compose file, and run their commands outside containers."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import compose_spec
import pytest
import yaml

from findimg.settings import Settings
from findimg_bot.slack.manifest import read_manifest
from tests.bot.person import BrowserUser, until, words
from tests.bot.team import WorkspaceThread, free_port

PROJECT = Path(__file__).parents[2]
DOCKERFILE = PROJECT / "infra" / "docker" / "Dockerfile"
COMPOSE = DOCKERFILE.with_name("compose.yaml")
BIN = Path(sys.executable).parent
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]


def instructions(target: str) -> Iterator[tuple[str, str]]:
    """Yield the instructions of a target, beginning with those of the targets that it builds on."""
    text = re.sub(r"\\\n", " ", re.sub(r"^ *#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE))
    stages: dict[str, list[tuple[str, str]]] = {}
    base = name = ""
    for word, _, rest in (line.partition(" ") for line in text.splitlines() if line):
        if word == "FROM":
            base, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]
            stages[name] = list(stages.get(base, []))
        elif name:
            stages[name].append((word, rest.strip()))
    yield from stages[target]


def last(target: str, word: str) -> str:
    return [rest for each, rest in instructions(target) if each == word][-1]


def environment(target: str) -> dict[str, str]:
    pairs = [pair for word, rest in instructions(target) if word == "ENV" for pair in shlex.split(rest)]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def command(target: str) -> list[str]:
    """Return the command of a target's containers by default."""
    return [*json.loads(last(target, "ENTRYPOINT")), *json.loads(last(target, "CMD"))]


def filled(value: Any, given: dict[str, str]) -> str:
    """Return a value of the compose file with its variables replaced as compose does."""
    text = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1]) or found[2], str(value))
    return text.replace("$$", "$")


def inside(target: str, folder: Path, **more: str) -> dict[str, str]:
    """Return a container's environment, with its folders below `folder`."""
    image = {
        name: re.sub(r"^/(tmp|cache|state)", rf"{folder}/\1", value) for name, value in environment(target).items()
    }
    for name in ("tmp", "cache", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    code = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return image | code | {"PATH": f"{BIN}:/usr/bin:/bin", "TMPDIR": str(folder / "tmp"), **more}


def read_only(folder: Path) -> list[str]:
    """Return a prefix that runs a command with only `folder` writable, empty if this user may not do that."""
    script = f"mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind / && exec \"$@\""
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    tried = subprocess.run([*prefix, "sh", "-c", "! touch /written-by-a-test"], capture_output=True)
    return prefix if tried.returncode == 0 else []


@contextmanager
def running(
    arguments: list[str], variables: dict[str, str], folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """Yield a process and its output. Stop it at the end as `docker stop` does."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*read_only(folder), *arguments], env=variables, cwd=folder / "tmp", stdout=out, stderr=out
        )
    try:
        yield process, lambda: log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "hadolint", "--no-color", path], capture_output=True, text=True, timeout=60)


def test_dockerfile_passes_hadolint(tmp_path: Path) -> None:
    assert lint(DOCKERFILE).stdout == ""
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.read_text().replace("FROM python:${PYTHON}-slim-bookworm", "FROM python"))
    assert "DL3006" in lint(worse).stdout


def test_images_run_as_a_numeric_user_and_write_to_volumes_only() -> None:
    for target in ("jobs", "bot"):
        assert last(target, "USER") == "1000:1000"
        variables = environment(target)
        assert variables["HOME"] == "/tmp"
        assert (variables["FINDIMG_CACHE"], variables["FINDIMG_STATE"]) == ("/cache", "/state/bot.sqlite")
        ours = {name.removeprefix("FINDIMG_").lower() for name in variables if name.startswith("FINDIMG_")}
        assert ours <= Settings.model_fields.keys()


def test_docker_context_contains_only_the_packages() -> None:
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    packages = {path.split("/")[0] for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    named = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "constraints.txt"}
    assert allowed == named | packages
    assert all((PROJECT / path).exists() for path in allowed)


def test_docker_layer_installs_the_declared_dependencies(tmp_path: Path) -> None:
    script = next(rest for word, rest in instructions("build") if word == "RUN" and "requirements.txt" in rest)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    subprocess.run(
        ["sh", "-c", script.partition("&&")[0]], cwd=tmp_path, check=True, env={"PATH": f"{BIN}:/usr/bin:/bin"}
    )
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras, open_names = {}, ["jobs", "bot", "postgres"]
    while open_names:
        name = open_names.pop()
        extras[name] = project["optional-dependencies"][name]
        nested = (re.fullmatch(r"findimg\[(.+)\]", each) for each in extras[name])
        open_names += [other for match in nested if match for other in match[1].split(",") if other not in extras]
    wanted = {each for named in extras.values() for each in named if not each.startswith("findimg[")}
    installed = (tmp_path / "requirements.txt").read_text().splitlines()
    assert set(installed) == wanted | set(project["dependencies"])


@pytest.mark.long
def test_image_contains_the_converted_default_backbone(tmp_path: Path) -> None:
    script = next(rest for word, rest in instructions("build") if word == "RUN" and "build_encoder" in rest)
    script = script.replace("/cache", str(tmp_path))
    subprocess.run(["sh", "-c", script], check=True, cwd=PROJECT, env={"PATH": f"{BIN}:/usr/bin:/bin"})
    assert [path.suffix for path in (tmp_path / "models" / "made").iterdir()] == [".tflite"]


def test_compose_file_matches_the_specification() -> None:
    # The specification allows `on-failure:3`, but compose_spec knows only the names of restart policies.
    text = re.sub(r"^( +restart: on-failure):\d+$", r"\1", filled(COMPOSE.read_text(), {}), flags=re.MULTILINE)
    whole = yaml.safe_load(text)
    compose_spec.PyCompose.from_json(json.dumps(whole)).validate()
    for change in ({"retart": "always"}, {"healthcheck": {"tst": ["CMD"]}}, {"build": {"targt": "bot"}}):
        changed = whole | {"services": whole["services"] | {"bot": whole["services"]["bot"] | change}}
        with pytest.raises(ValueError, match=r"extension key `(retart|tst|targt)`"):
            compose_spec.PyCompose.from_json(json.dumps(changed)).validate()


def test_compose_references_exist_and_containers_are_confined() -> None:
    whole = yaml.safe_load(COMPOSE.read_text())
    targets = {rest.split(" AS ")[-1] for rest in re.findall(r"^FROM (.*)$", DOCKERFILE.read_text(), re.MULTILINE)}
    for name, service in SERVICES.items():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source in whole["volumes"] or source.startswith("${PHOTOS")
        if name in ("store", "database"):
            continue
        assert service["build"]["target"] in targets
        assert (COMPOSE.parent / service["build"]["context"] / service["build"]["dockerfile"]).samefile(DOCKERFILE)
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        ours = {each.removeprefix("FINDIMG_").lower() for each in service["environment"] if each.startswith("FINDIMG_")}
        assert ours <= Settings.model_fields.keys()
        if "jobs" in service["build"]["target"]:
            assert SERVICES["jobs"]["image"] == service["image"]


@pytest.mark.slow
def test_jobs_image_prints_its_help(tmp_path: Path) -> None:
    done = subprocess.run(command("jobs"), env=inside("jobs", tmp_path), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "index" in done.stdout


@pytest.mark.long
def test_bot_image_serves_and_is_healthy(library: str, tmp_path: Path) -> None:
    port, slack = free_port(), WorkspaceThread(read_manifest())
    variables = inside(
        "bot",
        tmp_path,
        FINDIMG_LIBRARY=library,
        FINDIMG_SLACK_API_URL=slack.workspace.api_url,
        FINDIMG_SLACK_BOT_TOKEN=slack.workspace.bot_token,
        FINDIMG_SLACK_APP_TOKEN=slack.workspace.app_token,
    )
    check = json.loads(last("bot", "HEALTHCHECK").partition("CMD ")[2].replace("8080", str(port)))

    def is_healthy() -> bool:
        return subprocess.run(check, env=variables, capture_output=True, timeout=30).returncode == 0

    try:
        assert not is_healthy()
        arguments = [each.replace("0.0.0.0:8080", f"127.0.0.1:{port}") for each in command("bot")]
        with running(arguments, variables, tmp_path):
            until(is_healthy, 300)
            person = BrowserUser(slack.workspace.address, slack.workspace.token)
            assert "cat.png" in words(person.command(person.channel(), "/findimg cat"))
        assert (tmp_path / "state" / "bot.sqlite").exists()
    finally:
        slack.stop()


@pytest.fixture(scope="module")
def store(s3_server: str) -> dict[str, str]:
    """Return the variables that compose gives the containers, with the bucket on the local S3 server."""
    (bucket,) = [each.partition("=")[2] for each in SERVICES["store"]["command"] if each.startswith("-bucket=")]
    login = {"aws_access_key_id": "findimg", "aws_secret_access_key": "findimg-secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=s3_server, **login).create_bucket(Bucket=bucket)
    return {"AWS_ENDPOINT_URL_S3": s3_server, "FINDIMG_ENGINE": "local", "EVERY": "1"}


def of_compose(name: str, given: dict[str, str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return a service's command and environment. `given` are the variables of the shell that calls compose."""
    service = SERVICES[name]
    variables = {key: filled(value, given) for key, value in service["environment"].items()}
    own = {key: value for key, value in given.items() if key in ("AWS_ENDPOINT_URL_S3", "FINDIMG_SLACK_API_URL")}
    arguments = [filled(each, given) for each in service["entrypoint"]]
    return arguments, inside(service["build"]["target"], folder, **(variables | own))


@pytest.mark.long
def test_compose_indexes_photographs_and_opens_a_workspace(
    store: dict[str, str], samples: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "photos"
    pictures.mkdir()
    for name in ("cat.png", "dalmatian.jpg", "eagle.jpg"):
        shutil.copy(samples / name, pictures)
    copy, variables = of_compose("photos", store, tmp_path)
    script = copy[-1].replace('"/photos"', f'"{pictures}"').replace('relative_to("/")', f'relative_to("{tmp_path}")')
    subprocess.run([*copy[:-1], script], env=variables, check=True, timeout=120)
    arguments, variables = of_compose("jobs", store, tmp_path)
    with running(arguments, variables, tmp_path) as (_, printed):
        until(lambda: "Published." in printed() and "Nothing changed." in printed(), 500)
    port, monitor = free_port(), free_port()
    arguments, variables = of_compose("bot", store, tmp_path)
    arguments[-1] = arguments[-1].replace("3000", str(port)).replace("0.0.0.0:8080", f"127.0.0.1:{monitor}")
    check = json.loads(last("bot", "HEALTHCHECK").partition("CMD ")[2].replace("8080", str(monitor)))
    with running(arguments, variables, tmp_path) as (_, printed):
        until(lambda: re.search(r"token=\S+", printed()) is not None, 300)
        token = re.search(r"token=(\S+)", printed())
        assert token
        person = BrowserUser(f"http://127.0.0.1:{port}", token[1])
        general = next(each["id"] for each in person.state()["channels"] if each["name"] == "general")
        assert "cat.png" in words(person.command(general, "/findimg cat"))
        assert subprocess.run(check, env=variables, timeout=30).returncode == 0


@pytest.mark.parametrize("token", ["", "xoxb-1"])
def test_compose_serves_with_a_token_and_tries_without(token: str, tmp_path: Path) -> None:
    arguments, variables = of_compose("bot", {"FINDIMG_SLACK_BOT_TOKEN": token}, tmp_path)
    stub(tmp_path, "findimg-bot", 'echo "$1"')
    told = subprocess.run(arguments, env=first(tmp_path, variables), capture_output=True, text=True, timeout=30)
    assert told.stdout == ("serve\n" if token else "try\n")


@pytest.mark.parametrize("code", [0, 3, 4])
def test_nightly_loop_continues_after_recoverable_errors(code: int, tmp_path: Path) -> None:
    arguments, variables = of_compose("jobs", {"EVERY": "0"}, tmp_path)
    stub(tmp_path, "findimg-jobs", f"echo run; exit {code}")
    with running(arguments, first(tmp_path, variables), tmp_path) as (_, printed):
        until(lambda: printed().count("run") > 2, 60)


def test_nightly_loop_ends_on_wrong_settings_and_stops_its_run(tmp_path: Path) -> None:
    arguments, variables = of_compose("jobs", {}, tmp_path)
    stub(tmp_path, "findimg-jobs", "exit 2")
    assert subprocess.run(arguments, env=first(tmp_path, variables), timeout=30).returncode == 2
    stub(tmp_path, "findimg-jobs", "trap 'echo given back; exit 143' TERM; echo run; while :; do sleep 0.1; done")
    with running(arguments, first(tmp_path, variables), tmp_path) as (_, printed):
        until(lambda: "run" in printed())
        started = time.monotonic()
    assert "given back" in printed()
    assert time.monotonic() - started < 30


def stub(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def first(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return the environment with the commands in `folder` before all others."""
    return variables | {"PATH": f"{folder}{os.pathsep}{variables['PATH']}"}
