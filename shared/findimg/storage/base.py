"""Folders and S3 prefixes behind one interface: listing, reading, atomic writing, creating exclusively.

Keys are relative to the root, with `/` between their parts. S3 credentials, region and endpoint come from
boto3's own chain (`AWS_ENDPOINT_URL_S3` points at a server that is not Amazon's).
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

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

from findimg.errors import ObjectMissingError, SettingsError, StorageError

_DRAFT = ".draft-"  # how the names of files begin that are not whole yet
_DRAFT_NAME = re.compile(r"\.draft-[0-9a-f]{16}")
# What `stat` says of a link that leads nowhere, and of what has gone since it was listed.
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_making = threading.Lock()
_counting = threading.Lock()
_retried = [0]
_BODIES = 5  # how often an object is asked for whose body breaks off


@dataclass(frozen=True, slots=True)
class Entry:
    """One object below a storage's root."""

    key: str
    uri: str
    version: str  # S3: the ETag; folder: "<size>-<mtime in ns>"
    size: int  # bytes
    modified: float  # seconds since the epoch, by the storage's clock


class Storage(Protocol):
    """A place that holds objects by key.

    All methods but `uri` raise StorageError when the place cannot be reached, read or written.
    """

    root: str

    def uri(self, key: str) -> str:
        """The object's full address: `s3://bucket/key` or an absolute path."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yields every object below the folder `prefix`, in no particular order; nothing when it does not exist."""

    def read(self, key: str, limit: int | None = None, version: str | None = None) -> bytes:
        """Returns the object's bytes, at most the first `limit` of them.

        Raises:
            ObjectMissingError: there is no such object.
            StorageError: it no longer is the `version` that a listing named.
        """

    def fetch(self, key: str, path: Path) -> None:
        """Copies the object to the local file `path`, whose folder exists.

        Raises:
            ObjectMissingError: there is no such object.
        """

    def write(self, key: str, data: bytes) -> None:
        """Writes or replaces an object in one step: a reader sees the old bytes or the new, never a part."""

    def upload(self, path: Path, key: str) -> None:
        """Like `write`, from a local file of any size."""

    def create(self, key: str, data: bytes) -> bool:
        """Writes an object only if none is there; False when there is one already."""

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Replaces an object only while it holds `old`; False when it holds something else or is gone.

        Of several that swap at the same moment one succeeds. A server that does not know S3's conditional writes
        cannot promise that.
        """

    def exists(self, key: str) -> bool:
        """Whether an object is there."""

    def delete(self, key: str) -> None:
        """Removes an object; silent when there is none."""

    def clear(self, prefix: str) -> None:
        """Removes the folder `prefix`, which is not empty text, with every object below it."""

    def sweep(self, age: float) -> int:
        """Removes what interrupted writers left that is no object, older than `age` seconds; returns how many."""


def open_storage(uri: str | os.PathLike[str]) -> Storage:
    """Opens the storage at `uri`: `s3://bucket/prefix` or a folder, which need not exist yet.

    Raises:
        SettingsError: `uri` is empty, names another scheme, or no bucket.
    """
    text = os.fspath(uri)
    scheme, separator, rest = text.partition("://")
    # "s3:/bucket", a slash short, would otherwise become a folder of that name.
    if text and not separator and not text.startswith("s3:"):
        return FolderStorage(text)
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise SettingsError(f"{text!r} is neither a folder nor an s3:// prefix; write a path or s3://bucket/prefix.")
    return S3Storage(bucket, prefix.strip("/"))


def read_uri(uri: str, limit: int | None = None, version: str | None = None) -> bytes:
    """Returns the bytes at a full address, at most the first `limit` of them.

    Args:
        uri: `s3://bucket/key` or a path, as `Entry.uri` names it: nothing in it is percent-encoded.
        version: refuse any other than this `Entry.version`.

    Raises:
        ObjectMissingError: nothing is there.
        SettingsError: `uri` has another scheme.
        StorageError: the place cannot be reached, or holds another version.
    """
    if uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return S3Storage(bucket, "").read(key, limit, version)
    folder, name = os.path.split(uri)
    return open_storage(folder or ".").read(name, limit, version)


def presigned(uri: str, seconds: int) -> str:
    """An https:// address at which an object in S3 can be read without credentials for a while.

    Args:
        uri: `s3://bucket/key`, as `Entry.uri` names it.

    Raises:
        StorageError: there are no credentials to sign with.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with _speaking_of(uri):
        address: str = _shared_client().generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=seconds
        )
    return address


