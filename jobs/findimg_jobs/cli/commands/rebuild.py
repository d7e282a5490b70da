"""Commands that build the live version again without reading images: merge, which rebuilds it, and compact."""

from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.terminal import counted
from findimg_jobs.build.merge_policies import choose_compact_merges, choose_purge_merges
from findimg_jobs.build.rebuild import rebuild as rebuild_version


@takes_settings("library", "words", "head", "visual_dim", "engine", "ray_address", "partition_size", "cache")
def rebuild(settings: Settings) -> None:
    """Rebuild the live version from the embedding store, without reading images, and publish it."""
    manifest = rebuild_version(settings)
    print(f"Version {manifest.version} with {counted(manifest.images, 'image')} is live.")


@takes_settings("library", "engine", "ray_address", "partition_size", "cache")
def compact(
    settings: Settings,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Rewrite every segment that holds a deleted image, however few they are."),
    ] = False,
) -> None:
    """Merge small segments of the live version, and rewrite those with more than a fifth of deleted images."""
    before = Library(settings.library, settings.cache).find_live_version()
    manifest = rebuild_version(settings, merge_policy=choose_purge_merges if purge else choose_compact_merges)
    if manifest.version == before:
        print(f"There is nothing to compact. Version {manifest.version} stays live.")
    else:
        images = counted(manifest.images, "image")
        segments = counted(sum(len(part.segments) for part in manifest.parts), "segment")
        print(f"Version {manifest.version} with {images} in {segments} is live.")
