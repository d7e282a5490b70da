"""What an artefact is: a file with weights or word vectors that findimg knows by name.

Each module that needs such a file registers an `Artefact` for it. Nothing here knows one by name.
"""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from findimg.discovery import import_modules

_REGISTERING_PACKAGES = ("findimg.encoders", "findimg.ocr", "findimg.text")


@dataclass(frozen=True, slots=True)
class Download:
    """A file on an official server."""

    url: str
    size: int | None  # bytes, None where it is not published
    digest: str  # "<algorithm>:<hex>", as published


@dataclass(frozen=True, slots=True)
class FolderDownload:
    """A folder on an official server, whose files have no published hashes."""

    url: str  # of the folder
    size: int  # bytes, about


@dataclass(frozen=True, slots=True)
class Embedded:
    """A file in an installed pip package."""

    package: str  # the name that pip knows
    module: str
    path: str  # below the module's folder

    def find(self) -> Path | None:
        """Return where the file or folder is, or None if the package is not installed."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            return None
        path = Path(spec.origin).parent / self.path
        return path if path.exists() else None


@dataclass(frozen=True, slots=True)
class ArtefactKind:
    """A kind of artefact.

    Attributes:
        name: also the folder in the cache.
        prepare: takes an artefact's name, a file and an empty temporary folder. Checks the file, and returns what the
            cache keeps: the file itself, or what it was converted to inside the folder. Raises ModelError if the file
            is not what it should be.
        own_names: regular expression of further names that an operator may give to files of this kind.
        own_names_example: the same for people, for example "glove.…".
        files: for a kind that is a folder: the files that it must have.
        optional_files: optional files.
    """

    name: str
    prepare: Callable[[str, Path, Path], Path]
    own_names: str = ""
    own_names_example: str = ""
    files: tuple[str, ...] = ()
    optional_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that findimg knows by name."""

    name: str
    kind: ArtefactKind
    origin: Download | FolderDownload | Embedded
    note: str = ""  # for people who choose a model


_registered: dict[str, Artefact] = {}


def register_artefact(artefact: Artefact) -> Artefact:
    """Register an artefact under its name."""
    _registered[artefact.name] = artefact
    return artefact


def known_artefacts() -> tuple[Artefact, ...]:
    """Return all registered artefacts, by kind and name."""
    for package in _REGISTERING_PACKAGES:
        import_modules(package)
    return tuple(sorted(_registered.values(), key=lambda each: (each.kind.name != "weights", _natural(each.name))))


def weights_of(check: Callable[[Path], object]) -> ArtefactKind:
    """Return the kind of an encoder's weights file.

    Args:
        check: raises ModelError if a file is not the encoder's weights.
    """

    def prepare(_: str, file: Path, __: Path) -> Path:
        check(file)
        return file

    return ArtefactKind("weights", prepare)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts 50d before 100d."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]
