"""Commands that delete: prune and forget."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.errors import LibraryError
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.storage.base import is_path
from findimg.terminal import counted, print_lines
from findimg_jobs.maintenance.forget import allow, preview_forget
from findimg_jobs.maintenance.forget import forget as run_forget
from findimg_jobs.maintenance.prune import GRACE, KEEP
from findimg_jobs.maintenance.prune import prune as prune_library


@takes_settings("library", "cache")
def prune(
    settings: Settings,
    keep: Annotated[
        int, typer.Option(min=0, help="Number of newest versions to keep. The live version is always kept.")
    ] = KEEP,
    grace: Annotated[
        float, typer.Option(min=0, help="Days to keep embeddings that no remaining version uses.")
    ] = GRACE,
) -> None:
    """Delete old versions, the remains of interrupted runs, and embeddings and thumbnails that no version uses."""
    opened = Library(settings.library, settings.cache)
    opened.check_published()
    print_lines(prune_library(opened, settings.shard_size, keep, grace).lines())


@dataclass(frozen=True, slots=True)
class ForgetArguments:
    """Arguments and options of `findimg-jobs forget`."""

    uris: Annotated[list[str], typer.Argument(metavar="URI…", help="Images, as findimg-bot ask --json prints them.")]
    again: Annotated[
        bool, typer.Option("--allow", help="The opposite: let the next run index forgotten images again.")
    ] = False
    copies: Annotated[bool, typer.Option("--copies", help="Forget the images' copies, too.")] = False
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Forget the images that look the same, too.")
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed, and change nothing.")] = False
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before earlier versions are deleted.")] = False


@takes_settings("library", "cache")
def forget(settings: Settings, arguments: ForgetArguments) -> None:
    """Delete images at once, with their embeddings and thumbnails, and never index them again."""
    # A source lists a file by its absolute path.
    named = [os.path.abspath(os.path.expanduser(uri)) if is_path(uri) else uri for uri in arguments.uris]
    if arguments.again:
        allow(settings, named)
        print(f"The next run that finds them indexes {counted(len(named), 'image')} again.")
        return
    preview = preview_forget(settings, named)
    near_duplicates = arguments.near_duplicates
    if sys.stdin.isatty() and not arguments.dry_run and preview.near_duplicates and not near_duplicates:
        print_lines(f"Near-duplicate: {uri}" for uri in preview.near_duplicates)
        near_duplicates = typer.confirm(f"Forget these {len(preview.near_duplicates)} near-duplicates, too?")
    others = [*(preview.copies if arguments.copies else ()), *(preview.near_duplicates if near_duplicates else ())]
    if others:
        # Near-duplicates may have copies of their own, which are named now.
        preview = preview_forget(settings, [*named, *others])
    if arguments.dry_run:
        print_lines([*preview.lines(), "Nothing was changed."])
        return
    if preview.versions and not arguments.yes:
        _confirm_versions(preview.versions)
    print_lines(run_forget(settings, preview.uris).lines())
    if preview.near_duplicates:
        print_lines(["Near-duplicates that stay, unless --near-duplicates is given:"])
        print_lines(f"  {uri}" for uri in preview.near_duplicates)


def _confirm_versions(versions: Sequence[str]) -> None:
    """Ask whether earlier versions may be deleted.

    Raises:
        LibraryError: the answer is no, or there is no terminal to answer in.
    """
    print_lines(["These earlier versions hold one of the images:", *(f"  {version}" for version in versions)])
    try:
        agreed = typer.confirm("Delete them? A rollback to them is impossible then.")
    except typer.Abort:
        agreed = False
    if not agreed:
        raise LibraryError("Nothing was changed. Confirm that earlier versions may be deleted, or add --yes.")
