"""A prefix of an S3 bucket as a storage.

boto3 finds credentials, region and endpoint in its usual places. `AWS_ENDPOINT_URL_S3` names an S3 server other than
Amazon's. `AWS_REQUEST_PAYER=requester` agrees to pay for requests to requester-pays buckets.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    IncompleteReadError,
    ParamValidationError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from findimg.errors import ObjectMissingError, StorageError
from findimg.storage.base import Entry, Storage, check_etag, check_length, count_retries, register_scheme

_log = logging.getLogger(__name__)
_client_lock = threading.Lock()
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")  # storage classes whose objects must be restored before they can be read
_DOWNLOAD_ATTEMPTS = 5  # requests for one object when its download is interrupted


class S3Storage(Storage):
    """A prefix of an S3 bucket."""

    makes_links = True

    def __init__(self, bucket: str, prefix: str):
        self.bucket = bucket
        self.prefix = prefix
        self.root = f"s3://{bucket}/{prefix}".rstrip("/")
        self._start = f"{prefix}/" if prefix else ""  # with which each key of the bucket starts

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root

    def list(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        options = {"StartAfter": self._start + after} if after else {}
        for page in self._pages(f"{prefix}/" if prefix else "", **options):
            yield from self._entries(page)

    def list_from(self, start: str) -> Iterator[Entry]:
        for page in self._pages(start):
            yield from self._entries(page)

    def list_level(self, start: str = "") -> tuple[Sequence[str], Sequence[Entry]]:
        folders: deque[str] = deque()
        entries: deque[Entry] = deque()
        for page in self._pages(start, Delimiter="/"):
            folders += [each["Prefix"].removeprefix(self._start) for each in page.get("CommonPrefixes", [])]
            entries += self._entries(page)
        return folders, entries

    def _pages(self, start: str, **options: str) -> Iterator[Any]:
        # Without RestoreStatus, restored objects of an archive look like archived ones.
        options["OptionalObjectAttributes"] = ["RestoreStatus"]  # type: ignore[assignment]
        with _translated_errors(self.uri(start.rstrip("/"))):
            paginator = shared_client().get_paginator("list_objects_v2")
            yield from paginator.paginate(Bucket=self.bucket, Prefix=self._start + start, **options)

    def _entries(self, page: Any) -> Iterator[Entry]:
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):
                key = item["Key"].removeprefix(self._start)
                etag, modified = item["ETag"].strip('"'), item["LastModified"].timestamp()
                yield Entry(key, self.uri(key), etag, item["Size"], modified, _is_archived(item))

    def read(self, key: str, limit: int | None = None, etag: str | None = None) -> bytes:
        with _translated_errors(self.uri(key)):
            for left in reversed(range(_DOWNLOAD_ATTEMPTS)):
                answer = shared_client().get_object(Bucket=self.bucket, Key=self._key(key))
                check_etag(etag, answer.get("ETag", "").strip('"'), self.uri(key))
                expected = answer["ContentLength"] if limit is None else min(limit, answer["ContentLength"])
                try:
                    with closing(answer["Body"]) as body:
                        data: bytes = body.read(limit)
                # boto3 retries a request without a response, but not a response interrupted in its body.
                except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError) as error:
                    if not left:
                        raise
                    _log.info("The download of %s was interrupted: %s. Retrying.", self.uri(key), error)
                else:
                    # boto3 does not report a short body when it reads with a limit.
                    if len(data) >= expected:
                        return data
                count_retries(1)
        raise StorageError(f"The download of {self.uri(key)} was interrupted. Try again.")

    def read_start(self, key: str, size: int) -> bytes:
        with _translated_errors(self.uri(key)):
            try:
                answer = shared_client().get_object(Bucket=self.bucket, Key=self._key(key), Range=f"bytes=0-{size - 1}")
            except ClientError as error:
                if error.response["Error"]["Code"] == "InvalidRange":  # the object is empty
                    return b""
                raise
            with closing(answer["Body"]) as body:
                start: bytes = body.read(size)
            return start

    def read_range(self, key: str, start: int, length: int) -> bytes:
        part = f"bytes={start}-{start + length - 1}"
        with _translated_errors(self.uri(key)):
            for left in reversed(range(_DOWNLOAD_ATTEMPTS)):
                answer = shared_client().get_object(Bucket=self.bucket, Key=self._key(key), Range=part)
                try:
                    with closing(answer["Body"]) as body:
                        return check_length(body.read(), length, self.uri(key))
                except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                    if not left:
                        raise
                    count_retries(1)
        raise StorageError(f"The download of {self.uri(key)} was interrupted. Try again.")

    def fetch(self, key: str, path: Path) -> None:
        with _translated_errors(self.uri(key)):
            shared_client().download_file(self.bucket, self._key(key), str(path))

    def write(self, key: str, data: bytes) -> None:
        with _translated_errors(self.uri(key)):
            shared_client().put_object(Bucket=self.bucket, Key=self._key(key), Body=data)

    def upload(self, path: Path, key: str) -> None:
        with _translated_errors(self.uri(key)), path.open("rb") as file:
            shared_client().upload_fileobj(file, self.bucket, self._key(key))

    def create(self, key: str, data: bytes) -> bool:
        with _translated_errors(self.uri(key)):
            try:
                shared_client().put_object(Bucket=self.bucket, Key=self._key(key), Body=data, IfNoneMatch="*")
            except ClientError as error:
                # S3 responds with 409 to two creations at the same moment.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                    return False
                raise
            return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        name = {"Bucket": self.bucket, "Key": self._key(key)}
        try:
            with _translated_errors(self.uri(key)):
                answer = shared_client().get_object(**name)
                with closing(answer["Body"]) as body:
                    if body.read() != old:
                        return False
                try:
                    shared_client().put_object(**name, Body=new, IfMatch=answer["ETag"])
                except ClientError as error:
                    if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                        return False
                    raise
        except ObjectMissingError:
            return False
        return True

    def exists(self, key: str) -> bool:
        try:
            with _translated_errors(self.uri(key)):
                shared_client().head_object(Bucket=self.bucket, Key=self._key(key))
        except ObjectMissingError:
            return False
        return True

    def delete(self, key: str) -> None:
        with _translated_errors(self.uri(key)):
            shared_client().delete_object(Bucket=self.bucket, Key=self._key(key))

    def sweep(self, age: float) -> int:
        swept = 0
        with _translated_errors(self.root):
            paginator = shared_client().get_paginator("list_multipart_uploads")
            pages = paginator.paginate(Bucket=self.bucket, Prefix=self._start)
            for upload in (upload for page in pages for upload in page.get("Uploads", [])):
                if time.time() - upload["Initiated"].timestamp() >= age:
                    shared_client().abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    swept += 1
        return swept

    def link(self, key: str, seconds: int) -> str:
        with _translated_errors(self.uri(key)):
            address: str = shared_client().generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": self._key(key)}, ExpiresIn=seconds
            )
        return address

    def _key(self, key: str) -> str:
        return "/".join(part for part in (self.prefix, key) if part)


def _is_archived(item: Any) -> bool:
    """Return whether an object of a listing must be restored before it can be read."""
    return item.get("StorageClass") in _ARCHIVES and "RestoreExpiryDate" not in item.get("RestoreStatus", {})


@cache
def _client() -> Any:
    config = Config(
        connect_timeout=5,
        # By default, boto3 gives up on SlowDown after 1.7 s. A nightly run on a busy bucket needs more.
        retries={"mode": "standard", "total_max_attempts": 8},
        max_pool_connections=32,
        # In the oldest regions the default is version 2, which newer buckets refuse in presigned addresses.
        signature_version="s3v4",
    )
    try:
        client = boto3.client("s3", config=config)
        client.meta.events.register("after-call.s3", _count_answer)
        if os.environ.get("AWS_REQUEST_PAYER") == "requester":
            client.meta.events.register("before-parameter-build.s3", _pay_requests)
        return client
    except ValueError as error:
        raise StorageError(
            f"S3 cannot be used: {error}. AWS_ENDPOINT_URL_S3 must begin with http:// or https://."
        ) from error


def _pay_requests(params: dict[str, Any], model: Any, **_: Any) -> None:
    """Agree to pay for the requests to a bucket whose owner demands it."""
    if "RequestPayer" in model.input_shape.members:
        params.setdefault("RequestPayer", "requester")


def _count_answer(parsed: dict[str, Any], **_: Any) -> None:
    count_retries(parsed["ResponseMetadata"].get("RetryAttempts", 0))


def shared_client() -> Any:
    """Return boto3's S3 client, which all threads of this process share.

    Raises:
        StorageError: the endpoint is not an address.
    """
    # boto3 cannot create clients in several threads at the same time.
    with _client_lock:
        return _client()


def reset_client() -> None:
    """Drop the shared client, so that the next request reads credentials and endpoint again."""
    _client.cache_clear()


@contextmanager
def _translated_errors(uri: str) -> Iterator[None]:
    """Translate boto3's errors into findimg's, with the address in the message."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("404", "NoSuchKey", "NotFound"):
            raise ObjectMissingError(f"{uri} does not exist. Check the address.") from error
        if code == "NoSuchBucket":
            raise StorageError(
                f"{uri} cannot be reached: there is no such bucket. Create it or check its name."
            ) from error
        if code == "InvalidObjectState":
            raise StorageError(f"{uri} is archived. Restore it in S3 first.") from error
        busy = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
        advice = "Try again later" if busy else "Check the name and your permissions"
        raise StorageError(f"{uri} cannot be reached: S3 answered {code or error}. {advice}.") from error
    except ParamValidationError as error:
        raise StorageError(f"{uri} is not a valid S3 address. Write s3://bucket/key.") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageError(
            f"{uri} cannot be reached: {error}. Check credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a "
            "profile or a role), region and endpoint."
        ) from error
    except OSError as error:
        raise StorageError(
            f"{uri} cannot be copied: {error}. Check the permissions and the free space on this machine."
        ) from error


def _open_root(rest: str) -> S3Storage:
    bucket, _, prefix = rest.partition("/")
    if not bucket:
        raise ValueError("no bucket")
    # A key may begin with a slash, so only the end is stripped: s3://bucket//dir is the folder "/dir".
    return S3Storage(bucket, prefix.rstrip("/"))


def _open_object(rest: str) -> tuple[S3Storage, str]:
    bucket, _, key = rest.partition("/")
    return S3Storage(bucket, ""), key


register_scheme("s3", _open_root, _open_object, "an s3:// prefix", "s3://bucket/prefix")
