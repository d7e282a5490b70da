"""The model store: weights and word vectors by name, from the local cache, a pip package or an official download."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from findimg.errors import ModelError
from findimg.models.artefacts import Artefact, ArtefactKind, Embedded, FolderDownload, known_artefacts
from findimg.models.download import DownloadProgress, download, download_folder, no_progress, remedies
from findimg.storage.base import is_path, open_storage


@dataclass(frozen=True, slots=True)
class Status:
    """One line of `models list`."""

    name: str
    kind: str
    state: Literal["cached", "embedded", "absent"]
    path: Path | None  # None when absent
    size: int | None  # bytes on disk, or of the download when absent; None when unknown
    note: str = ""  # for people who choose a model


class ModelStore:
    """The local cache of models.

    Its folders are `weights/<name>`, `words/<name>/`, `named/` for copies from S3, `made/` for converted models, and
    `partial/` for downloads of folders that were interrupted.
    """

    def __init__(
        self, folder: Path, artefacts: Sequence[Artefact] | None = None, progress: DownloadProgress = no_progress
    ):
        """Name the cache. Nothing is read yet.

        Args:
            folder: the cache. It need not exist.
            artefacts: what the store knows. None means all registered ones.
            progress: shows the progress of a download.
        """
        self.folder = folder
        self._progress = progress
        known = known_artefacts() if artefacts is None else artefacts
        self._artefacts = {artefact.name: artefact for artefact in known}
        self._own_names = {artefact.kind.own_names: artefact.kind for artefact in known if artefact.kind.own_names}

    def list(self) -> list[Status]:
        """Return the status of everything known by name, and of files that were pulled under a custom name."""
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
            raise ModelError(f"{name} is not on this machine. {remedies(name)}.")
        return found

    def pull(self, name: str, source: str | None = None) -> Path:
        """Bring weights or word vectors into the cache.

        Args:
            name: a known name. With a source, also a custom name, such as `glove.team`.
            source: a file, folder or s3:// URI, which replaces what is in the cache. Weights have the encoder's format,
                those of an image–text model are a folder. Word vectors are GloVe's text, a zip with that text, or a
                .npy with its vocabulary beside it as .txt. None downloads the official file unless it is on this
                machine.

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
            kind = self._kind(name)
            file = _fetch(source, kind, draft) if source else self._download(self._artefacts[name], draft)
            work = draft / "work"
            work.mkdir()
            prepared = kind.prepare(name, file, work)
            if draft not in prepared.parents:  # the operator's own files stay where they are
                prepared = _copy(prepared, kind, draft / "copy")
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(prepared, target)
        return target

    def weights(self, name: str, named: str | None = None, kind: ArtefactKind | None = None) -> Path:
        """Return an encoder's weights, a file or folder: the named ones, else the cached or embedded, else a download.

        Args:
            name: the encoder.
            named: a file, folder or s3:// URI. Weights in S3 are fetched once and then kept, so new weights need a new
                key.
            kind: of weights that are not a single file.

        Raises:
            ModelError: the weights cannot be found or downloaded.
            StorageError: the storage of the named file cannot be reached.
        """
        if named is None:
            return self.pull(name)
        if is_path(named):
            return _existing(named, kind)
        kept = self.folder / "named" / hashlib.sha256(named.encode()).hexdigest()[:16] / Path(named).name
        if not kept.exists():
            with self._draft() as draft:
                file = _fetch(named, kind, draft)
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

    def _kind(self, name: str) -> ArtefactKind:
        if artefact := self._artefacts.get(name):
            return artefact.kind
        for pattern, kind in self._own_names.items():
            if re.fullmatch(pattern, name):
                return kind
        known = ", ".join(self._artefacts)
        own = "".join(f", and any {kind.own_names_example} pulled --from a file" for kind in self._own_names.values())
        raise ModelError(f"There is no model {name!r}. Known names are {known}{own}.")

    def _status(self, name: str, from_file: bool = False) -> Status:
        kind = self._kind(name).name
        artefact = self._artefacts.get(name)
        note = artefact.note if artefact else ""
        cached = self.folder / kind / name
        if cached.exists():
            return Status(name, kind, "cached", cached, _size(cached), note)
        if artefact is None:
            if not from_file:
                raise ModelError(
                    f"{name} is not on this machine and has no official download. "
                    f"Run `findimg-jobs models pull {name} --from FILE`."
                )
            return Status(name, kind, "absent", None, None)
        if isinstance(artefact.origin, Embedded):
            embedded = artefact.origin.find()
            if embedded is None:
                return Status(name, kind, "absent", None, None)
            return Status(name, kind, "embedded", embedded, _size(embedded))
        return Status(name, kind, "absent", None, artefact.origin.size, note)

    def _download(self, artefact: Artefact, folder: Path) -> Path:
        if isinstance(artefact.origin, FolderDownload):
            partial = self.folder / "partial" / artefact.name
            download_folder(artefact.name, artefact.origin, artefact.kind, partial, self._progress)
            whole = Path(shutil.move(partial, folder / artefact.name))
            with suppress(OSError):  # others are being downloaded
                partial.parent.rmdir()
            return whole
        if isinstance(artefact.origin, Embedded):
            raise ModelError(
                f"{artefact.name} comes with the package {artefact.origin.package}, which is missing. Install it with "
                f"pip, or run `findimg-jobs models pull {artefact.name} --from FILE`."
            )
        return download(artefact.name, artefact.origin, folder, self._progress)

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


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())


def _existing(source: str, kind: ArtefactKind | None) -> Path:
    path = Path(source).expanduser()
    if kind and kind.files:
        if not path.is_dir():
            raise ModelError(
                f"There is no folder {source!r}. Name a folder with {kind.files[0]}, or its address in a storage."
            )
    elif not path.is_file():
        raise ModelError(f"There is no file {source!r}. Name an existing file, or its address in a storage.")
    return path


def _fetch(source: str, kind: ArtefactKind | None, draft: Path) -> Path:
    if is_path(source):
        return _existing(source, kind)
    if kind and kind.files:
        return _fetch_folder(source, kind, draft / "fetched")
    parent, _, name = source.rpartition("/")
    storage = open_storage(parent)
    storage.fetch(name, draft / name)
    if name.endswith(".npy"):
        vocabulary = Path(name).with_suffix(".txt").name
        storage.fetch(vocabulary, draft / vocabulary)
    return draft / name


def _fetch_folder(source: str, kind: ArtefactKind, target: Path) -> Path:
    storage = open_storage(source)
    for file in (*kind.files, *kind.optional_files):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        if file in kind.files or storage.exists(file):
            storage.fetch(file, target / file)
    return target


def _copy(source: Path, kind: ArtefactKind, target: Path) -> Path:
    """Copy a file, or the files of a folder of the kind."""
    if not kind.files:
        return Path(shutil.copyfile(source, target))
    for file in (*kind.files, *kind.optional_files):
        if (source / file).exists():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, target / file)
    return target
