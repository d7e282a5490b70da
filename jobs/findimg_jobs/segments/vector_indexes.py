"""Build the vector index of a segment.

The types for its size are built and calibrated in the order of `types_for`. The first one is kept that is cheaper than
an exact scan and reaches RECALL_GOAL. The last type is the exact one.
"""

import errno
import logging
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.index.vector_types.base import RECALL_GOAL, Calibration, IndexType, Vectors, index_files, types_for
from findimg.library.manifest import IndexEntry

_log = logging.getLogger(__name__)


def build_index(name: str, vectors: Vectors, queries: NDArray[np.float32], folder: Path) -> tuple[IndexEntry, str]:
    """Build and calibrate an index in `folder`, and return its entry and the name of its file.

    Args:
        name: name of the index, such as `visual`.
        vectors: float[rows, dim], usually memory-mapped.
        queries: float32[q, dim], for the calibration, none of them zero.
        folder: an existing folder on this machine.

    Raises:
        OSError: `folder` has no room.
    """
    exact_cost = vectors.shape[0] * vectors.shape[1]
    *approximate, exact = types_for(exact_cost)
    for kind in approximate:
        entry, file, calibration = _build(kind, name, vectors, queries, folder)
        if calibration.cost < exact_cost and entry.recall >= RECALL_GOAL:
            return entry, file
        _log.info(
            "The %s vectors get no %s index: recall %.3f at %.0f operations a query, %.0f with an exact scan.",
            name,
            kind.name,
            entry.recall,
            calibration.cost,
            exact_cost,
        )
        (folder / file).unlink()
    entry, file, _ = _build(exact, name, vectors, queries, folder)
    return entry, file


def _build(
    kind: IndexType, name: str, vectors: Vectors, queries: NDArray[np.float32], folder: Path
) -> tuple[IndexEntry, str, Calibration]:
    count, dim = vectors.shape
    entry = IndexEntry(type=kind.name, dim=dim, counts=[count], search_k=0, recall=0)
    (file,) = index_files(name, entry)
    # Indexes are written through memory maps, so a full disk would kill the process instead of raising an error.
    needed = kind.needed_space(count, dim)
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed for an index")
    kind.build(vectors, folder / file)
    found = kind.calibrate(folder / file, vectors, queries)
    return entry.model_copy(update={"search_k": found.search_k, "recall": found.recall}), file, found
