"""Folders and S3 prefixes behind one interface: listing, reading, atomic writing, creating exclusively.

Keys are relative to the root, with `/` between their parts. S3 credentials, region and endpoint come from
boto3's own chain (`AWS_ENDPOINT_URL_S3` points at a server that is not Amazon's).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import ObjectMissingError, SettingsError, StorageError


@dataclass(frozen=True, slots=True)
class Entry:
    """One object below a storage's root."""

    key: str
    uri: str
    version: str  # S3: the ETag; folder: "<size>-<mtime in ns>"
    size: int  # bytes


class Storage(Protocol):
    """A place that holds objects by key. All methods raise StorageError when the place cannot be reached."""

    root: str

    def uri(self, key: str) -> str:
        """The object's full address: `s3://bucket/key` or an absolute path."""

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yields every object below the folder `prefix`; nothing when it does not exist."""

    def read(self, key: str, limit: int | None = None) -> bytes:
        """Returns the object's bytes, at most `limit` of them.

        Raises:
            ObjectMissingError: there is no such object.
        """

    def fetch(self, key: str, path: Path) -> None:
        """Writes the object to the local file `path`."""

    def write(self, key: str, data: bytes) -> None:
        """Writes or replaces an object in one step: a reader sees the old bytes or the new, never a part."""

    def upload(self, path: Path, key: str) -> None:
        """Like `write`, from a local file of any size."""

    def create(self, key: str, data: bytes) -> bool:
        """Writes an object only if none is there; False when there is one already."""

    def exists(self, key: str) -> bool:
        """Whether an object is there."""

    def delete(self, key: str) -> None:
        """Removes an object; silent when there is none."""


def open_storage(uri: str | os.PathLike[str]) -> Storage:
    """Opens the storage at `uri`: `s3://bucket/prefix` or a folder, which need not exist yet.

    Raises:
        SettingsError: `uri` names another scheme, or no bucket.
    """
    text = os.fspath(uri)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return FolderStorage(text)
    if scheme != "s3":
        raise SettingsError(f"{text!r} is neither a folder nor an s3://bucket/prefix. Received scheme: {scheme!r}.")
    bucket, _, prefix = rest.partition("/")
    if not bucket:
        raise SettingsError(f"{text!r} names no bucket; write s3://bucket/prefix.")
    return S3Storage(bucket, prefix.strip("/"))


def read_uri(uri: str, limit: int | None = None) -> bytes:
    """Returns the bytes at a full address: `s3://bucket/key` or a path.

    Raises:
        ObjectMissingError: nothing is there.
        StorageError: the place cannot be reached.
    """
    folder, _, name = uri.rpartition("/")
    if uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return S3Storage(bucket, "").read(key, limit)
    return FolderStorage(folder or ("/" if uri.startswith("/") else ".")).read(name, limit)


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
        top = os.path.join(self.root, prefix) if prefix else self.root
        if not os.path.isdir(top):
            return
        seen: set[tuple[int, int]] = set()

        def complain(error: OSError) -> None:
            raise StorageError(f"{error.filename} cannot be listed: {error.strerror}. Give this user the right to read it.")

        for folder, names, files in os.walk(top, onerror=complain, followlinks=True):
            status = os.stat(folder)
            # A link back to a folder already walked would make os.walk go round for ever.
            if (status.st_dev, status.st_ino) in seen:
                names.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            names.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), name))
            for name in sorted(files):
                path = os.path.join(folder, name)
                try:
                    status = os.stat(path)
                except OSError:
                    continue  # a dangling link, or gone since it was listed
                key = os.path.relpath(path, self.root)
                yield Entry(key, path, f"{status.st_size}-{status.st_mtime_ns}", status.st_size)

    def read(self, key: str, limit: int | None = None) -> bytes:
        try:
            with self.path(key).open("rb") as file:
                return file.read(-1 if limit is None else limit)
        except FileNotFoundError as error:
            raise ObjectMissingError(f"{self.uri(key)} does not exist.") from error
        except OSError as error:
            raise StorageError(f"{self.uri(key)} cannot be read: {error.strerror}.") from error

    def fetch(self, key: str, path: Path) -> None:
        try:
            shutil.copyfile(self.path(key), path)
        except FileNotFoundError as error:
            raise ObjectMissingError(f"{self.uri(key)} does not exist.") from error
        except OSError as error:
            raise StorageError(f"{self.uri(key)} cannot be copied to {path}: {error.strerror}.") from error

    def write(self, key: str, data: bytes) -> None:
        with self._draft(key) as draft:
            draft.write_bytes(data)
            os.replace(draft, self.path(key))

    def upload(self, path: Path, key: str) -> None:
        with self._draft(key) as draft:
            shutil.copyfile(path, draft)
            os.replace(draft, self.path(key))

    def create(self, key: str, data: bytes) -> bool:
        with self._draft(key) as draft:
            draft.write_bytes(data)
            try:
                # A hard link fails when the name is taken, and what it names is whole from the first moment.
                os.link(draft, self.path(key))
            except FileExistsError:
                return False
            return True

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def delete(self, key: str) -> None:
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{self.uri(key)} cannot be deleted: {error.strerror}.") from error

    @contextmanager
    def _draft(self, key: str) -> Iterator[Path]:
        """A file of its own beside the object, on the same file system, gone at the end."""
        target = self.path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".draft-", dir=target.parent)
            os.close(handle)
        except OSError as error:
            raise StorageError(f"{self.uri(key)} cannot be written: {error.strerror}. Check rights and space.") from error
        draft = Path(name)
        try:
            draft.chmod(0o644)
            yield draft
        except OSError as error:
            raise StorageError(f"{self.uri(key)} cannot be written: {error.strerror}. Check rights and space.") from error
        finally:
            draft.unlink(missing_ok=True)


@cache
def _client() -> Any:
    # boto3 gives up on SlowDown after 1.7 s by default; a nightly run over a busy bucket meets it.
    config = Config(retries={"mode": "standard", "total_max_attempts": 8}, max_pool_connections=32)
    return boto3.client("s3", config=config)


@contextmanager
def _speaking_of(uri: str) -> Iterator[None]:
    """Turns boto3's errors into ours, each with the address it is about."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("404", "NoSuchKey", "NotFound"):
            raise ObjectMissingError(f"{uri} does not exist.") from error
        if code == "NoSuchBucket":
            raise StorageError(f"{uri} cannot be reached: there is no such bucket.") from error
        raise StorageError(f"{uri} cannot be reached: S3 answered {code or error}. Check the name and your rights.") from error
    except (BotoCoreError, OSError) as error:
        raise StorageError(f"{uri} cannot be reached: {error}. Check credentials, region and endpoint.") from error


