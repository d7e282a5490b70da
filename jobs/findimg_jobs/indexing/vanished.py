"""Find folders whose images vanished because a disk is not mounted, which is no deletion.

An ordinary deletion removes files from a folder, or removes the folder. A disk that is not mounted leaves another,
empty folder at the same path, a link to nothing, or no folder where another device was.
"""

import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from findimg_jobs.indexing.plan import folders_above
from findimg_jobs.indexing.records import FolderIdentity, Listing, SourceImage

VANISHED = (
    "The folder lost all its images, probably because its disk is not mounted. They are kept. Mount the disk, or run "
    "with --allow-shrink if they are gone."
)


def vanished_folders(
    before: Sequence[SourceImage], known: Mapping[str, FolderIdentity], listing: Listing
) -> dict[str, list[SourceImage]]:
    """Return folders inside the sources that are not mounted any more, each with the images that it had.

    A folder whose images were moved to other folders is left out.

    Args:
        before: the images of the live version.
        known: the folders that had images when the live version was planned, by path.
        listing: what the sources hold now.
    """
    present = folders_above(image.uri for image in [*listing.images, *listing.archived])
    vanished: dict[str, list[SourceImage]] = {}
    ordered = sorted(before)
    moved: set[tuple[str, str]] | None = None
    # A folder sorts before the folders in it.
    for path in sorted(known, key=lambda path: path.split("/")):
        if path in present or any(is_below(path, (other,)) for other in (*vanished, *listing.unreadable)):
            continue
        if not any(is_below(path, (root,)) for root in listing.roots) or not _is_replaced(path, known[path], listing):
            continue
        lost = _images_below(ordered, path)
        if moved is None:
            moved = {(os.path.basename(image.uri), image.version) for image in listing.images}
        still_there = sum((os.path.basename(image.uri), image.version) in moved for image in lost)
        if 2 * still_there < len(lost):
            vanished[path] = lost
    return vanished


def is_below(uri: str, roots: Sequence[str]) -> bool:
    """Return whether an address is one of `roots` or below it."""
    return any(uri == root or uri.startswith(f"{root.rstrip('/')}/") for root in roots)


def _is_replaced(path: str, known: FolderIdentity, listing: Listing) -> bool:
    """Return whether a path leads to another folder than before, or to none where a device or a link was."""
    now = listing.folders.get(path)
    if now:
        return now.inode != known.inode or (known.mounted and not now.mounted)
    # A folder that exists and was not listed is excluded, or listed under another path.
    return not os.path.exists(path) and (known.mounted or os.path.islink(path))


def _images_below(ordered: Sequence[SourceImage], folder: str) -> list[SourceImage]:
    start = f"{folder.rstrip('/')}/"
    position = bisect_left(ordered, start, key=lambda image: image.uri)
    found = []
    while position < len(ordered) and ordered[position].uri.startswith(start):
        found.append(ordered[position])
        position += 1
    return found
