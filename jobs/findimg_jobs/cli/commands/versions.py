"""Commands about published versions: verify, versions and rollback."""

import json
from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.errors import LibraryError
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.terminal import counted, print_lines
from findimg_jobs.build.publish import set_current
from findimg_jobs.cli.output import JsonOption, make_table, print_table
from findimg_jobs.maintenance.verify import verify as verify_version
from findimg_jobs.store.lock import hold_lock


@takes_settings("library", "cache")
def verify(settings: Settings) -> None:
    """Compare the live version with its manifest and the embedding store, and check its recall and taught names."""
    opened = Library(settings.library, settings.cache)
    manifest = opened.manifest(opened.live_version())
    findings = verify_version(opened, manifest)
    if findings.problems:
        advice = "Go back with findimg-jobs rollback, or publish again with index."
        raise LibraryError(" ".join([*findings.problems, advice]))
    if findings.taught:
        raise LibraryError(" ".join(findings.taught))
    recall = ", ".join(f"{name} {share:.3f}" for name, share in findings.recall.items())
    print(
        f"Version {manifest.version}: {len(manifest.all_files())} files are as published, "
        f"{counted(manifest.images, 'image')}; "
        f"{findings.compared} rows compared with the embedding store; recall@10 {recall}."
    )


@takes_settings("library", "cache")
def versions(settings: Settings, as_json: JsonOption = False) -> None:
    """List the versions of a library."""
    opened = Library(settings.library, settings.cache)
    names = opened.versions()
    live: str | None = None
    try:
        live = opened.live_version()
    except LibraryError as error:
        if not names:
            raise
        # The list is needed to choose a version for a rollback, so print it all the same.
        print_lines([error], to_stderr=True)
    rows = [
        {
            "version": name,
            "created": manifest.created,
            "images": manifest.images,
            "failed": manifest.failed,
            "backbone": " + ".join(part.backbone for part in manifest.parts),
            "head": manifest.head,
            "words": manifest.words,
            "live": name == live,
        }
        for name, manifest in ((name, opened.manifest(name)) for name in names)
    ]
    if as_json:
        print(json.dumps(rows))
        return
    columns = ("Version", "Created", "Images", "Failed", "Backbone", "Head", "Words", "")
    print_table(make_table(columns, [(*list(row.values())[:-1], "live" if row["live"] else "") for row in rows]))


@takes_settings("library", "cache")
def rollback(
    settings: Settings,
    version: Annotated[
        str | None, typer.Argument(help="The version to make live. By default the one before the live version.")
    ] = None,
) -> None:
    """Make an earlier version the live one again."""
    opened = Library(settings.library, settings.cache)
    opened.check_published()
    with hold_lock(opened.storage) as lock:
        # A named version needs no live one, because CURRENT may be what is damaged.
        before = [] if version else [name for name in opened.versions() if name < opened.live_version()]
        if version is None and not before:
            raise LibraryError(f"{opened.uri} has no version before the live one.")
        chosen = version or before[-1]
        problems = list(opened.check(opened.manifest(chosen).all_files()))
        if problems:
            raise LibraryError(f"Version {chosen} is damaged, so nothing was changed: {problems[0]}")
        set_current(opened, chosen, lock)
    print(f"Version {chosen} is live.")
