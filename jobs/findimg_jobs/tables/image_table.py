"""The images of a listing, of a plan or of a version, in a file of this machine instead of in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from findimg_jobs.tables.addresses import is_utf8
from findimg_jobs.tables.disk_tables import (
    BATCH,
    AnyTable,
    DiskTable,
    DiskTableWriter,
    Spool,
    fetch_number,
    fetch_query,
    write_query,
)
from findimg_jobs.tables.source_records import Sidecar, SourceImage

# `version` is an etag, see `source_records.py`.
SIDECAR = pa.struct([("uri", pa.string()), ("version", pa.string()), ("captions", pa.string())])
SCHEMA = pa.schema([("uri", pa.string()), ("version", pa.string()), ("modified", pa.float64()), ("sidecar", SIDECAR)])
COLUMNS = ", ".join(SCHEMA.names)
_PLACED = SCHEMA.append(pa.field("place", pa.int64()))


@dataclass(frozen=True, slots=True, eq=False)
class ImageTable:
    """Images in URI order, each URI once."""

    file: DiskTable

    @staticmethod
    def of(images: "Iterable[SourceImage] | ImageTable") -> "ImageTable":
        """Return images as a table. Of several with one URI the last one counts."""
        if isinstance(images, ImageTable):
            return images
        collector = ImageCollector()
        for image in images:
            collector.append(image)
        return collector.finish()

    @staticmethod
    def select(query: str, **tables: "AnyTable | ImageTable") -> "ImageTable":
        """Return the images that a query results in.

        Args:
            query: SQL with the columns of SCHEMA, and each URI once.
            tables: the tables that the query names.
        """
        return ImageTable(write_query(f"SELECT {COLUMNS} FROM ({query}) ORDER BY uri", _files(tables)))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.file)

    def __iter__(self) -> Iterator[SourceImage]:
        """Yield the images in their order, without reading all of them at once."""
        for batch in self.file.batches(SCHEMA.names):
            yield from images_of(batch)

    def below(self, roots: Sequence[str]) -> "ImageTable":
        """Return the images that are one of some addresses or below it."""
        query = "SELECT images.* FROM images JOIN ranges ON uri >= start AND uri < stop"
        return ImageTable.select(query, images=self, ranges=_ranges(roots))

    def not_below(self, roots: Sequence[str]) -> "ImageTable":
        """Return the other images than `below`."""
        if not roots:
            return self
        query = "SELECT images.* FROM images LEFT JOIN ranges ON uri >= start AND uri < stop WHERE start IS NULL"
        return ImageTable.select(query, images=self, ranges=_ranges(roots))

    def count_below(self, roots: Sequence[str]) -> int:
        """Return the number of images that are one of some addresses or below it."""
        if not roots:
            return 0
        query = "SELECT count(*) FROM images JOIN ranges ON uri >= start AND uri < stop"
        return fetch_number(query, {"images": self.file, "ranges": _ranges(roots)})

    def roots_with_images(self, roots: Sequence[str]) -> set[str]:
        """Return those addresses that are an image's, or have an image below them."""
        bounds = [(root, *bound) for root in filter(is_utf8, roots) for bound in _bounds(root)]
        names = ("root", "start", "stop")
        columns = {name: pa.array([bound[i] for bound in bounds], pa.string()) for i, name in enumerate(names)}
        # The first image from `start` on decides.
        query = "SELECT DISTINCT root FROM bounds ASOF JOIN images ON start <= uri WHERE uri < stop"
        return set(fetch_query(query, {"images": self.file, "bounds": pa.table(columns)})[0].to_pylist())

    def with_uris(self, uris: Iterable[str]) -> "ImageTable":
        """Return the images that have some addresses."""
        return ImageTable.select("FROM images SEMI JOIN wanted USING (uri)", images=self, wanted=uri_table(uris))

    def without_uris_of(self, other: "ImageTable") -> "ImageTable":
        """Return the images whose URI another table does not have."""
        return ImageTable.select("FROM images ANTI JOIN other USING (uri)", images=self, other=other)

    def updated(self, other: "ImageTable") -> "ImageTable":
        """Return the images of this and of another table. Of two with one URI the other's counts."""
        query = f"SELECT {COLUMNS} FROM other UNION ALL SELECT {COLUMNS} FROM images ANTI JOIN other USING (uri)"
        return ImageTable.select(query, images=self, other=other)

    def changed_since(self, other: "ImageTable") -> "ImageTable":
        """Return the images that another table does not have, or with another etag."""
        query = "FROM images ANTI JOIN other USING (uri, version)"
        return ImageTable.select(query, images=self, other=other)

    def count_without_uris_of(self, other: "ImageTable") -> int:
        """Return the number of images whose URI another table does not have."""
        query = "SELECT count(*) FROM images ANTI JOIN other USING (uri)"
        return fetch_number(query, {"images": self.file, "other": other.file})

    def folders(self) -> list[str]:
        """Return the addresses of the folders that hold the images."""
        query = "SELECT DISTINCT regexp_extract(uri, '^(.*)/[^/]*$', 1, 's') FROM images"
        return list(fetch_query(query, {"images": self.file})[0].to_pylist())


