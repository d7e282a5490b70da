"""A storage in the memory of this process, as one module adds it."""

import hashlib
import threading
from collections.abc import Iterator

from findimg.errors import ObjectMissingError
from findimg.storage.base import Entry, Storage, check_etag, register_scheme

_objects: dict[str, bytes] = {}
_lock = threading.Lock()


class MemoryStorage(Storage):
    def __init__(self, root: str):
        self.root = f"memory://{root}"

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}" if key else self.root

    def list(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        with _lock:
            found = dict(_objects)
        folder = self.uri(prefix) + "/"
        for uri, data in found.items():
            key = uri.removeprefix(f"{self.root}/")
            if uri.startswith(folder) and key > after:
                yield Entry(key, uri, _etag(data), len(data), 0.0)

    def read(self, key: str, limit: int | None = None, etag: str | None = None) -> bytes:
        with _lock:
            data = _objects.get(self.uri(key))
        if data is None:
            raise ObjectMissingError(f"{self.uri(key)} does not exist. Check the address.")
        check_etag(etag, _etag(data), self.uri(key))
        return data[:limit]

    def write(self, key: str, data: bytes) -> None:
        with _lock:
            _objects[self.uri(key)] = data

    def create(self, key: str, data: bytes) -> bool:
        with _lock:
            if self.uri(key) in _objects:
                return False
            _objects[self.uri(key)] = data
        return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        with _lock:
            if _objects.get(self.uri(key)) != old:
                return False
            _objects[self.uri(key)] = new
        return True

    def delete(self, key: str) -> None:
        with _lock:
            _objects.pop(self.uri(key), None)


def empty() -> None:
    """Forget all objects."""
    with _lock:
        _objects.clear()


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _open_object(rest: str) -> tuple[MemoryStorage, str]:
    root, _, key = rest.partition("/")
    return MemoryStorage(root), key


register_scheme("memory", MemoryStorage, _open_object)
