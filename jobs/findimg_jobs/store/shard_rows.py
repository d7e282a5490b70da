"""The rows of a shard: the content of each image, and its columns in vectors.parquet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from findimg.images.facts import FACT_COLUMNS, ImageFacts

TOP_CLASSES = 20
# Columns of vectors.parquet with the facts of content. They are null in a row without content.
_FACTS = {column.name: pa.type_for_alias(column.store_type) for column in FACT_COLUMNS}
VECTORS: dict[str, type[np.generic]] = {
    "visual": np.float16,
    "classes": np.uint16,
    "probabilities": np.float32,
    "region_classes": np.uint16,
    "region_probabilities": np.float32,
}


@dataclass(frozen=True, slots=True)
class EmbeddedContent:
    """What a shard stores of one content, which is the bytes of an image file: facts and features."""

    facts: ImageFacts
    visual: NDArray[np.float32]  # float32[dim]
    classes: NDArray[np.uint16] | None = None  # uint16[20], most probable first; None if the encoder has no classes
    probabilities: NDArray[np.float32] | None = None  # float32[20]
    region_classes: NDArray[np.uint16] | None = None  # uint16[20], by `Features.regions`; None without regions
    region_probabilities: NDArray[np.float32] | None = None  # float32[20]


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One row of a shard: an image, and its content unless another row has it."""

    uri: str
    etag: str
    sha256: str
    content: EmbeddedContent | None  # None if another row holds the same content


@dataclass(frozen=True, slots=True, eq=False)
class ContentRows:
    """The content of n images of a shard, one row each."""

    facts: pa.Table  # n rows with the columns of `ImageFacts`
    # Each [n, length]: visual, and also the classes, probabilities and regions that the encoder has. A row that was
    # embedded before the encoder had regions has zeros there.
    vectors: dict[str, NDArray[Any]]


def contents_of(table: pa.Table) -> Iterator[EmbeddedContent]:
    """Yield the content of each row. All rows have vectors."""
    matrices = {name: _matrix(table[name]) for name in VECTORS if name in table.column_names}
    for i, facts in enumerate(with_facts(table).select(list(_FACTS)).to_pylist()):
        yield EmbeddedContent(ImageFacts(**facts), **{name: matrix[i] for name, matrix in matrices.items()})


def content_rows(table: pa.Table, rows: NDArray[np.int64]) -> ContentRows:
    """Return the content of some rows, by their positions. All rows of the table have vectors."""
    vectors = {name: _matrix(table[name])[rows] for name in VECTORS if name in table.column_names}
    return ContentRows(with_facts(table).select(list(_FACTS)).take(rows), vectors)


def with_facts(table: pa.Table) -> pa.Table:
    """Return a table with all columns of facts. Shards of older releases lack some of them."""
    for name, kind in _FACTS.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), kind))
    return table


def make_table(rows: Sequence[ShardRow]) -> pa.Table:
    """Return the columns of vectors.parquet. The vector columns are left out if no row has vectors."""
    columns = {
        column: pa.array([getattr(row, name) for row in rows], pa.string())
        for column, name in (("uri", "uri"), ("version", "etag"), ("sha256", "sha256"))
    }
    for name, kind in _FACTS.items():
        columns[name] = pa.array([getattr(row.content.facts, name) if row.content else None for row in rows], kind)
    for name, dtype in VECTORS.items():
        vectors = [getattr(row.content, name) if row.content else None for row in rows]
        if any(vector is not None for vector in vectors):
            columns[name] = _vectors(vectors, dtype)
    return pa.table(columns)


def holds_vectors(table: pa.Table) -> pa.Array:
    """Return which rows have vectors, bool[rows]."""
    if "visual" not in table.column_names:
        return pa.array([False] * len(table), pa.bool_())
    return pa.compute.is_valid(table["visual"])


def _vectors(values: Sequence[NDArray[Any] | None], dtype: type[np.generic]) -> pa.Array:
    """Return a Parquet column of vectors of one length. A row without a vector is null."""
    length = next(len(v) for v in values if v is not None)
    filled: NDArray[Any] = np.zeros((len(values), length), dtype)
    for i, value in enumerate(values):
        if value is not None:
            filled[i] = value
    missing = pa.array([v is None for v in values], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(filled.ravel()), length, mask=missing)


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a Parquet column of vectors as a matrix. A row without a vector is zero."""
    whole = column.combine_chunks()
    valid = np.asarray(whole.is_valid())
    vectors: NDArray[Any] = whole.flatten().to_numpy(zero_copy_only=False).reshape(valid.sum(), -1)
    if valid.all():
        return vectors
    matrix = np.zeros((len(whole), vectors.shape[1]), vectors.dtype)
    matrix[valid] = vectors
    return matrix
