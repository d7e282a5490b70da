"""Watch a real SQS queue of the local AWS server."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from findimg.errors import SettingsError
from findimg_jobs.watching.changes import ChangeWatcher, WatchTimes
from findimg_jobs.watching.sqs import changed_objects, watch_queue


@pytest.fixture(autouse=True)
def sqs(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", s3_server)


@pytest.fixture
def queue(s3: str) -> Iterator[tuple[Any, str]]:
    """Yield an SQS client and the URL of an empty queue."""
    client = boto3.client("sqs")
    url = client.create_queue(QueueName=s3.removeprefix("s3://"))["QueueUrl"]
    yield client, url
    client.delete_queue(QueueUrl=url)


def s3_event(uri: str) -> str:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    record = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    return json.dumps({"Records": [record | {"s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]})


def remaining(client: Any, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_event_of_a_source_starts_a_run(s3: str, queue: tuple[Any, str]) -> None:
    client, url = queue
    watcher = ChangeWatcher(f"{s3}/library", WatchTimes(settle=0.1, every=60))
    with watch_queue(url, [f"{s3}/photos"], f"{s3}/library", watcher):
        for uri in (f"{s3}/other/a.jpg", f"{s3}/library/CURRENT", f"{s3}/photos/._a.jpg", f"{s3}/photos2/a.jpg"):
            client.send_message(QueueUrl=url, MessageBody=s3_event(uri))
        client.send_message(QueueUrl=url, MessageBody="no event")
        waiter = threading.Thread(target=watcher.wait, daemon=True)
        waiter.start()
        waiter.join(2)
        assert waiter.is_alive()
        client.send_message(QueueUrl=url, MessageBody=s3_event(f"{s3}/photos/new+one%C3%A9.jpg"))
        deadline = time.monotonic() + 20
        while remaining(client, url) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert remaining(client, url) == 0
        waiter.join(20)
        assert not waiter.is_alive()


@pytest.mark.parametrize("through", ["S3", "SNS", "EventBridge"])
def test_events_are_understood_however_they_arrive(through: str) -> None:
    message = s3_event("s3://b/a+b%C3%A9.jpg")
    if through == "SNS":
        message = json.dumps({"Type": "Notification", "Message": message})
    elif through == "EventBridge":
        detail = {"bucket": {"name": "b"}, "object": {"key": "a b\u00e9.jpg"}}
        message = json.dumps({"detail-type": "Object Created", "source": "aws.s3", "detail": detail})
    assert changed_objects(message) == ["s3://b/a b\u00e9.jpg"]


@pytest.mark.parametrize(
    "message",
    ["", "[]", "1", "{}", '{"Event": "s3:TestEvent"}', '{"Records": [{}]}', '{"Records": 1}', '{"detail": []}'],
)
def test_other_messages_name_no_object(message: str) -> None:
    assert changed_objects(message) == []


def test_missing_queue_is_one_sentence(s3: str) -> None:
    url = boto3.client("sqs").create_queue(QueueName="gone")["QueueUrl"]
    boto3.client("sqs").delete_queue(QueueUrl=url)
    with (
        pytest.raises(SettingsError, match=r"The queue .*gone cannot be read: .*Give the URL of an SQS queue"),
        watch_queue(url, [s3], "/library", ChangeWatcher("/library", WatchTimes())),
    ):
        pass
