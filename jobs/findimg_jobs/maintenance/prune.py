"""Pruning: a library loses old versions, what interrupted runs left, and what nothing refers to any more."""

import time
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

from findimg.errors import LibraryError
from findimg.library.library import Library, Manifest, shards_prefix, thumbnail_key
from findimg.storage.base import Entry, Storage
from findimg_jobs.build.publish import delete_version
from findimg_jobs.indexing.plan import last_run, read_images
from findimg_jobs.indexing.sources import SourceImage
from findimg_jobs.store.compaction import compact
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.shards import read_committed

HOUR = 3600.0
DAY = 24 * HOUR
KEEP = 3  # versions
GRACE = 7.0  # days
HISTORY = 90 * DAY  # seconds that plans and run reports are kept


@dataclass(slots=True)
class Pruned:
    """What pruning removed."""

    versions: list[str] = field(default_factory=list)
    drafts: int = 0  # unfinished versions, shards and files
    shards: int = 0  # nothing referred to them
    rewritten: int = 0  # shards copied together
    written: int = 0  # into so many
    thumbnails: int = 0
    plans: int = 0
    reports: int = 0
    notes: list[str] = field(default_factory=list)  # what was left alone, and why

    def lines(self) -> list[str]:
        """What was removed, for a person."""
        told = [f"Removed version {version}." for version in self.versions]
        counts = {
            "unfinished drafts": self.drafts,
            "shards of embeddings": self.shards,
            "thumbnails": self.thumbnails,
            "plans": self.plans,
            "run reports": self.reports,
        }
        told += [f"Removed {count} {what}." for what, count in counts.items() if count]
        if self.rewritten:
            told.append(f"Copied {self.rewritten} small shards together into {self.written}.")
        return [*(told or ["There was nothing to remove."]), *self.notes]


def prune(library: Library, shard_size: int, keep: int = KEEP, grace: float = GRACE) -> Pruned:
    """Removes old versions and everything that only they needed.

    The live version stays, and so does every version younger than an hour, for somebody may be opening it.

    Args:
        shard_size: images in a full shard.
        keep: how many of the newest versions stay besides.
        grace: days for which embeddings and thumbnails stay although no version that is kept refers to them.

    Raises:
        LibraryError: CURRENT is damaged, so that nobody knows which version is live.
        LockedError: a run is going on.
    """
    pruned = Pruned()
    storage = library.storage
    with hold_lock(storage) as lock:
        kept = _prune_versions(library, keep, pruned)
        pruned.drafts += storage.sweep(HOUR) + _clear_drafts(storage, "versions", "manifest.json")
        lock.check()
        if not pruned.notes:
            _prune_store(storage, kept, shard_size, grace * DAY, pruned)
        lock.check()
        if not pruned.notes:
            runs = {manifest.run for manifest in kept}
            pruned.plans = _delete_old(storage, "plans", runs)
            pruned.reports = _delete_old(storage, "runs", runs)
    return pruned


def _prune_versions(library: Library, keep: int, pruned: Pruned) -> list[Manifest]:
    """Removes old versions; returns those that stay."""
    live = library.current()
    kept = []
    for number, version in enumerate(reversed(library.versions())):
        try:
            manifest = library.manifest(version)
        except LibraryError as error:
            pruned.notes.append(f"{error} It was left alone, and so was all that it may refer to.")
            continue
        if version == live or number < keep or _age(manifest) < HOUR:
            kept.append(manifest)
            continue
        delete_version(library, version)
        pruned.versions.append(version)
    return kept


def _age(manifest: Manifest) -> float:
    return time.time() - datetime.fromisoformat(manifest.created).timestamp()


def _prune_store(storage: Storage, kept: Iterable[Manifest], shard_size: int, grace: float, pruned: Pruned) -> None:
    """Removes embeddings and thumbnails that none of the versions refers to."""
    wanted: dict[str, set[SourceImage]] = defaultdict(set)
    try:
        for manifest in kept:
            wanted[manifest.fingerprint].update(read_images(storage, manifest.run))
        # The last run may have met images that changed no version, such as broken ones: the next would read them again.
        last = last_run(storage)
        planned = set(read_images(storage, last)) if last else set()
    except LibraryError as error:
        pruned.notes.append(f"{error} All embeddings and thumbnails were left alone.")
        return
    hashes: set[str] = set()
    for fingerprint in sorted({entry.key.split("/")[1] for entry in storage.list("embeddings")}):
        prefix = shards_prefix(fingerprint)
        pruned.drafts += _clear_drafts(storage, prefix, "stats.json")
        needed = wanted[fingerprint] and wanted[fingerprint] | planned
        done = compact(storage, fingerprint, shard_size, needed, grace)
        pruned.shards += done.collected
        pruned.rewritten += done.rewritten
        pruned.written += done.written
        known = read_committed(storage, fingerprint)
        hashes.update(known.contents)
        if not wanted[fingerprint] and not known.keys and not known.failures:
            storage.clear(prefix)
        there = known.keys.keys() | known.failures.keys()
        lost = sum((image.uri, image.version) not in there for image in wanted[fingerprint])
        if lost:
            pruned.notes.append(f"{lost} images are no longer in the embedding store, so thumbnails were left alone.")
    if not pruned.notes:
        old = time.time() - grace
        pruned.thumbnails = _delete(
            storage,
            (
                entry.key
                for entry in storage.list("thumbnails")
                if (sha256 := PurePosixPath(entry.key).stem) not in hashes
                and entry.key == thumbnail_key(sha256)
                and entry.modified <= old
            ),
        )


def _clear_drafts(storage: Storage, prefix: str, last: str) -> int:
    """Removes the folders below `prefix` whose last file was never written, and nothing else for an hour."""
    folders: dict[str, list[Entry]] = defaultdict(list)
    for entry in storage.list(prefix):
        name, _, file = entry.key.removeprefix(f"{prefix}/").partition("/")
        if file:
            folders[f"{prefix}/{name}"].append(entry)
    drafts = [
        folder
        for folder, entries in folders.items()
        if f"{folder}/{last}" not in [entry.key for entry in entries]
        and max(entry.modified for entry in entries) < time.time() - HOUR
    ]
    for folder in drafts:
        storage.clear(folder)
    return len(drafts)


def _delete_old(storage: Storage, prefix: str, runs: AbstractSet[str]) -> int:
    """Removes what is older than `HISTORY` and belongs to none of the runs."""
    old = time.time() - HISTORY
    found = (e.key for e in storage.list(prefix) if e.modified < old and PurePosixPath(e.key).stem not in runs)
    return _delete(storage, found)


def _delete(storage: Storage, keys: Iterable[str]) -> int:
    with ThreadPoolExecutor(16) as deleters:
        return sum(1 for _ in deleters.map(storage.delete, keys))