class FolderStorage:
    """A folder of the local file system."""

    def __init__(self, root: str):
        self.root = os.path.abspath(os.path.expanduser(root))

    def path(self, key: str) -> Path:
        """The object's path."""
        return Path(self.root, key)

    def uri(self, key: str) -> str:
        return os.path.join(self.root, key)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        # Links come last, so that what is reached both ways keeps the address without the link.
        folders, links = deque([str(self.path(prefix))]), deque[str]()
        seen: set[tuple[int, int]] = set()
        while folders or links:
            folder = (folders or links).popleft()
            status = _status(folder)
            # A link back to a folder already listed would go round for ever.
            if status is None or (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with self._speaking_of(folder, "listed"), os.scandir(folder) as scan:
                found = sorted(scan, key=lambda each: each.name)
            for each in found:
                status = _status(each.path)
                if status is None or each.name.startswith(_DRAFT):
                    continue
                if stat.S_ISDIR(status.st_mode):
                    (links if each.is_symlink() else folders).append(each.path)
                elif stat.S_ISREG(status.st_mode):  # reading a pipe or a device might never end
                    key = os.path.relpath(each.path, self.root)
                    yield Entry(key, each.path, _version(status), status.st_size, status.st_mtime)

    def read(self, key: str, limit: int | None = None, version: str | None = None) -> bytes:
        with self._speaking_of(self.uri(key), "read"), self.path(key).open("rb") as file:
            data = file.read(-1 if limit is None else limit)
            _expect(version, _version(os.fstat(file.fileno())), self.uri(key))
            return data

    def fetch(self, key: str, path: Path) -> None:
        with self._speaking_of(self.uri(key), "copied"):
            shutil.copyfile(self.path(key), path)

    def write(self, key: str, data: bytes) -> None:
        with self._draft(key) as draft:
            draft.write_bytes(data)
            _put(draft, self.path(key))

    def upload(self, path: Path, key: str) -> None:
        with self._draft(key) as draft:
            shutil.copyfile(path, draft)
            _put(draft, self.path(key))

    def create(self, key: str, data: bytes) -> bool:
        with self._draft(key) as draft:
            draft.write_bytes(data)
            try:
                # A hard link fails when the name is taken, and what it names is whole from the first moment.
                self.path(key).hardlink_to(draft)
            except FileExistsError:
                return False
            return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        guard = self.path(f"{_DRAFT}guard")
        with self._speaking_of(self.uri(key), "written"):
            guard.parent.mkdir(parents=True, exist_ok=True)
            with guard.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                try:
                    if self.path(key).read_bytes() != old:
                        return False
                except FileNotFoundError:
                    return False
                self.write(key, new)
        return True

    def exists(self, key: str) -> bool:
        with self._speaking_of(self.uri(key), "looked at"):
            return self.path(key).is_file()

    def delete(self, key: str) -> None:
        with self._speaking_of(self.uri(key), "deleted"):
            self.path(key).unlink(missing_ok=True)

    def clear(self, prefix: str) -> None:
        with self._speaking_of(self.uri(prefix), "deleted"):
            if self.path(prefix).is_dir():
                shutil.rmtree(self.path(prefix))

    def sweep(self, age: float) -> int:
        swept = 0
        with self._speaking_of(self.root, "swept"):
            for folder, _, names in os.walk(self.root):
                for path in (Path(folder, name) for name in names if _DRAFT_NAME.fullmatch(name)):
                    if time.time() - path.lstat().st_mtime >= age:
                        path.unlink()
                        swept += 1
        return swept

    @contextmanager
    def _draft(self, key: str) -> Iterator[Path]:
        """Names a file of its own beside the object, on the same file system, gone at the end."""
        target = self.path(key)
        with self._speaking_of(self.uri(key), "written"):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f"{_DRAFT}{secrets.token_hex(8)}")
            try:
                yield draft
            finally:
                draft.unlink(missing_ok=True)

    @contextmanager
    def _speaking_of(self, path: str, done: str) -> Iterator[None]:
        """Turns the file system's errors into ours, each with the path it is about."""
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectMissingError(f"{error.filename} does not exist; check the path.") from error
        except OSError as error:
            problem = error.strerror or error
            raise StorageError(
                f"{path} cannot be {done}: {problem}. Check the path, the rights and the space."
            ) from error


