"""Downloads artefacts from their official servers."""

import hashlib
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeAlias

from findimg.errors import ModelError
from findimg.models.artefacts import ArtefactKind, Download, FolderDownload

_log = logging.getLogger(__name__)
_TIMEOUT = 30  # seconds without a byte
_LARGEST = 1 << 34  # bytes of a file whose size is not known before
_MIRRORED = "https://huggingface.co/"  # HF_ENDPOINT names another server, as for Hugging Face's own tools
_NOT_THERE = (401, 403, 404)  # what Hugging Face answers for a file that a repository lacks

# Takes an artefact's name and its size in bytes when a download begins, 0 if it is unknown. Returns a context for the
# time of the download, whose value is called with the number of bytes received so far.
DownloadProgress: TypeAlias = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def no_progress(_: str, __: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show nothing during a download."""
    return nullcontext(lambda _: None)


def remedies(name: str) -> str:
    """Return how to get an artefact that cannot be downloaded, as a sentence without its full stop."""
    return f"Go online and run `findimg-jobs models pull {name}`, or `findimg-jobs models pull {name} --from FILE`"


def download(name: str, origin: Download, folder: Path, progress: DownloadProgress) -> Path:
    """Download an artefact.

    Args:
        name: of the artefact.
        origin: its official file.
        folder: gets the file.
        progress: shows the progress.

    Returns:
        The file. Its size and hash equal those in `origin`.

    Raises:
        ModelError: the server cannot be reached, or it sent another file.
    """
    _log.info("Downloading %s from %s.", name, origin.url)
    path = folder / Path(origin.url).name
    algorithm, _, expected = origin.digest.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    received = 0
    try:
        request = urllib.request.Request(origin.url, headers={"User-Agent": "findimg"})
        with (
            urllib.request.urlopen(request, timeout=_TIMEOUT) as response,
            path.open("wb") as file,
            progress(name, origin.size or _announced(response) or 0) as show,
        ):
            largest = origin.size or _LARGEST
            while received <= largest and (block := response.read(1 << 20)):
                file.write(block)
                digest.update(block)
                received += len(block)
                show(received)
    except (OSError, HTTPException) as error:
        raise _failed(name, origin.url, error) from error
    if origin.size is not None and received != origin.size:
        fault = f"{'more' if received > origin.size else 'less'} than its {origin.size} bytes"
    elif digest.hexdigest() != expected:
        fault = f"a file with the {algorithm} {digest.hexdigest()} instead of {expected}"
    else:
        return path
    raise ModelError(f"{name}: {origin.url} gave {fault}, so nothing is kept. {remedies(name)}.")


def download_folder(
    name: str, origin: FolderDownload, kind: ArtefactKind, folder: Path, progress: DownloadProgress
) -> Path:
    """Download the files of a kind that is a folder. Files that an interrupted download left are continued.

    Args:
        name: of the artefact.
        origin: its official folder.
        kind: says which files.
        folder: gets the files. It may hold some, whole or in part, from a download before.
        progress: shows the progress.

    Returns:
        `folder`.

    Raises:
        ModelError: the server cannot be reached, or lacks a file.
    """
    base = origin.url
    if (mirror := os.environ.get("HF_ENDPOINT")) and base.startswith(_MIRRORED):
        base = f"{mirror.rstrip('/')}/{base.removeprefix(_MIRRORED)}"
    _log.info("Downloading %s (about %d MB) from %s.", name, origin.size // 1_000_000, base)
    done = 0
    with progress(name, origin.size) as show:
        for file in (*kind.files, *kind.optional_files):
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                done += _continue_file(f"{base}/{file}", target, partial(_show_sum, show, done))
            except urllib.error.HTTPError as error:
                if error.code in _NOT_THERE and file in kind.optional_files:
                    continue
                raise _failed(name, f"{base}/{file}", error) from error
            except (OSError, HTTPException) as error:
                raise _failed(name, f"{base}/{file}", error) from error
    return folder


def _show_sum(show: Callable[[int], None], before: int, received: int) -> None:
    show(before + received)


def _continue_file(url: str, target: Path, show: Callable[[int], None]) -> int:
    """Download a file to `target`, behind the bytes that `<target>.part` has. Return its size in bytes."""
    if target.exists():
        return target.stat().st_size
    part = target.with_name(f"{target.name}.part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "findimg"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # the part is whole, or longer than the file is now
            raise
        part.unlink()
        return _continue_file(url, target, show)
    with response:
        if response.status != 206:
            have = 0
        announced = _announced(response)
        with part.open("ab" if have else "wb") as file:
            received = have
            while received <= _LARGEST and (block := response.read(1 << 20)):
                file.write(block)
                received += len(block)
                show(received)
    if received > _LARGEST or (announced and received - have != announced):
        raise OSError(f"the server sent {received - have} bytes instead of {announced or f'at most {_LARGEST}'}")
    part.rename(target)
    return received


def _announced(response: HTTPResponse) -> int | None:
    """Return the number of bytes that a server says it sends."""
    size = response.headers.get("Content-Length", "")
    return int(size) if size.isdecimal() else None


def _failed(name: str, url: str, error: Exception) -> ModelError:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    status = f"HTTP status {error.code} " if isinstance(error, urllib.error.HTTPError) else ""
    return ModelError(
        f"{name} is not on this machine and cannot be downloaded from {url} ({status}{reason}). {remedies(name)}."
    )
