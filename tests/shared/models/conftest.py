from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from findimg.storage.s3 import reset_client


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
    reset_client()
    boto3.client("s3").create_bucket(Bucket="models")
    yield "models"
    reset_client()
    moto.stop()