def _expect(version: str | None, found: str, uri: str) -> None:
    if version not in (None, found):
        raise StorageError(f"{uri} has changed since it was listed; run again.")


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _put(draft: Path, path: Path) -> None:
    """Gives a draft its name; bytes and name are on the disk when this returns, whatever happens to the power."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.EINVAL):  # there are file systems that cannot do this for folders
            raise
    finally:
        os.close(folder)


def _status(path: str) -> os.stat_result | None:
    """What a path leads to; None when it leads nowhere."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in _NOWHERE:
            return None
        raise StorageError(
            f"{path} cannot be looked at: {error.strerror}. Give this user the right to read it."
        ) from error


@cache
def _client() -> Any:
    config = Config(
        connect_timeout=5,
        # boto3 gives up on SlowDown after 1.7 s by default; a nightly run over a busy bucket meets it.
        retries={"mode": "standard", "total_max_attempts": 8},
        max_pool_connections=32,
        # Presigned addresses would else carry version 2 in the oldest regions, which newer buckets refuse.
        signature_version="s3v4",
    )
    try:
        client = boto3.client("s3", config=config)
        client.meta.events.register("after-call.s3", _count_answer)
        return client
    except ValueError as error:
        raise StorageError(
            f"S3 cannot be used: {error}. AWS_ENDPOINT_URL_S3 must begin with http:// or https://."
        ) from error


def retries() -> int:
    """How often this process has asked S3 again for what it did not give at once."""
    with _counting:
        return _retried[0]


def _count_retries(count: int) -> None:
    with _counting:
        _retried[0] += count


def _count_answer(parsed: dict[str, Any], **_: Any) -> None:
    _count_retries(parsed["ResponseMetadata"].get("RetryAttempts", 0))


def _shared_client() -> Any:
    # boto3 cannot make clients in several threads at once; one that is made may be used by all.
    with _making:
        return _client()


