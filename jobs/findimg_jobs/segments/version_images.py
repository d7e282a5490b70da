"""The images of a version, and which shards hold their vectors."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from findimg_jobs.store.committed_images import CommittedImages
from findimg_jobs.tables.disk_tables import BATCH, fetch_query, write_query
from findimg_jobs.tables.image_table import SCHEMA, ImageTable, images_of
from findimg_jobs.tables.source_records import SourceImage
from findimg_jobs.text_store.text_shards import CommittedTexts

_HOLDERS = [
    pa.field("sha256", pa.binary(32)),
    pa.field("holder", pa.int32()),
    pa.field("text", pa.string()),
    pa.field("text_shard", pa.int32()),
]


@dataclass(frozen=True, slots=True, eq=False)
class VersionImages:
    """The images of a version or of a segment, in URI order, and the shards that hold their vectors."""

    # The columns of an ImageTable, sha256, text (a hash of the text that was read in the image, empty without text)
    # and text_shard (position in `text_shards` of the shard with that text, -1 without text). They are mapped into
    # memory if there are many images.
    rows: pa.Table
    shards: tuple[str, ...]  # the shards that hold the vectors
    shard_of: NDArray[np.int32]  # position in `shards` for each image, int32[images]
    text_shards: tuple[tuple[str, str], ...] = ()  # reader and name of shards of the text store

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[SourceImage, str]]:
        """Yield the images with their SHA-256."""
        for batch in self.rows.to_batches(BATCH):
            for image, sha256 in zip(images_of(batch), batch["sha256"].to_pylist(), strict=True):
                yield image, sha256.hex()

    def take(self, items: NDArray[np.int64]) -> Self:
        """Return some of the images, by their items in ascending order."""
        shards, shard_of = np.unique(self.shard_of[items], return_inverse=True)
        return type(self)(
            self.rows.take(pa.array(items)),
            tuple(self.shards[shard] for shard in shards.tolist()),
            shard_of.astype(np.int32),
            self.text_shards,
        )

    def sha256_of(self, items: Sequence[int]) -> list[str]:
        """Return the SHA-256 of some images."""
        return [sha256.hex() for sha256 in self.rows["sha256"].take(pa.array(items, pa.int64())).to_pylist()]

    def first_copies(self) -> NDArray[np.int32]:
        """Return for each image the first item with the same SHA-256, int32[images]."""
        firsts = np.arange(len(self), dtype=np.int32)
        hashes = self.rows.select(["sha256"]).append_column("item", pa.array(firsts))
        found = fetch_query(
            "SELECT item, first FROM hashes JOIN"
            " (SELECT sha256, min(item) AS first FROM hashes GROUP BY sha256 HAVING count(*) > 1) USING (sha256)",
            {"hashes": hashes},
        )
        firsts[found["item"].to_numpy()] = found["first"].to_numpy()
        return firsts

    def lowest_hashes(self, most: int) -> list[str]:
        """Return the lowest SHA-256 of the contents, at most `most`. Hashes are random, so this is a random sample."""
        query = f"SELECT DISTINCT sha256 FROM hashes ORDER BY sha256 LIMIT {most}"
        return [sha256.hex() for sha256 in fetch_query(query, {"hashes": self.rows.select(["sha256"])})[0].to_pylist()]

    def text_digests(self) -> Iterator[str]:
        """Yield a hash of each image's text outside its file: text that was read in it, and its sidecar's captions."""
        for batch in self.rows.to_batches(BATCH):
            for written, sidecar in zip(batch["text"].to_pylist(), batch["sidecar"].to_pylist(), strict=True):
                if sidecar and sidecar["captions"]:
                    captions = hashlib.sha256(sidecar["captions"].encode()).hexdigest()[:16]
                    yield f"{written}-{captions}"
                else:
                    yield written

    def texts_by_shard(self) -> Iterator[tuple[tuple[str, str], set[str]]]:
        """Yield every shard of the text store with the SHA-256 of the images whose text it holds."""
        shard_of = self.rows["text_shard"].to_numpy()
        items = np.flatnonzero(shard_of >= 0)
        items = items[np.argsort(shard_of[items], kind="stable")]
        starts = np.flatnonzero(np.diff(shard_of[items], prepend=-1))
        for held in np.split(items, starts[1:]) if len(items) else ():
            yield self.text_shards[shard_of[held[0]]], set(self.sha256_of(held.tolist()))

    def items_by_shard(self) -> Iterator[tuple[str, list[int]]]:
        """Yield every shard with the items whose vectors it holds."""
        order = np.argsort(self.shard_of, kind="stable")
        ends = np.cumsum(np.bincount(self.shard_of, minlength=len(self.shards)))
        for shard, items in zip(self.shards, np.split(order, ends[:-1]), strict=True):
            yield shard, items.tolist()


def find_version_images(
    images: ImageTable | Iterable[SourceImage], committed: CommittedImages, texts: CommittedTexts | None = None
) -> VersionImages:
    """Return those of `images` whose vectors are committed, with what was read in them."""
    tables = {"images": ImageTable.of(images).file, "keys": committed.keys}
    read = "'' AS text, -1 AS text_shard"
    with_texts = ""
    if texts and texts.shards:
        tables["texts"] = texts.keys
        read = "coalesce(digest, '') AS text, CASE WHEN digest != '' THEN texts.shard ELSE -1 END AS text_shard"
        with_texts = "LEFT JOIN texts USING (sha256)"
    found = write_query(
        f"SELECT images.uri, images.version, modified, sidecar, sha256, holder, {read}"
        f" FROM images JOIN (FROM keys WHERE counts) AS keys USING (uri, version) {with_texts} ORDER BY uri",
        tables,
    )
    rows = found.mapped(pa.schema([*SCHEMA, *_HOLDERS]))
    holders = rows["holder"].to_numpy()
    is_used = np.bincount(holders, minlength=len(committed.shards)) > 0
    shards = tuple(committed.shards[holder] for holder in np.flatnonzero(is_used).tolist())
    shard_of = (np.cumsum(is_used, dtype=np.int32) - 1)[holders]
    return VersionImages(rows.drop_columns(["holder"]), shards, shard_of, texts.shards if texts else ())


def find_version_images_by_encoder(
    images: ImageTable, committed: Sequence[CommittedImages], texts: CommittedTexts | None = None
) -> list[VersionImages]:
    """Return those of `images` whose vectors by every encoder are committed, once for each encoder.

    Args:
        images: the images.
        committed: everything committed, for each encoder.
        texts: what was read in pictures, None if nothing was.
    """
    if len(committed) > 1:
        images = select_embedded_by_all(images, committed)
    return [find_version_images(images, each, texts) for each in committed]


def select_embedded_by_all(images: ImageTable, committed: Sequence[CommittedImages]) -> ImageTable:
    """Return those of `images` whose vectors by every encoder are committed."""
    for each in committed:
        images = each.select_embedded(images)
    return images
