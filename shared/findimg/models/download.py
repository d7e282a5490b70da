"""Downloads artefacts from their official servers, and checks size and hash."""

import hashlib
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from http.client import HTTPException
from pathlib import Path
from typing import TypeAlias

from findimg.errors import ModelError
from findimg.models.artefacts import Download

_log = logging.getLogger(__name__)
_TIMEOUT = 30  # seconds without a byte

# Takes an artefact's name and its size in bytes when a download begins. Returns a context for the time of the download,
# whose value is called with the number of bytes received so far.
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
        The file, whose size and hash are those of `origin`.

    Raises:
        ModelError: the server cannot be reached, or it sent another file.
    """
    _log.info("Downloading %s (%d MB) from %s.", name, origin.size // 1_000_000, origin.url)
    path = folder / Path(origin.url).name
    algorithm, _, expected = origin.digest.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    received = 0
    try:
        request = urllib.request.Request(origin.url, headers={"User-Agent": "findimg"})
        with (
            urllib.request.urlopen(request, timeout=_TIMEOUT) as response,
            path.open("wb") as file,
            progress(name, origin.size) as show,
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
            f"{name} is not on this machine and cannot be downloaded from {origin.url} ({status}{reason}). "
            f"{remedies(name)}."
        ) from error
    if received != origin.size:
        fault = f"{'more' if received > origin.size else 'less'} than its {origin.size} bytes"
    elif digest.hexdigest() != expected:
        fault = f"a file with the {algorithm} {digest.hexdigest()} instead of {expected}"
    else:
        return path
    raise ModelError(f"{name}: {origin.url} gave {fault}, so nothing is kept. {remedies(name)}.")