@contextmanager
def _speaking_of(uri: str) -> Iterator[None]:
    """Turns boto3's errors into ours, each with the address it is about."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("404", "NoSuchKey", "NotFound"):
            raise ObjectMissingError(f"{uri} does not exist; check the address.") from error
        if code == "NoSuchBucket":
            raise StorageError(
                f"{uri} cannot be reached: there is no such bucket; create it or check its name."
            ) from error
        busy = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500
        advice = "Try again later" if busy else "Check the name and your rights"
        raise StorageError(f"{uri} cannot be reached: S3 answered {code or error}. {advice}.") from error
    except ParamValidationError as error:
        raise StorageError(f"{uri} is no address of an object in S3; write s3://bucket/key.") from error
    except (BotoCoreError, Boto3Error) as error:
        raise StorageError(
            f"{uri} cannot be reached: {error}. Check credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a "
            "profile or a role), region and endpoint."
        ) from error
    except OSError as error:
        raise StorageError(f"{uri} cannot be copied: {error}. Check rights and space on this machine.") from error


class S3Storage:
    """A prefix of an S3 bucket."""

    def __init__(self, bucket: str, prefix: str):
        self.bucket = bucket
        self.prefix = prefix
        self.root = f"s3://{bucket}/{prefix}".rstrip("/")

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root

    def list(self, prefix: str = "") -> Iterator[Entry]:
        for page in self._pages(prefix):
            yield from self._entries(page)

    def branch(self, prefix: str = "") -> tuple[Sequence[str], Sequence[Entry]]:
        """The folders right below the folder `prefix`, each as a prefix, and the objects that lie there themselves."""
        folders: deque[str] = deque()
        entries: deque[Entry] = deque()
        for page in self._pages(prefix, Delimiter="/"):
            folders += [each["Prefix"][self._start() : -1] for each in page.get("CommonPrefixes", [])]
            entries += self._entries(page)
        return folders, entries

    def _pages(self, prefix: str, **how: str) -> Iterator[Any]:
        below = self._key(prefix)
        pages = {"Bucket": self.bucket, "Prefix": below + "/" if below else "", **how}
        with _speaking_of(self.uri(prefix)):
            yield from _shared_client().get_paginator("list_objects_v2").paginate(**pages)

    def _entries(self, page: Any) -> Iterator[Entry]:
        for item in page.get("Contents", []):
            if not item["Key"].endswith("/"):
                key = item["Key"][self._start() :]
                yield Entry(key, self.uri(key), item["ETag"].strip('"'), item["Size"], item["LastModified"].timestamp())

    def _start(self) -> int:
        """Where a key of this storage begins in the bucket's."""
        return len(self.prefix) + 1 if self.prefix else 0

    def read(self, key: str, limit: int | None = None, version: str | None = None) -> bytes:
        with _speaking_of(self.uri(key)):
            for left in reversed(range(_BODIES)):
                answer = _shared_client().get_object(Bucket=self.bucket, Key=self._key(key))
                _expect(version, answer.get("ETag", "").strip('"'), self.uri(key))
                expected = answer["ContentLength"] if limit is None else min(limit, answer["ContentLength"])
                try:
                    with closing(answer["Body"]) as body:
                        data: bytes = body.read(limit)
                # boto3 asks again for an answer that does not come, but not for one that breaks off in its body.
                except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                    if not left:
                        raise
                else:
                    # With a limit a short body is no error to boto3.
                    if len(data) >= expected:
                        return data
                _count_retries(1)
        raise StorageError(f"{self.uri(key)} broke off after {len(data)} of {expected} bytes; try again.")

    def fetch(self, key: str, path: Path) -> None:
        with _speaking_of(self.uri(key)):
            _shared_client().download_file(self.bucket, self._key(key), str(path))

    def write(self, key: str, data: bytes) -> None:
        with _speaking_of(self.uri(key)):
            _shared_client().put_object(Bucket=self.bucket, Key=self._key(key), Body=data)

    def upload(self, path: Path, key: str) -> None:
        with _speaking_of(self.uri(key)), path.open("rb") as file:
            _shared_client().upload_fileobj(file, self.bucket, self._key(key))

    def create(self, key: str, data: bytes) -> bool:
        with _speaking_of(self.uri(key)):
            try:
                _shared_client().put_object(Bucket=self.bucket, Key=self._key(key), Body=data, IfNoneMatch="*")
            except ClientError as error:
                # 409 is S3's answer to two creations at the same moment.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                    return False
                raise
            return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        name = {"Bucket": self.bucket, "Key": self._key(key)}
        try:
            with _speaking_of(self.uri(key)):
                answer = _shared_client().get_object(**name)
                with closing(answer["Body"]) as body:
                    if body.read() != old:
                        return False
                try:
                    _shared_client().put_object(**name, Body=new, IfMatch=answer["ETag"])
                except ClientError as error:
                    if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                        return False
                    raise
        except ObjectMissingError:
            return False
        return True

    def exists(self, key: str) -> bool:
        try:
            with _speaking_of(self.uri(key)):
                _shared_client().head_object(Bucket=self.bucket, Key=self._key(key))
        except ObjectMissingError:
            return False
        return True

    def delete(self, key: str) -> None:
        with _speaking_of(self.uri(key)):
            _shared_client().delete_object(Bucket=self.bucket, Key=self._key(key))

    def clear(self, prefix: str) -> None:
        for entry in list(self.list(prefix)):
            self.delete(entry.key)

    def sweep(self, age: float) -> int:
        below = self._key("") + "/" if self.prefix else ""
        swept = 0
        with _speaking_of(self.root):
            pages = _shared_client().get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=below)
            for upload in (upload for page in pages for upload in page.get("Uploads", [])):
                if time.time() - upload["Initiated"].timestamp() >= age:
                    _shared_client().abort_multipart_upload(
                        Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    swept += 1
        return swept

    def _key(self, key: str) -> str:
        return "/".join(part for part in (self.prefix, key) if part)
