"""Rebuild a version from committed embeddings alone, for example with another head.

The commands `findimg-jobs merge` and `compact` call `rebuild`. Commands that change the images of the live version, or
facts and texts of them, call `publish_images`.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg_jobs.build.build_stage import build_and_publish
from findimg_jobs.build.merge_policies import MergePolicy, choose_merges
from findimg_jobs.build.part_builder import BuildRequest
from findimg_jobs.build.write_session import WriteSession, write_to_live
from findimg_jobs.encoders.choose_encoders import encoders_of_live
from findimg_jobs.segments.version_images import find_version_images_by_encoder
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.plan import read_planned_images
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.text_store.text_shards import read_committed_texts


def rebuild(settings: Settings, allow_shrink: bool = False, merge_policy: MergePolicy = choose_merges) -> Manifest:
    """Build and publish the live version's images again, and return the manifest.

    Only segments that the settings, or `merge_policy`, change are built. If none is, the live version stays.

    Args:
        settings: the operator's settings.
        allow_shrink: publish even if the version has less than half of the live version's images.
        merge_policy: chooses the segments to merge.

    Raises:
        FindimgError: nothing was published.
    """
    with write_to_live(settings) as (session, live):
        change = VersionChange(
            live.run, read_planned_images(session.library.storage, live.run), allow_shrink, merge_policy
        )
        return publish_images(session, settings, live, change)


@dataclass(frozen=True, slots=True)
class VersionChange:
    """How a version of images that are already embedded differs from the live one."""

    run: str  # the run whose plan names the images
    images: ImageTable  # those that are not embedded are left out
    allow_shrink: bool  # publish even if the version has less than half of the live version's images
    merge_policy: MergePolicy = choose_merges  # chooses the segments to merge
    rewritten: AbstractSet[str] = frozenset()  # names of segments that must not be kept
    reread: bool = False  # facts of images in these segments were read again, so their near-duplicates may differ


def publish_images(session: WriteSession, settings: Settings, live: Manifest, change: VersionChange) -> Manifest:
    """Publish a version of images that are already embedded, and return its manifest.

    It is built like the live version where the settings do not say otherwise.

    Raises:
        FindimgError: nothing was published.
    """
    storage = session.library.storage
    texts = read_committed_texts(storage)
    chosen = encoders_of_live(settings, live, live.sources)
    requests = [
        BuildRequest(
            change.run, each.context, images, live.failed, change.merge_policy, change.rewritten, change.reread
        )
        for each, images in zip(
            chosen,
            find_version_images_by_encoder(
                change.images, [read_committed(storage, each.fingerprint) for each in chosen], texts
            ),
            strict=True,
        )
    ]
    return build_and_publish(session, requests, live, change.allow_shrink)
