"""List the images of all sources of a run: folders, single images, s3:// prefixes and other storages."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from findimg.errors import SettingsError
from findimg.images import EXTENSIONS
from findimg.storage.base import is_path
from findimg_jobs.listing.extensionless_objects import add_extensionless_images
from findimg_jobs.listing.folder_walk import FolderWalk, check_exists
from findimg_jobs.listing.listing import Listing, PartialListing
from findimg_jobs.listing.skip_rules import SkipRules
from findimg_jobs.listing.source_arguments import source_root
from findimg_jobs.listing.storage_listing import ParallelMap, list_storage
from findimg_jobs.reporting.run_report import describe_skipped
from findimg_jobs.store.read_in_threads import read_in_threads
from findimg_jobs.tables.addresses import is_utf8, printable
from findimg_jobs.tables.disk_tables import DiskTable
from findimg_jobs.tables.image_table import ImageCollector, ImageTable
from findimg_jobs.tables.source_records import Failure
from findimg_jobs.text_reading.sidecars import with_sidecars

In = TypeVar("In")
Out = TypeVar("Out")
OnMissing = Literal["raise", "ignore", "record"]


def map_in_threads(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Call a function with every item, in threads of this process, and yield the results in order."""
    return read_in_threads(function, items)


def list_sources(
    sources: Sequence[str],
    library: str,
    parallel_map: ParallelMap = map_in_threads,
    rules: SkipRules | None = None,
    on_missing: OnMissing = "raise",
    known: DiskTable | None = None,
) -> Listing:
    """Return the images of all sources, each image once. Libraries are not listed.

    Args:
        sources: folders, images, s3:// prefixes and slack:// channels. They may overlap.
        library: the address of the library that is being written, as `Library.uri`; empty if there is none.
        parallel_map: lists parts of storages in parallel.
        rules: which files and folders to skip, besides the default rules.
        on_missing: what to do with a path that does not exist: raise an error, list it as an empty source, or record a
            failure.
        known: which objects without an extension are images, as `Listing.extensionless_checks` of an earlier listing.

    Raises:
        SettingsError: a source does not exist, or no source has an image.
        StorageError: a source cannot be listed.
    """
    rules = rules or SkipRules()
    rules.check()
    roots = [source_root(source) for source in sources]
    paths = []
    missing = []
    for source, root in zip(sources, roots, strict=True):
        if not is_path(root):
            continue
        if on_missing == "raise":
            check_exists(root, source)
        if os.path.exists(root):
            paths.append(root)
        elif on_missing == "record":
            missing.append(Failure(root, "", "The file or folder does not exist.", transient=True))
    images, archived, sidecars, extensionless = (ImageCollector() for _ in range(4))
    found = PartialListing(images, archived=archived, sidecars=sidecars, extensionless=extensionless)
    walk = FolderWalk(rules, library if library and is_path(library) else None, found)
    walk.list(paths)
    found.failures += missing
    # A missing folder may be a disk that is not mounted, so images below it are kept. A missing file is a deleted
    # image: the slash excludes the path itself.
    found.unreadable += [f"{failure.uri}/" for failure in missing]
    for root in roots:
        if not is_path(root):
            list_storage(root, rules, parallel_map, found)
    # A library is known once everything is listed.
    libraries = [f"{each}/" for each in (*found.libraries, library) if not is_path(each)]
    extensionless_checks = add_extensionless_images(extensionless.finish(libraries), known, parallel_map, found)
    listed = _ListedImages(
        images.finish(libraries), archived.finish(libraries), sidecars.finish(), extensionless_checks
    )
    return _make_listing(found, listed, roots, walk.shared_roots, sources)


@dataclass(frozen=True, slots=True, eq=False)
class _ListedImages:
    """What was listed, each address once."""

    images: ImageTable
    archived: ImageTable
    sidecars: ImageTable
    extensionless_checks: DiskTable | None


def _make_listing(
    found: PartialListing, listed: _ListedImages, roots: Sequence[str], shared_roots: set[str], sources: Sequence[str]
) -> Listing:
    failures = [
        failure if is_utf8(failure.uri) else Failure(printable(failure.uri), "", failure.reason, True)
        for failure in found.failures
    ]
    images, archived = listed.images, listed.archived
    if not len(images) and not failures and not len(archived):
        raise SettingsError(_nothing_found(found, sources))
    unreadable = set(found.unreadable)
    held = images.roots_with_images(roots)
    if len(archived):
        held |= archived.roots_with_images(roots)
    single = {image.uri for image in images.with_uris(roots)}
    return Listing(
        images=with_sidecars(images, listed.sidecars),
        failures=failures,
        unreadable=tuple(found.unreadable),
        archived=archived,
        skipped=found.skipped,
        empty_sources=tuple(
            root
            for root in dict.fromkeys(roots)
            if root not in shared_roots and not {root, f"{root}/"} & unreadable and root not in held
        ),
        roots=tuple(dict.fromkeys(os.path.dirname(root) if root in single else root for root in roots)),
        folders=found.folders,
        extensionless_checks=listed.extensionless_checks,
    )


def _nothing_found(found: PartialListing, sources: Sequence[str]) -> str:
    names = ", ".join(sources)
    if found.libraries:
        libraries = ", ".join(sorted(found.libraries))
        return (
            f"There is no image in {names} outside the findimg library {libraries}. "
            "A library is never indexed. Choose a library folder outside the photographs."
        )
    skipped = f" Skipped: {describe_skipped(found.skipped)}." if found.skipped else ""
    return (
        f"There is no image in {names}. findimg reads {', '.join(sorted(EXTENSIONS))}.{skipped} "
        "If its disk is not mounted, mount it and run again."
    )
