"""Fixtures for all packages: photographs, a local S3 server, published libraries."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from filelock import FileLock
from moto.server import ThreadedMotoServer

from findimg.settings import Settings
from findimg.storage.s3 import reset_client
from findimg_jobs.datasets.samples import copy_samples
from findimg_jobs.indexing.run import index
from tests.sentences import publish_things

PHOTOS = Path(__file__).parents[2] / "shared" / "photos"
# Files that take longest start first, so that no process has one of them left when the others are done.
LONGEST = ("test_readme.py", "test_packaging.py", "test_cli.py", "test_run.py", "test_train.py", "test_removed.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def make_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that is made once in a test run, whichever pytest-xdist worker asks first.

    Args:
        tmp_path_factory: pytest's own; its base folder has one parent for all workers of a run.
        name: name of the folder.
        make: fills the folder, which does not exist yet.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen-") else base) / f"once-{name}"
    made = folder.with_suffix(".made")
    with FileLock(folder.with_suffix(".lock")):
        if not made.exists():
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """Return the folder with the 1,400 labelled photographs, which developers and CI have beside the project."""
    if not PHOTOS.is_dir():
        pytest.skip(f"the 1,400 photographs are not at {PHOTOS}: nothing is measured on them")
    return PHOTOS


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sample photographs."""
    return make_once(tmp_path_factory, "samples", copy_samples)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder that all workers of this test run share."""
    return make_once(tmp_path_factory, "cache", Path.mkdir)


@pytest.fixture(scope="session")
def library(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a published library of the sample photographs. Do not change it."""

    def publish(folder: Path) -> None:
        index(Settings(library=str(folder), engine="local", cache=cache), [str(samples)])

    return str(make_once(tmp_path_factory, "library", publish))


@pytest.fixture(scope="session")
def things(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a published `library` that is searched by sentences, its `pictures` and its `model`."""
    return make_once(tmp_path_factory, "things", lambda folder: publish_things(folder, cache))


@pytest.fixture(scope="session")
def photo_library(photos: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a published library of the 1,400 photographs. Do not change it."""

    def publish(folder: Path) -> None:
        sources = [str(photos / name) for name in ("labelled", "unseen")]
        report = index(Settings(library=str(folder), engine="local", cache=cache), sources)
        assert (report.seen, report.failed, report.images) == (1400, 0, 1400)

    return str(make_once(tmp_path_factory, "photo-library", publish))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Yield the address of a local S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield an empty bucket on the local S3 server, as `s3://bucket`."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    reset_client()
    bucket = f"findimg-{secrets.token_hex(4)}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield f"s3://{bucket}"
    reset_client()


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URI of an empty place: first a folder, then an S3 prefix."""
    if request.param == "folder":
        return str(tmp_path / "place")
    return f"{request.getfixturevalue('s3')}/place"
