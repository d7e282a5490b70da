"""Test the findimg-jobs command."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest

from findimg.library.library import Library
from findimg.storage.base import open_storage
from findimg_jobs.store.lock import hold_lock
from tests.jobs.command import COMMAND, call


@pytest.fixture
def findimg_jobs(tmp_path: Path, cache: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    return partial(call, tmp_path, FINDIMG_CACHE=str(cache), FINDIMG_ENGINE="local")


@pytest.fixture
def own_process(tmp_path: Path, cache: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def own_process(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"FINDIMG_CACHE": str(cache), "FINDIMG_ENGINE": "local"} | variables
        return subprocess.run(
            [COMMAND, *map(str, arguments)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )

    return own_process


Command = Callable[..., subprocess.CompletedProcess[str]]


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: int, part: str) -> None:
    assert done.returncode == code, done.stderr
    # On a slow machine lines of progress, which are JSON, stand before it.
    (sentence,) = (line for line in done.stderr.strip().splitlines() if not line.startswith("{"))
    assert part in sentence
    assert done.stdout == ""


@pytest.mark.slow
def test_index_with_ray_prints_one_json_object(own_process: Command, pictures: Path, tmp_path: Path) -> None:
    done = own_process("index", pictures, "--library", tmp_path / "library", "--json", FINDIMG_ENGINE="ray")
    assert done.returncode == 0, done.stderr
    # On a slow machine there are lines of progress, each of them JSON, and nothing else.
    assert all("images_per_second" in json.loads(line) for line in done.stderr.splitlines())
    report = json.loads(done.stdout)
    assert (report["seen"], report["embedded"], report["images"], report["failed"]) == (6, 6, 6, 0)
    again = own_process("index", pictures, "--library", tmp_path / "library", "--json", FINDIMG_ENGINE="ray")
    assert json.loads(again.stdout)["embedded"] == 0


def test_verify_reports_damage(own_process: Command, pictures: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    assert "Published." in own_process("index", pictures, "--library", library).stdout
    verified = own_process("verify", "--library", library).stdout
    assert "are as published, 6 images; 6 rows compared with the embedding store; recall@10 visual " in verified
    (catalog,) = library.glob("segments/*/catalog.sqlite")
    catalog.write_bytes(catalog.read_bytes()[:-1] + b"!")
    assert_one_sentence(own_process("verify", "--library", library), 2, "catalog.sqlite has SHA-256")


def test_rollback_restores_the_version_before(
    findimg_jobs: Command, pictures: Path, tmp_path: Path, cache: Path
) -> None:
    library = tmp_path / "library"
    findimg_jobs("index", pictures, "--library", library)
    first = Library(str(library), cache).find_live_version()
    (pictures / "0.png").unlink()
    findimg_jobs("index", pictures, "--library", library)
    listed = findimg_jobs("versions", "--library", library).stdout.splitlines()
    assert len(listed) == 3
    assert listed[2].rstrip().endswith("live")
    assert f"Version {first} is live." in findimg_jobs("rollback", "--library", library).stdout
    assert Library(str(library), cache).find_live_version() == first
    assert_one_sentence(findimg_jobs("rollback", "--library", library), 2, "no version before the live one")
    assert_one_sentence(findimg_jobs("rollback", "nonsense", "--library", library), 2, "has no version 'nonsense'")


def test_rollback_to_a_named_version_repairs_current(
    findimg_jobs: Command, pictures: Path, tmp_path: Path, cache: Path
) -> None:
    library = tmp_path / "library"
    findimg_jobs("index", pictures, "--library", library)
    version = str(Library(str(library), cache).find_live_version())
    (library / "CURRENT").write_bytes(b"\0" * 5000)
    listed = findimg_jobs("versions", "--library", library)
    assert version in listed.stdout
    assert "CURRENT names no version" in listed.stderr
    assert_one_sentence(findimg_jobs("rollback", "--library", library), 2, "CURRENT names no version")
    assert f"Version {version} is live." in findimg_jobs("rollback", version, "--library", library).stdout
    assert Library(str(library), cache).find_live_version() == version


def test_prune_reports_what_it_deleted(findimg_jobs: Command, pictures: Path, tmp_path: Path, cache: Path) -> None:
    library = Library(str(tmp_path / "library"), cache)
    findimg_jobs("index", pictures, "--library", library.uri)
    first = library.manifest(str(library.find_live_version()))
    (pictures / "0.png").unlink()
    findimg_jobs("index", pictures, "--library", library.uri)
    assert findimg_jobs("prune", "--keep", "1", "--library", library.uri).stdout == "There was nothing to remove.\n"
    older = first.model_copy(update={"created": "2026-01-01T00:00:00+00:00"}).model_dump_json(by_alias=True)
    library.storage.write(f"versions/{first.version}/manifest.json", older.encode())
    pruned = findimg_jobs("prune", "--keep", "1", "--library", library.uri)
    assert pruned.stdout == f"Removed version {first.version}.\n"
    assert library.versions() == [library.find_live_version()]


def test_retry_failed_reads_broken_images_again(findimg_jobs: Command, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.jpg").write_text("no image")
    findimg_jobs("index", pictures, "--library", tmp_path / "library")
    done = findimg_jobs("index", pictures, "--library", tmp_path / "library", "--retry-failed", "--json")
    assert json.loads(done.stdout)["failed"] == 1
    assert len(list((tmp_path / "library" / "embeddings").glob("*/*/stats.json"))) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["index", "/no/such/folder", "--library", "l"], 2, "'/no/such/folder' does not exist"),
        (["index", "."], 2, "No library is named"),
        (["index", ".", "--library", "l"], 2, "There is no image in"),
        (["index", ".", "--library", "l", "--backbone", "resnet"], 2, "There is no backbone 'resnet'"),
        (["index", ".", "--library", "l", "--engine", "spark"], 2, "--engine"),
        (["index", ".", "--library", "gs://bucket"], 2, "neither a folder nor an s3://"),
        (["merge", "--library", "l"], 2, "Nothing is published"),
        (["verify", "--library", "l"], 2, "Nothing is published"),
        (["versions", "--library", "l"], 2, "Nothing is published"),
        (["rollback", "--library", "l"], 2, "Nothing is published"),
        (["prune", "--library", "l"], 2, "Nothing is published"),
        (["models", "path", "vgg16"], 2, "vgg16 is not on this machine"),
        (["models", "path", "nonsense"], 2, "no model 'nonsense'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_changes_nothing(
    findimg_jobs: Command, tmp_path: Path, arguments: list[str], code: int, part: str
) -> None:
    assert_one_sentence(findimg_jobs(*arguments), code, part)
    assert list(tmp_path.iterdir()) == []


def test_unknown_option_is_wrong_usage(findimg_jobs: Command) -> None:
    assert findimg_jobs("index", "--no-such-option").returncode == 2


def test_second_run_exits_with_4(findimg_jobs: Command, pictures: Path, tmp_path: Path) -> None:
    with hold_lock(open_storage(tmp_path / "library")):
        done = findimg_jobs("index", pictures, "--library", tmp_path / "library")
    assert_one_sentence(done, 4, "has been writing to")


def test_strict_exits_with_3_if_an_image_fails(findimg_jobs: Command, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.jpg").write_text("no image")
    done = findimg_jobs("index", pictures, "--library", tmp_path / "library", "--strict")
    assert_one_sentence(done, 3, "--strict")


def test_models_list_shows_their_state(findimg_jobs: Command) -> None:
    listed = findimg_jobs("models", "list").stdout
    for name in ("vgg16", "vgg16-gap", "efficientnet-lite0", "glove.6B.50d", "glove.6B.300d"):
        assert name in listed
    assert Path(findimg_jobs("models", "path", "efficientnet-lite0").stdout.strip()).is_file()


def test_version_option_prints_the_version(own_process: Command) -> None:
    done = own_process("--version")
    assert (done.returncode, done.stdout) == (0, f"findimg-jobs {version('findimg')}\n")


def test_shell_completion_is_offered(own_process: Command) -> None:
    typed = {"COMP_WORDS": "findimg-jobs ver", "COMP_CWORD": "1", "_FINDIMG_JOBS_COMPLETE": "complete_bash"}
    assert own_process(**typed).stdout.split() == ["verify", "versions"]


def test_versions_are_printed_as_json(findimg_jobs: Command, pictures: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    findimg_jobs("index", pictures, "--library", library)
    (pictures / "0.png").unlink()
    findimg_jobs("index", pictures, "--library", library)
    rows = json.loads(findimg_jobs("versions", "--library", library, "--json").stdout)
    assert [(row["images"], row["failed"], row["live"]) for row in rows] == [(6, 0, False), (5, 0, True)]
    assert rows[0]["backbone"] == "efficientnet-lite0"


def test_sources_can_come_from_standard_input_and_from_one_text(
    findimg_jobs: Command, pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "Team Photos"
    pictures.rename(folder)
    done = findimg_jobs("index", "--sources", f"'{folder}'", "--library", tmp_path / "a", "--json")
    assert json.loads(done.stdout)["images"] == 6
    listed = f"{folder}/0.png\n{folder}/1.png\n{folder}/missing.png\n"
    done = subprocess.run(
        [COMMAND, "index", "--from-file", "-", "--library", tmp_path / "b", "--json", "--engine", "local"],
        input=listed,
        capture_output=True,
        text=True,
        timeout=300,
    )
    report = json.loads(done.stdout)
    assert (report["seen"], report["embedded"], report["failed"], report["images"]) == (3, 2, 1, 2)
    assert_one_sentence(findimg_jobs("index", "--library", tmp_path / "c"), 2, "No source is named")


def test_report_tells_what_was_skipped_and_what_to_type_next(
    findimg_jobs: Command, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "@eaDir").mkdir()
    (pictures / "notes.txt").write_text("x")
    (pictures / "bad\x1b[31m.jpg").write_text("x")
    library = tmp_path / "my library"
    done = findimg_jobs("index", pictures, "--library", library, "--exclude", "5.*")
    assert "Skipped: 1 --exclude 5.*, 1 @eaDir (folder), 1 not an image: .txt." in done.stdout
    assert f"findimg-bot try --library '{library}'" in done.stdout
    assert "\x1b" not in done.stdout
    assert json.loads(done.stderr.splitlines()[0])["status"] == f"Listing the images of {pictures}."


def heed_interrupts() -> None:
    """Let a process be interrupted, also if these tests run in the background of a shell, which ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_run_says_that_a_rerun_continues(draw: Callable[[Path, int], None], tmp_path: Path) -> None:
    pictures = tmp_path / "many"
    pictures.mkdir()
    for seed in range(1000):
        draw(pictures / f"{seed}.png", seed)
    arguments = [COMMAND, "index", pictures, "--library", tmp_path / "library", "--engine", "local"]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts)
    assert process.stderr
    for line in process.stderr:
        if "Embedding" in line:
            break
    rest = ""
    while process.poll() is None:
        # Python drops an interrupt that arrives in a destructor, so Ctrl-C is pressed again.
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            rest = process.communicate(timeout=4)[1]
    assert process.returncode == 130
    assert "run the same command again, and it continues" in rest
    assert not (tmp_path / "library" / "LOCK").exists()


