"""Find folders without images whose disk is not mounted, so that their images do not count as deleted.

An ordinary deletion removes files from a folder, or removes the folder. A disk that is not mounted leaves another,
empty folder at the same path, a link to nothing, or no folder where another device was.
"""

import os
from collections.abc import Mapping

from findimg_jobs.listing.listing import Listing
from findimg_jobs.store.plan import folders_above
from findimg_jobs.tables.addresses import is_below
from findimg_jobs.tables.disk_tables import fetch_number
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import FolderIdentity

UNMOUNTED = (
    "The folder lost all its images, probably because its disk is not mounted. They are kept. Mount the disk, or run "
    "with --allow-shrink if they are gone."
)


def find_unmounted_folders(
    before: ImageTable, known: Mapping[str, FolderIdentity], listing: Listing
) -> dict[str, ImageTable]:
    """Return folders inside the sources that are not mounted any more, each with the images that it had.

    A folder whose images were moved to other folders is left out.

    Args:
        before: the images of the live version.
        known: the folders that had images when the live version was planned, by path.
        listing: what the sources hold now.
    """
    if not known:
        return {}
    present = folders_above(listing.images) | folders_above(listing.archived)
    unmounted: dict[str, ImageTable] = {}
    # A folder sorts before the folders in it.
    for path in sorted(known, key=lambda path: path.split("/")):
        if path in present or any(is_below(path, (other,)) for other in (*unmounted, *listing.unreadable)):
            continue
        if not any(is_below(path, (root,)) for root in listing.roots) or not _is_replaced(path, known[path], listing):
            continue
        lost = before.below([f"{path.rstrip('/')}/"])
        if 2 * _count_moved(lost, listing.images) < len(lost):
            unmounted[path] = lost
    return unmounted


def _is_replaced(path: str, known: FolderIdentity, listing: Listing) -> bool:
    """Return whether a path leads to another folder than before, or to none where a device or a link was."""
    now = listing.folders.get(path)
    if now:
        return now.inode != known.inode or (known.mounted and not now.mounted)
    # A folder that exists and was not listed is excluded, or listed under another path.
    return not os.path.exists(path) and (known.mounted or os.path.islink(path))


def _count_moved(lost: ImageTable, listed: ImageTable) -> int:
    """Return the number of images that are listed with the same name and version in any folder."""
    name = "regexp_extract(uri, '[^/]*$') AS name, version"
    query = (
        f"SELECT count(*) FROM (SELECT {name} FROM lost) SEMI JOIN (SELECT {name} FROM listed) USING (name, version)"
    )
    return fetch_number(query, {"lost": lost.file, "listed": listed.file})
