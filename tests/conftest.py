"""What tests of several packages share: photographs, a local S3 server, an indexed library."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from findimg.settings import Settings
from findimg.storage.s3 import reset_client
from findimg_jobs.datasets.samples import gather
from findimg_jobs.indexing.run import index

PHOTOS = Path(__file__).parents[2] / "shared" / "photos"


@pytest.fixture(scope="session")
def photos() -> Path:
    """The 1,400 labelled photographs that lie beside the project on developers' machines and in CI."""
    if not PHOTOS.is_dir():
        pytest.skip(f"the 1,400 photographs are not at {PHOTOS}: nothing is measured on them")
    return PHOTOS


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample photographs."""
    folder = tmp_path_factory.mktemp("samples")
    gather(folder)
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of this test run's own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def library(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A published library of the sample photographs, for reading only."""
    uri = str(tmp_path_factory.mktemp("library"))
    index(Settings(library=uri, engine="local", cache=cache), [str(samples)])
    return uri


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a local S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket on the local S3 server, as `s3://bucket`."""
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
    """The URI of an empty place: a folder, then an S3 prefix."""
    if request.param == "folder":
        return str(tmp_path / "place")
    return f"{request.getfixturevalue('s3')}/place"