class ImageBatches:
    """Images in the order in which they were found."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._waiting: list[SourceImage] = []
        self._kept = Spool(SCHEMA)

    def is_empty(self) -> bool:
        """Return whether there is no image."""
        return not self._waiting and self._kept.is_empty()

    def append(self, image: SourceImage) -> None:
        """Add an image."""
        self._waiting.append(image)
        if len(self._waiting) >= BATCH:
            self._flush()

    def add(self, other: "ImageBatches") -> None:
        """Add the images of other batches."""
        self._flush()
        for table in other.tables():
            self._keep(table)

    def tables(self) -> Iterator[pa.Table]:
        """Yield the images, with the columns of SCHEMA. Nothing can be added afterwards."""
        self._flush()
        yield from self._kept

    def _flush(self) -> None:
        if self._waiting:
            self._keep(table_of(self._waiting))
            self._waiting = []

    def _keep(self, table: pa.Table) -> None:
        self._kept.add(table)


class ImageCollector(ImageBatches):
    """Collects images in a file."""

    def __init__(self) -> None:
        """Create the file."""
        super().__init__()
        self._writer = DiskTableWriter(_PLACED)
        self._count = 0

    def finish(self, excluded: Sequence[str] = ()) -> ImageTable:
        """Return the images, each URI once. Of several with one URI the last one counts.

        Args:
            excluded: addresses. They and what is below them is left out.
        """
        self._flush()
        found = self._writer.finish()
        # A struct is never null, while `arg_max` would skip a missing modification time.
        query = (
            "SELECT uri, unnest(arg_max(struct_pack(version := version, modified := modified, sidecar := sidecar),"
            " place)) FROM found GROUP BY uri"
        )
        return ImageTable.select(query, found=found).not_below(excluded)

    def _keep(self, table: pa.Table) -> None:
        places = pa.array(range(self._count, self._count + len(table)), pa.int64())
        self._writer.add(table.append_column("place", places))
        self._count += len(table)


def table_of(images: Iterable[SourceImage]) -> pa.Table:
    """Return images as a table in memory, with the columns of SCHEMA."""
    images = list(images)
    sidecars = [each.sidecar for each in images]
    return pa.table(
        [
            pa.array([image.uri for image in images], pa.string()),
            pa.array([image.etag for image in images], pa.string()),
            pa.array([image.modified for image in images], pa.float64()),
            pa.array([each and (each.uri, each.etag, each.captions) for each in sidecars], SIDECAR),
        ],
        schema=SCHEMA,
    )


def images_of(batch: pa.RecordBatch | pa.Table) -> Iterator[SourceImage]:
    """Yield the images of some rows with the columns of SCHEMA."""
    columns = [batch[name].to_pylist() for name in SCHEMA.names]
    for uri, etag, modified, sidecar in zip(*columns, strict=True):
        yield SourceImage(uri, etag, modified, Sidecar(*sidecar.values()) if sidecar else None)


def uri_table(uris: Iterable[str]) -> pa.Table:
    """Return addresses as a table in memory. One that is not UTF-8 is left out, because no image has it."""
    return pa.table({"uri": pa.array(sorted(filter(is_utf8, set(uris))), pa.string())})


def _ranges(roots: Sequence[str]) -> pa.Table:
    """Return the ranges of addresses that are one of `roots` or below it. They do not overlap.

    An address in a range is at least `start` and less than `stop`, by bytes.
    """
    merged: list[tuple[str, str]] = []
    for start, stop in sorted(bound for root in filter(is_utf8, roots) for bound in _bounds(root)):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return pa.table(
        {
            "start": pa.array([start for start, _ in merged], pa.string()),
            "stop": pa.array([stop for _, stop in merged], pa.string()),
        }
    )


def _bounds(root: str) -> list[tuple[str, str]]:
    """Return the bounds of an address itself, and of those below it."""
    folder = root.rstrip("/")
    return [(root, f"{root}\1"), (f"{folder}/", f"{folder}0")]  # the character after "/" is "0"


def _files(tables: Mapping[str, "AnyTable | ImageTable"]) -> dict[str, AnyTable]:
    return {name: table.file if isinstance(table, ImageTable) else table for name, table in tables.items()}
