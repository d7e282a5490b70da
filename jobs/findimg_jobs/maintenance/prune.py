"""Remove old versions, the remains of interrupted runs, and data that no remaining version uses."""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath

from findimg.encoders.base import MODEL_FOLDER
from findimg.errors import LibraryError
from findimg.library.layout import MANIFEST_FILE, VERSIONS, shards_prefix, thumbnail_key
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.storage.base import Entry, Storage
from findimg_jobs.build.publish import delete_unused, delete_version
from findimg_jobs.maintenance.taught_names import prune_taught, used_contents
from findimg_jobs.store.committed_images import KnownContents, read_committed
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.plan import last_run, read_planned_images
from findimg_jobs.store.shard_compaction import compact_shards
from findimg_jobs.store.shards import fingerprints
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.text_store.text_compaction import compact_text_shards
from findimg_jobs.text_store.text_shards import FOLDER as TEXTS

HOUR = 3600.0
DAY = 24 * HOUR
KEEP = 3  # versions
GRACE = 7.0  # days
HISTORY = 90 * DAY  # seconds to keep plans and run reports


@dataclass(slots=True)
class PruneReport:
    """Counts of what `prune` removed."""

    versions: list[str] = field(default_factory=list)
    drafts: int = 0  # unfinished versions, shards and files
    segments: int = 0  # segments and shared files that no remaining version uses
    shards: int = 0  # shards without any image of a remaining version
    rewritten: int = 0  # small shards that were merged
    written: int = 0  # shards that the merge produced
    texts: int = 0  # shards of text that were removed or merged
    thumbnails: int = 0
    plans: int = 0
    reports: int = 0
    notes: list[str] = field(default_factory=list)  # data that was kept, and why

    def lines(self) -> list[str]:
        """Return the report as lines of text for a person."""
        lines = [f"Removed version {version}." for version in self.versions]
        counts = {
            "unfinished drafts": self.drafts,
            "segments and files of versions": self.segments,
            "shards of embeddings": self.shards,
            "shards of text": self.texts,
            "thumbnails": self.thumbnails,
            "plans": self.plans,
            "run reports": self.reports,
        }
        lines += [f"Removed {count} {what}." for what, count in counts.items() if count]
        if self.rewritten:
            lines.append(f"Merged {self.rewritten} small shards into {self.written}.")
        return [*(lines or ["There was nothing to remove."]), *self.notes]


def prune(library: Library, shard_size: int, keep: int = KEEP, grace: float = GRACE) -> PruneReport:
    """Remove old versions and the data that only they used.

    The live version stays. A version younger than an hour stays as well, because a reader may be opening it.

    Args:
        shard_size: images in a full shard.
        keep: number of newest versions to keep besides the live one.
        grace: days to keep embeddings and thumbnails that no remaining version uses.

    Raises:
        LibraryError: CURRENT is damaged, so the live version is unknown.
        LockedError: another run is writing.
    """
    report = PruneReport()
    storage = library.storage
    with hold_lock(storage) as lock:
        kept = _prune_versions(library, keep, report)
        report.drafts += storage.sweep(HOUR) + _clear_drafts(storage, VERSIONS, MANIFEST_FILE)
        lock.check()
        if not report.notes:
            report.segments = delete_unused(library, kept, HOUR)
            _prune_store(storage, kept, shard_size, grace * DAY, report)
        lock.check()
        if not report.notes:
            runs = {manifest.run for manifest in kept}
            report.plans = _delete_old(storage, "plans", runs)
            report.reports = _delete_old(storage, "runs", runs)
    return report


def _prune_versions(library: Library, keep: int, report: PruneReport) -> list[Manifest]:
    """Remove old versions. Return the manifests of the remaining ones."""
    live = library.find_live_version()
    kept = []
    for number, version in enumerate(reversed(library.versions())):
        try:
            manifest = library.manifest(version)
        except LibraryError as error:
            report.notes.append(f"{error} The version and all data that it may use were kept.")
            continue
        if version == live or number < keep or _age(manifest) < HOUR:
            kept.append(manifest)
            continue
        delete_version(library, version)
        report.versions.append(version)
    return kept


def _age(manifest: Manifest) -> float:
    return time.time() - datetime.fromisoformat(manifest.created).timestamp()


@dataclass(frozen=True, slots=True)
class _UsedContents:
    """The contents that something needs."""

    taught: AbstractSet[str]  # SHA-256
    embedded: Sequence[KnownContents]

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self.taught or any(sha256 in each for each in self.embedded)


def _prune_store(
    storage: Storage, kept: Iterable[Manifest], shard_size: int, grace: float, report: PruneReport
) -> None:
    """Remove embeddings and thumbnails that no remaining version and no taught name uses."""
    wanted: dict[str, list[ImageTable]] = defaultdict(list)
    try:
        for manifest in kept:
            images = read_planned_images(storage, manifest.run)
            for part in manifest.parts:
                wanted[part.fingerprint].append(images)
        # The last run may have recorded broken images. Without these records the next run would read them again.
        last = last_run(storage)
        planned = [read_planned_images(storage, last)] if last else []
    except LibraryError as error:
        report.notes.append(f"{error} All embeddings and thumbnails were kept.")
        return
    used = used_contents(storage)
    contents: list[KnownContents] = []
    for fingerprint in sorted(fingerprints(storage)):
        prefix = shards_prefix(fingerprint)
        report.drafts += _clear_drafts(storage, prefix, "stats.json")
        needed = wanted[fingerprint] and wanted[fingerprint] + planned
        done = compact_shards(storage, fingerprint, shard_size, needed, grace)
        report.shards += done.collected
        report.rewritten += done.rewritten
        report.written += done.written
        known = read_committed(storage, fingerprint)
        contents.append(known.known_contents())
        if not wanted[fingerprint] and known.is_empty():
            storage.clear(prefix)
        if lost := known.count_missing(wanted[fingerprint]):
            report.notes.append(f"{lost} images are missing from the embedding store, so all thumbnails were kept.")
    if not report.notes:
        old = time.time() - grace
        hashes = _UsedContents(used, contents)
        for reader in sorted({entry.key.split("/")[1] for entry in storage.list(TEXTS)}):
            report.drafts += _clear_drafts(storage, f"{TEXTS}/{reader}", "stats.json")
        report.texts = compact_text_shards(storage, hashes, old)
        report.thumbnails = _delete(
            storage,
            (
                entry.key
                for entry in storage.list("thumbnails")
                if (sha256 := PurePosixPath(entry.key).stem) not in hashes
                and entry.key == thumbnail_key(sha256)
                and entry.modified <= old
            ),
        ) + prune_taught(storage, used, grace)


def _clear_drafts(storage: Storage, prefix: str, last: str) -> int:
    """Remove folders below `prefix` that lack their last file and have not changed for an hour."""
    folders: dict[str, list[Entry]] = defaultdict(list)
    for entry in storage.list(prefix):
        name, _, file = entry.key.removeprefix(f"{prefix}/").partition("/")
        if file and name != MODEL_FOLDER:
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
    """Remove objects older than `HISTORY` that belong to none of the runs."""
    old = time.time() - HISTORY
    found = (e.key for e in storage.list(prefix) if e.modified < old and PurePosixPath(e.key).stem not in runs)
    return _delete(storage, found)


def _delete(storage: Storage, keys: Iterable[str]) -> int:
    with ThreadPoolExecutor(16) as deleters:
        return sum(1 for _ in deleters.map(storage.delete, keys))
