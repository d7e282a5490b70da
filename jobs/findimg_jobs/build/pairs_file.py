"""The file with a version's near-duplicates, from which the next version takes over what it can."""

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError


def write_pairs(path: Path, firsts: NDArray[np.bool_], pairs: NDArray[np.int64]) -> None:
    """Write near-duplicates, and which items are the first with their content. Equal values give equal bytes.

    Args:
        path: the file.
        firsts: bool[items].
        pairs: int64[p, 2].
    """
    np.savez_compressed(path, copies=np.flatnonzero(~firsts), pairs=pairs.astype(np.int32))


def read_pairs(path: Path, images: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Read what `write_pairs` wrote.

    Raises:
        LibraryError: the file is damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes())) as arrays:
            firsts = np.ones(images, np.bool_)
            firsts[arrays["copies"]] = False
            pairs = np.asarray(arrays["pairs"], np.int64).reshape(-1, 2)
    except (OSError, ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    if len(pairs) and not 0 <= int(pairs.min()) <= int(pairs.max()) < images:
        raise LibraryError(f"{path} does not fit {images} images. Publish again with index.")
    return firsts, pairs
