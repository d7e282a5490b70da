"""Commands that delete: prune and forget."""

import os
from typing import Annotated

import typer

from findimg.library.library import Library
from findimg.settings import load_settings
from findimg_jobs.cli.options import CacheOption, LibraryOption
from findimg_jobs.maintenance.forget import allow
from findimg_jobs.maintenance.forget import forget as run_forget
from findimg_jobs.maintenance.prune import GRACE, KEEP
from findimg_jobs.maintenance.prune import prune as prune_library


def prune(
    library: LibraryOption = None,
    keep: Annotated[
        int, typer.Option(min=0, help="Number of newest versions to keep. The live version is always kept.")
    ] = KEEP,
    grace: Annotated[
        float, typer.Option(min=0, help="Days to keep embeddings that no remaining version uses.")
    ] = GRACE,
    cache: CacheOption = None,
) -> None:
    """Delete old versions, the remains of interrupted runs, and embeddings and thumbnails that no version uses."""
    settings = load_settings(library=library, cache=cache)
    opened = Library(settings.library, settings.cache)
    opened.check_published()
    print("\n".join(prune_library(opened, settings.shard_size, keep, grace).lines()))


def forget(
    uris: Annotated[list[str], typer.Argument(metavar="URI…", help="Images, as findimg-bot ask --json prints them.")],
    library: LibraryOption = None,
    again: Annotated[
        bool, typer.Option("--allow", help="The opposite: let the next run index forgotten images again.")
    ] = False,
    cache: CacheOption = None,
) -> None:
    """Delete images at once, with their embeddings and thumbnails, and never index them again."""
    settings = load_settings(library=library, cache=cache)
    # A source lists a file by its absolute path.
    named = [uri if "://" in uri else os.path.abspath(os.path.expanduser(uri)) for uri in uris]
    if again:
        allow(settings, named)
        print(f"The next run that finds them indexes {len(named)} images again.")
    else:
        print("\n".join(run_forget(settings, named).lines()))
