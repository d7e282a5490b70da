"""Watch an SQS queue for events of S3, so that a changed bucket is indexed within seconds instead of at an interval.

A bucket can send its events directly, through SNS or through EventBridge. All three forms are understood.

Sources: Amazon S3 User Guide, "Event message structure" and "EventBridge event message structure"; Amazon SNS Developer
Guide, "HTTP/HTTPS notification JSON format".
"""

import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from findimg.errors import SettingsError
from findimg_jobs.listing.skip_rules import default_rule
from findimg_jobs.listing.source_arguments import source_root
from findimg_jobs.watching.changes import ChangeWatcher

_log = logging.getLogger(__name__)
_LONG_POLL = 20  # seconds that SQS waits for a message, the most that it allows
_RETRY_AFTER = 30.0  # seconds after a failed request
_AT_ONCE = 10  # messages of one request, the most that SQS allows


@contextmanager
def watch_queue(url: str, sources: Sequence[str], library: str, watcher: ChangeWatcher) -> Iterator[None]:
    """Send the events of a queue that concern the sources to `watcher`, from a thread.

    The queue must serve this library alone: every message is deleted once it was noted. No change is lost if the
    process dies then, because the next one begins with a run.

    Args:
        url: the queue.
        sources: the sources. Events of other objects are ignored.
        library: the library's address. Its own files are no change.
        watcher: receives the changes.

    Raises:
        SettingsError: the queue does not exist or cannot be read.
    """
    # The answer to a long poll takes as long as the poll.
    client = boto3.client("sqs", config=Config(read_timeout=_LONG_POLL + 20, retries={"mode": "standard"}))
    try:
        client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    except (BotoCoreError, ClientError) as error:
        raise SettingsError(
            f"The queue {url} cannot be read: {error}. Give the URL of an SQS queue, and the right to receive from it."
        ) from error
    roots = [root.rstrip("/") for root in map(source_root, sources) if root.startswith("s3://")]
    stopping = threading.Event()

    def receive() -> None:
        while not stopping.is_set():
            try:
                _receive(client, url, roots, library, watcher)
            except (BotoCoreError, ClientError) as error:
                _log.warning("The queue %s cannot be read: %s. Trying again in %.0f s.", url, error, _RETRY_AFTER)
                stopping.wait(_RETRY_AFTER)

    # A daemon, because a long poll cannot be interrupted.
    threading.Thread(target=receive, name="watch-queue", daemon=True).start()
    try:
        yield
    finally:
        stopping.set()


def changed_objects(body: str) -> list[str]:
    """Return the URIs of the objects that a message names, none for a message of another kind."""
    try:
        message = json.loads(body)
        if "Message" in message:  # from SNS
            message = json.loads(message["Message"])
        if "detail" in message:  # from EventBridge, which does not encode keys
            detail = message["detail"]
            return [f"s3://{detail['bucket']['name']}/{detail['object']['key']}"]
        records = [record["s3"] for record in message.get("Records", ())]
        return [f"s3://{each['bucket']['name']}/{unquote_plus(each['object']['key'])}" for each in records]
    except (AttributeError, KeyError, TypeError, ValueError):
        return []


def _receive(client: Any, url: str, roots: Sequence[str], library: str, watcher: ChangeWatcher) -> None:
    """Note the changes of one request's messages, then delete them."""
    answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=_LONG_POLL)
    messages = answer.get("Messages", [])
    changed = [uri for message in messages for uri in changed_objects(message["Body"])]
    if any(_matters(uri, roots, library) for uri in changed):
        watcher.note()
    if messages:
        client.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ],
        )


def _matters(uri: str, roots: Sequence[str], library: str) -> bool:
    in_library = uri.startswith(f"{library.rstrip('/')}/")
    in_source = any(uri == root or uri.startswith(f"{root}/") for root in roots)
    return in_source and not in_library and default_rule(uri.rpartition("/")[2]) is None
