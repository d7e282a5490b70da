"""Build the vector index of a segment.

A small index is exact. For a large one, approximate types are built and calibrated in the order of their names. The
first one is kept that is cheaper than a scan and reaches RECALL_GOAL.
"""

import errno
import logging
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.index.base import RECALL_GOAL, Calibration, Vectors, approximate_types, index_files, index_type
from findimg.index.exact import ALWAYS_EXACT
from findimg.library.manifest import IndexEntry

_EXACT = "exact"
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
    if exact_cost > ALWAYS_EXACT:
        for type_name in approximate_types():
            entry, file, calibration = _build(type_name, name, vectors, queries, folder)
            if calibration.cost < exact_cost and entry.recall >= RECALL_GOAL:
                return entry, file
            _log.info(
                "The %s vectors get no %s index: recall %.3f at %.0f operations a query, %.0f with an exact scan.",
                name,
                type_name,
                entry.recall,
                calibration.cost,
                exact_cost,
            )
            (folder / file).unlink()
    entry, file, _ = _build(_EXACT, name, vectors, queries, folder)
    return entry, file


def _build(
    type_name: str, name: str, vectors: Vectors, queries: NDArray[np.float32], folder: Path
) -> tuple[IndexEntry, str, Calibration]:
    kind = index_type(type_name)
    count, dim = vectors.shape
    entry = IndexEntry(type=type_name, dim=dim, counts=[count], search_k=0, recall=0)
    (file,) = index_files(name, entry)
    # Indexes are written through memory maps, so a full disk would kill the process instead of raising an error.
    needed = kind.needed_space(count, dim)
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed for an index")
    kind.build(vectors, folder / file)
    found = kind.calibrate(folder / file, vectors, queries)
    return entry.model_copy(update={"search_k": found.search_k, "recall": found.recall}), file, found
