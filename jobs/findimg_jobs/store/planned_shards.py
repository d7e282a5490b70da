"""Images in shards that are made while they are worked on, so that the images need not fit into memory."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from findimg_jobs.store.shards import Shard, make_shard
from findimg_jobs.tables.image_table import ImageTable


class Shards(Protocol):
    """A known number of shards that can be made any number of times."""

    def __len__(self) -> int:
        """Return the number of shards."""

    def __iter__(self) -> Iterator[Shard]:
        """Yield the shards."""


@dataclass(frozen=True, slots=True, eq=False)
class PlannedShards:
    """The shards of some images, in URI order."""

    images: ImageTable
    fingerprint: str  # of the encoder that embeds them
    size: int  # images in a full shard

    def __len__(self) -> int:
        """Return the number of shards."""
        return -(-len(self.images) // self.size)

    def __iter__(self) -> Iterator[Shard]:
        """Yield the shards. Equal images give equal shards."""
        images = iter(self.images)
        while shard := tuple(islice(images, self.size)):
            yield make_shard(shard, self.fingerprint)


@dataclass(frozen=True, slots=True)
class DividedWork:
    """The shards of two encoders, divided by who needs their images."""

    both: PlannedShards  # named after the first encoder
    first: PlannedShards
    second: PlannedShards


def divide_work(first: PlannedShards, second: PlannedShards) -> DividedWork:
    """Divide what two encoders are to embed into the images of both and the rest."""
    alone = first.images.changed_since(second.images)
    return DividedWork(
        replace(first, images=first.images.changed_since(alone)),
        replace(first, images=alone),
        replace(second, images=second.images.changed_since(first.images)),
    )