class S3Storage:
    """A prefix of an S3 bucket."""

    def __init__(self, bucket: str, prefix: str):
        self.bucket = bucket
        self.prefix = prefix
        self.root = f"s3://{bucket}/{prefix}".rstrip("/")

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root

    def list(self, prefix: str = "") -> Iterator[Entry]:
        below = self._key(prefix)
        below = below + "/" if below else ""
        start = len(self.prefix) + 1 if self.prefix else 0
        with _speaking_of(self.uri(prefix)):
            for page in _client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=below):
                for item in page.get("Contents", []):
                    if not item["Key"].endswith("/"):
                        key = item["Key"][start:]
                        yield Entry(key, self.uri(key), item["ETag"].strip('"'), item["Size"])

    def read(self, key: str, limit: int | None = None) -> bytes:
        with _speaking_of(self.uri(key)):
            body = _client().get_object(Bucket=self.bucket, Key=self._key(key))["Body"]
            with body:
                data: bytes = body.read(limit)
                return data

    def fetch(self, key: str, path: Path) -> None:
        with _speaking_of(self.uri(key)):
            _client().download_file(self.bucket, self._key(key), str(path))

    def write(self, key: str, data: bytes) -> None:
        with _speaking_of(self.uri(key)):
            _client().put_object(Bucket=self.bucket, Key=self._key(key), Body=data)

    def upload(self, path: Path, key: str) -> None:
        with _speaking_of(self.uri(key)):
            _client().upload_file(str(path), self.bucket, self._key(key))

    def create(self, key: str, data: bytes) -> bool:
        with _speaking_of(self.uri(key)):
            try:
                _client().put_object(Bucket=self.bucket, Key=self._key(key), Body=data, IfNoneMatch="*")
            except ClientError as error:
                # 409 is S3's answer to two creations at the same moment.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, 412):
                    return False
                raise
            return True

    def exists(self, key: str) -> bool:
        try:
            with _speaking_of(self.uri(key)):
                _client().head_object(Bucket=self.bucket, Key=self._key(key))
        except ObjectMissingError:
            return False
        return True

    def delete(self, key: str) -> None:
        with _speaking_of(self.uri(key)):
            _client().delete_object(Bucket=self.bucket, Key=self._key(key))

    def _key(self, key: str) -> str:
        return "/".join(part for part in (self.prefix, key) if part)
