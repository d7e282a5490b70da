"""List the images of all sources of a run: folders, single images, s3:// prefixes and other storages."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import unquote, urlsplit

from findimg.errors import SettingsError
from findimg.images import EXTENSIONS
from findimg.storage.base import is_path, open_storage
from findimg_jobs.indexing.folder_walk import FolderWalk, check_exists
from findimg_jobs.indexing.nameless_objects import add_nameless_images
from findimg_jobs.indexing.skip_rules import SkipRules
from findimg_jobs.indexing.storage_listing import ParallelMap, list_storage
from findimg_jobs.keys.image_table import ImageCollector, ImageTable, is_utf8
from findimg_jobs.keys.key_files import KeyFile
from findimg_jobs.keys.listing import Listing, PartialListing, printable
from findimg_jobs.keys.records import Failure
from findimg_jobs.reading.sidecars import with_sidecars
from findimg_jobs.reporting.run_report import describe_skipped
from findimg_jobs.store.shards import read_ahead

In = TypeVar("In")
Out = TypeVar("Out")
OnMissing = Literal["refuse", "empty", "fail"]


def map_in_threads(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Call a function with every item, in threads of this process, and yield the results in order."""
    return read_ahead(function, items)


def list_sources(
    sources: Sequence[str],
    library: str,
    parallel_map: ParallelMap = map_in_threads,
    rules: SkipRules | None = None,
    on_missing: OnMissing = "refuse",
    known: KeyFile | None = None,
) -> Listing:
    """Return the images of all sources, each image once. Libraries are not listed.

    Args:
        sources: folders, images, s3:// prefixes and slack:// channels. They may overlap.
        library: the address of the library that is being written, as `Library.uri`; empty if there is none.
        parallel_map: lists parts of storages in parallel.
        rules: which files and folders to skip, besides the default rules.
        on_missing: what to do with a path that does not exist: refuse it, list it as an empty source, or record a
            failure.
        known: which objects without an extension are images, as `Listing.verdicts` of an earlier listing.

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
        if on_missing == "refuse":
            check_exists(root, source)
        if os.path.exists(root):
            paths.append(root)
        elif on_missing == "fail":
            missing.append(Failure(root, "", "The file or folder does not exist.", transient=True))
    images, archived, sidecars, nameless = (ImageCollector() for _ in range(4))
    found = PartialListing(images, archived=archived, sidecars=sidecars, nameless=nameless)
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
    verdicts = add_nameless_images(nameless.finish(libraries), known, parallel_map, found)
    tables = _Tables(images.finish(libraries), archived.finish(libraries), sidecars.finish(), verdicts)
    return _make_listing(found, tables, roots, walk.shared_roots, sources)


def split_sources(text: str) -> list[str]:
    """Return the sources that one text names: one a line, or several in one line.

    A line that is an existing path is one source, even with blanks. Another line is split like the words of a
    shell, so that quotes keep a name with blanks together.
    """
    sources: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            words = shlex.split(line)
        except ValueError:  # an apostrophe in a name
            words = [line]
        whole = os.path.exists(source_root(line)) if is_path(line) else _is_one_address(line, words) and "'" not in line
        sources += [line] if whole and '"' not in line else join_words(words)
    return sources


def _is_one_address(line: str, words: Sequence[str]) -> bool:
    """Return whether a line with blanks is the address of one storage, and not followed by another source."""
    if any(not is_path(word) or word.startswith(("/", "~", "./")) for word in words[1:]):
        return False
    try:
        open_storage(line)
    except SettingsError:
        return False
    return True


def join_words(words: Sequence[str]) -> list[str]:
    """Return the sources of a command line in which blanks may have split a name.

    A shell splits `$NIGHTLY_SOURCES` without quotes, and keeps quotes inside it. A word that does not exist is joined
    with the words behind it if that gives a path that exists.
    """
    sources: list[str] = []
    start = 0
    while start < len(words):
        end = _end_of_path(words, start)
        sources.append(words[start] if end == start + 1 else _unquoted(" ".join(words[start:end])))
        start = end
    return sources


def _end_of_path(words: Sequence[str], start: int) -> int:
    """Return where a source ends that begins at `start`."""
    for end in range(start + 1, len(words) + 1):
        path = " ".join(words[start:end])
        if not is_path(path) or not path:
            break
        if os.path.exists(source_root(path if end == start + 1 else _unquoted(path))):
            return end
    return start + 1


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def read_source_list(path: str) -> list[str]:
    """Return the sources in a file, one a line.

    Args:
        path: the file, or "-" for standard input.

    Raises:
        SettingsError: the file cannot be read, or it names no source.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(os.path.expanduser(path)).read_bytes()
    except OSError as error:
        raise SettingsError(f"The list of sources {path} cannot be read: {error.strerror}.") from error
    lines = [os.fsdecode(line.rstrip(b"\r")) for line in data.split(b"\n")]
    sources = [line for line in lines if line.strip()]
    if not sources:
        raise SettingsError(f"The list of sources {path} is empty. Write one folder, image or s3:// URI a line.")
    return sources


def source_root(source: str) -> str:
    """Return the address of a source: an absolute path or an s3:// URI.

    Raises:
        SettingsError: the source has an unknown scheme.
    """
    if source.startswith("file://"):
        source = unquote(urlsplit(source).path)
    return open_storage(source).root


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """What was listed, each address once."""

    images: ImageTable
    archived: ImageTable
    sidecars: ImageTable
    verdicts: KeyFile | None


def _make_listing(
    found: PartialListing, listed: _Tables, roots: Sequence[str], shared_roots: set[str], sources: Sequence[str]
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
        verdicts=listed.verdicts,
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
