"""findimg-jobs as an operator runs it: a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from findimg.library.library import Library
from findimg.storage.base import open_storage
from findimg_jobs.store.lock import hold_lock

COMMAND = Path(sys.executable).with_name("findimg-jobs")


@pytest.fixture
def findimg_jobs(tmp_path: Path, cache: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def findimg_jobs(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"FINDIMG_CACHE": str(cache), "FINDIMG_ENGINE": "local"} | variables
        return subprocess.run(
            [COMMAND, *map(str, arguments)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )

    return findimg_jobs


Command = Callable[..., subprocess.CompletedProcess[str]]


def assert_one_sentence(done: subprocess.CompletedProcess[str], code: int, part: str) -> None:
    assert done.returncode == code, done.stderr
    # On a slow machine lines of progress, which are JSON, stand before it.
    (sentence,) = (line for line in done.stderr.strip().splitlines() if not line.startswith("{"))
    assert part in sentence
    assert done.stdout == ""


@pytest.mark.slow
def test_index_with_ray_prints_one_json_object(findimg_jobs: Command, pictures: Path, tmp_path: Path) -> None:
    done = findimg_jobs("index", pictures, "--library", tmp_path / "library", "--json", FINDIMG_ENGINE="ray")
    assert done.returncode == 0, done.stderr
    # On a slow machine there are lines of progress, each of them JSON, and nothing else.
    assert all("images_per_second" in json.loads(line) for line in done.stderr.splitlines())
    report = json.loads(done.stdout)
    assert (report["seen"], report["embedded"], report["images"], report["failed"]) == (6, 6, 6, 0)
    again = findimg_jobs("index", pictures, "--library", tmp_path / "library", "--json", FINDIMG_ENGINE="ray")
    assert json.loads(again.stdout)["embedded"] == 0


def test_verify_reports_damage(findimg_jobs: Command, pictures: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    assert "Published." in findimg_jobs("index", pictures, "--library", library).stdout
    verified = findimg_jobs("verify", "--library", library).stdout
    assert "are as published, 6 images; 6 rows compared with the embedding store; recall@10 visual " in verified
    (catalog,) = library.glob("versions/*/catalog.sqlite")
    catalog.write_bytes(catalog.read_bytes()[:-1] + b"!")
    assert_one_sentence(findimg_jobs("verify", "--library", library), 2, "catalog.sqlite has SHA-256")


def test_rollback_restores_the_version_before(
    findimg_jobs: Command, pictures: Path, tmp_path: Path, cache: Path
) -> None:
    library = tmp_path / "library"
    findimg_jobs("index", pictures, "--library", library)
    first = Library(str(library), cache).current()
    (pictures / "0.png").unlink()
    findimg_jobs("index", pictures, "--library", library)
    listed = findimg_jobs("versions", "--library", library).stdout.splitlines()
    assert len(listed) == 3
    assert listed[2].rstrip().endswith("live")
    assert f"Version {first} is live." in findimg_jobs("rollback", "--library", library).stdout
    assert Library(str(library), cache).current() == first
    assert_one_sentence(findimg_jobs("rollback", "--library", library), 2, "no version before the live one")
    assert_one_sentence(findimg_jobs("rollback", "nonsense", "--library", library), 2, "has no version 'nonsense'")


def test_rollback_to_a_named_version_repairs_current(
    findimg_jobs: Command, pictures: Path, tmp_path: Path, cache: Path
) -> None:
    library = tmp_path / "library"
    findimg_jobs("index", pictures, "--library", library)
    version = str(Library(str(library), cache).current())
    (library / "CURRENT").write_bytes(b"\0" * 5000)
    listed = findimg_jobs("versions", "--library", library)
    assert version in listed.stdout
    assert "CURRENT names no version" in listed.stderr
    assert_one_sentence(findimg_jobs("rollback", "--library", library), 2, "CURRENT names no version")
    assert f"Version {version} is live." in findimg_jobs("rollback", version, "--library", library).stdout
    assert Library(str(library), cache).current() == version


def test_prune_reports_what_it_deleted(findimg_jobs: Command, pictures: Path, tmp_path: Path, cache: Path) -> None:
    library = Library(str(tmp_path / "library"), cache)
    findimg_jobs("index", pictures, "--library", library.uri)
    first = library.manifest(str(library.current()))
    (pictures / "0.png").unlink()
    findimg_jobs("index", pictures, "--library", library.uri)
    assert findimg_jobs("prune", "--keep", "1", "--library", library.uri).stdout == "There was nothing to remove.\n"
    older = first.model_copy(update={"created": "2026-01-01T00:00:00+00:00"}).model_dump_json(by_alias=True)
    library.storage.write(f"versions/{first.version}/manifest.json", older.encode())
    pruned = findimg_jobs("prune", "--keep", "1", "--library", library.uri)
    assert pruned.stdout == f"Removed version {first.version}.\n"
    assert library.versions() == [library.current()]


def test_retry_failed_reads_broken_images_again(findimg_jobs: Command, pictures: Path, tmp_path: Path) -> None:
    (pictures / "broken.jpg").write_text("no image")
    findimg_jobs("index", pictures, "--library", tmp_path / "library")
    done = findimg_jobs("index", pictures, "--library", tmp_path / "library", "--retry-failed", "--json")
    assert json.loads(done.stdout)["failed"] == 1
    assert len(list((tmp_path / "library" / "embeddings").glob("*/*/stats.json"))) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["index", "/no/such/folder", "--library", "l"], 2, "'/no/such/folder' is no folder"),
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
