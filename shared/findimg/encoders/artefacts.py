"""The model store: weights and word vectors by name, from the local cache, a pip package or an official download.

The store knows no model by name. Each module that needs a file registers an `Artefact` for it.
"""

import hashlib
import importlib.util
import logging
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Literal, TypeAlias

from findimg.discovery import import_modules
from findimg.errors import ModelError
from findimg.storage.base import open_storage

_log = logging.getLogger(__name__)
_TIMEOUT = 30  # seconds without a byte
_REGISTERING_PACKAGES = ("findimg.encoders", "findimg.text")

# Takes an artefact's name and its size in bytes when a download begins. Returns a context for the time of the download,
# whose value is called with the number of bytes received so far.
DownloadProgress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def _no_progress(_: str, __: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


@dataclass(frozen=True, slots=True)
class Download:
    """A file on an official server."""

    url: str
    size: int  # bytes
    digest: str  # "<algorithm>:<hex>", as published


@dataclass(frozen=True, slots=True)
class Embedded:
    """A file in an installed pip package."""

    package: str  # the name that pip knows
    module: str
    path: str  # below the module's folder


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of artefact.

    Attributes:
        name: also the folder in the cache.
        prepare: takes an artefact's name, a file and an empty temporary folder. Checks the file, and returns what the
            cache keeps: the file itself, or what it was converted to inside the folder. Raises ModelError if the file
            is not what it should be.
        own_names: regular expression of further names that an operator may give to files of this kind.
        own_names_example: the same for people, for example "glove.…".
    """

    name: str
    prepare: Callable[[str, Path, Path], Path]
    own_names: str = ""
    own_names_example: str = ""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that findimg knows by name."""

    name: str
    kind: Kind
    origin: Download | Embedded


@dataclass(frozen=True, slots=True)
class Status:
    """One line of `models list`."""

    name: str
    kind: str
    state: Literal["cached", "embedded", "absent"]
    path: Path | None  # None when absent
    size: int | None  # bytes on disk, or of the download when absent; None when unknown


_registered: dict[str, Artefact] = {}


def register_artefact(artefact: Artefact) -> Artefact:
    """Register an artefact under its name."""
    _registered[artefact.name] = artefact
    return artefact


def known_artefacts() -> tuple[Artefact, ...]:
    """Return all registered artefacts, by kind and name."""
    _import_packages()
    return tuple(sorted(_registered.values(), key=lambda each: (each.kind.name != "weights", _natural(each.name))))


def weights_of(check: Callable[[Path], object]) -> Kind:
    """Return the kind of an encoder's weights file.

    Args:
        check: raises ModelError if a file is not the encoder's weights.
    """

    def prepare(_: str, file: Path, __: Path) -> Path:
        check(file)
        return file

    return Kind("weights", prepare)


class ModelStore:
    """The local cache of models.

    Its folders are `weights/<name>`, `words/<name>/`, `named/` for copies of S3 objects, and `made/` for converted
    models.
    """

    def __init__(
        self, folder: Path, artefacts: Sequence[Artefact] | None = None, progress: DownloadProgress = _no_progress
    ):
        """Name the cache; nothing is read yet.

        Args:
            folder: the cache. It need not exist.
            artefacts: what the store knows. None stands for everything that is registered.
            progress: shows the progress of a download.
        """
        self.folder = folder
        self._progress = progress
        known = known_artefacts() if artefacts is None else artefacts
        self._artefacts = {artefact.name: artefact for artefact in known}
        self._own_names = {artefact.kind.own_names: artefact.kind for artefact in known if artefact.kind.own_names}

    def list(self) -> list[Status]:
        """Return the status of everything known by name, and of files that were pulled under a name of their own."""
        names = list(self._artefacts)
        for pattern, kind in self._own_names.items():
            found = sorted(path.name for path in self.folder.glob(f"{kind.name}/*"))
            names += [name for name in found if name not in self._artefacts and re.fullmatch(pattern, name)]
        return [self._status(name) for name in names]

    def path(self, name: str) -> Path:
        """Return where weights (a file) or word vectors (a folder) are on this machine.

        Raises:
            ModelError: they are not on this machine.
        """
        found = self._status(name).path
        if found is None:
            raise ModelError(f"{name} is not on this machine; {_remedies(name)}.")
        return found

    def pull(self, name: str, source: str | None = None) -> Path:
        """Bring weights or word vectors into the cache.

        Args:
            name: a known name. With a source also a name of one's own, such as `glove.team`.
            source: a file or s3:// URI, which replaces what is in the cache. Weights have the encoder's format. Word
                vectors are GloVe's text, a zip with that text, or a .npy with its vocabulary beside it as .txt. None
                downloads the official file unless it is on this machine.

        Returns:
            The file or folder.

        Raises:
            ModelError: the source or the download is missing, damaged, or a file of another kind.
            StorageError: the source's storage cannot be reached.
        """
        status = self._status(name, from_file=source is not None)
        if source is None and status.path is not None:
            return status.path
        target = self.folder / status.kind / name
        with self._draft() as draft:
            file = _fetch(source, draft) if source else _download(self._artefacts[name], draft, self._progress)
            work = draft / "work"
            work.mkdir()
            prepared = self._kind(name).prepare(name, file, work)
            if draft not in prepared.parents:  # the operator's own file stays where it is
                prepared = Path(shutil.copyfile(prepared, draft / "copy"))
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(prepared, target)
        return target

    def weights(self, name: str, named: str | None = None) -> Path:
        """Return an encoder's weights file: the named file, else the cached or embedded one, else a download.

        Args:
            name: the encoder.
            named: a file or s3:// URI. An S3 object is fetched once and then kept, so new weights need a new key.

        Raises:
            ModelError: the weights cannot be found or downloaded.
            StorageError: the storage of the named file cannot be reached.
        """
        if named is None:
            return self.pull(name)
        if "://" not in named:
            return _existing(named)
        kept = self.folder / "named" / hashlib.sha256(named.encode()).hexdigest()[:16] / Path(named).name
        if not kept.exists():
            with self._draft() as draft:
                file = _fetch(named, draft)
                kept.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, kept)
        return kept

    def get_or_make(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return the converted model `name` from the cache. If it is not there, make it, and keep it if possible."""
        kept = self.folder / "made" / name
        with suppress(OSError):
            return kept.read_bytes()
        data = make()
        with suppress(ModelError), self._draft() as draft:
            (draft / name).write_bytes(data)
            kept.parent.mkdir(parents=True, exist_ok=True)
            os.replace(draft / name, kept)
        return data

    def words(self, name: str) -> Path | None:
        """Return the folder for `open_words`, downloaded if needed. None means the embedded word vectors.

        Raises:
            ModelError: the word vectors cannot be found or downloaded.
        """
        path = self.pull(name)
        return None if self._status(name).state == "embedded" else path

    def _kind(self, name: str) -> Kind:
        if artefact := self._artefacts.get(name):
            return artefact.kind
        for pattern, kind in self._own_names.items():
            if re.fullmatch(pattern, name):
                return kind
        known = ", ".join(self._artefacts)
        own = "".join(f", and any {kind.own_names_example} pulled --from a file" for kind in self._own_names.values())
        raise ModelError(f"There is no model {name!r}; known are {known}{own}.")

    def _status(self, name: str, from_file: bool = False) -> Status:
        kind = self._kind(name).name
        artefact = self._artefacts.get(name)
        cached = self.folder / kind / name
        if cached.exists():
            return Status(name, kind, "cached", cached, _size(cached))
        if artefact is None:
            if not from_file:
                raise ModelError(
                    f"{name} is not on this machine and has no official download; "
                    f"run `findimg-jobs models pull {name} --from FILE`."
                )
            return Status(name, kind, "absent", None, None)
        if isinstance(artefact.origin, Embedded):
            embedded = _embedded(artefact.origin)
            if embedded is None:
                return Status(name, kind, "absent", None, None)
            return Status(name, kind, "embedded", embedded, _size(embedded))
        return Status(name, kind, "absent", None, artefact.origin.size)

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """Yield a temporary folder inside the cache, deleted at the end."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".draft-", dir=self.folder) as draft:
                yield Path(draft)
        except OSError as error:
            raise ModelError(
                f"The model cache {self.folder} cannot be written: {error.strerror or error}. "
                "Check the permissions and the free space, or name another folder (FINDIMG_CACHE)."
            ) from error


@cache
def _import_packages() -> None:
    for package in _REGISTERING_PACKAGES:
        import_modules(package)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts 50d before 100d."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _remedies(name: str) -> str:
    return f"go online and run `findimg-jobs models pull {name}`, or `findimg-jobs models pull {name} --from FILE`"


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def _embedded(origin: Embedded) -> Path | None:
    spec = importlib.util.find_spec(origin.module)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / origin.path
    return path if path.exists() else None


def _existing(source: str) -> Path:
    path = Path(source).expanduser()
    if not path.is_file():
        raise ModelError(f"There is no file {source!r}; name an existing file or an s3:// URI.")
    return path


def _fetch(source: str, draft: Path) -> Path:
    if "://" not in source:
        return _existing(source)
    parent, _, name = source.rpartition("/")
    storage = open_storage(parent)
    storage.fetch(name, draft / name)
    if name.endswith(".npy"):
        vocabulary = Path(name).with_suffix(".txt").name
        storage.fetch(vocabulary, draft / vocabulary)
    return draft / name


def _download(artefact: Artefact, draft: Path, progress: DownloadProgress) -> Path:
    origin = artefact.origin
    if isinstance(origin, Embedded):
        raise ModelError(
            f"{artefact.name} comes with the package {origin.package}, which is missing; install it with pip, "
            f"or run `findimg-jobs models pull {artefact.name} --from FILE`."
        )
    _log.info("Downloading %s (%d MB) from %s.", artefact.name, origin.size // 1_000_000, origin.url)
    path = draft / Path(origin.url).name
    algorithm, _, expected = origin.digest.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    received = 0
    try:
        request = urllib.request.Request(origin.url, headers={"User-Agent": "findimg"})
        with (
            urllib.request.urlopen(request, timeout=_TIMEOUT) as response,
            path.open("wb") as file,
            progress(artefact.name, origin.size) as show,
        ):
            while received <= origin.size and (block := response.read(1 << 20)):
                file.write(block)
                digest.update(block)
                received += len(block)
                show(received)
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        status = f"HTTP status {error.code} " if isinstance(error, urllib.error.HTTPError) else ""
        raise ModelError(
            f"{artefact.name} is not on this machine and cannot be downloaded from {origin.url} ({status}{reason}); "
            f"{_remedies(artefact.name)}."
        ) from error
    if received != origin.size:
        fault = f"{'more' if received > origin.size else 'less'} than its {origin.size} bytes"
    elif digest.hexdigest() != expected:
        fault = f"a file with the {algorithm} {digest.hexdigest()} instead of {expected}"
    else:
        return path
    raise ModelError(f"{artefact.name}: {origin.url} gave {fault}, so nothing is kept; {_remedies(artefact.name)}.")