def test_interrupt_that_arrives_in_a_destructor_is_sent_again() -> None:
    # Python drops what a destructor raises.
    program = (
        "import sys, time\n"
        "from findimg_jobs.cli.root import repeat_lost_signal\n"
        "sys.unraisablehook = repeat_lost_signal\n"
        "class Interrupted:\n    def __del__(self):\n        raise KeyboardInterrupt\n"
        "Interrupted()\n"
        "time.sleep(20)\n"
    )
    arguments = [sys.executable, "-c", program]
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=40, check=False, preexec_fn=heed_interrupts
    )
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")


@pytest.mark.long
def test_ray_runs_with_a_long_temporary_folder_and_files_that_shadow_modules(
    own_process: Command, pictures: Path, tmp_path: Path
) -> None:
    long = tmp_path / ("long-" * 10) / "folder"
    long.mkdir(parents=True)
    for name in ("numpy.py", "jobs.py", "findimg_jobs.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    arguments = ("index", pictures, "--library", tmp_path / "library", "--json")
    done = own_process(*arguments, FINDIMG_ENGINE="ray", TMPDIR=str(long))
    assert json.loads(done.stdout)["embedded"] == 6, done.stderr


def test_user_without_a_home_folder_can_index(own_process: Command, pictures: Path, tmp_path: Path) -> None:
    # `sitecustomize` stands for a system that knows neither the user nor HOME.
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, pwd\nos.environ.pop('HOME', None)\n"
        "def unknown(uid):\n    raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
    )
    arguments = ("index", pictures, "--library", tmp_path / "library", "--json")
    done = own_process(*arguments, PYTHONPATH=str(tmp_path / "site"))
    assert json.loads(done.stdout)["embedded"] == 6, done.stderr
    assert not (tmp_path / "~").exists()
