"""The command that lists copies and near-duplicates."""

import json
from dataclasses import asdict

from rich.filesize import decimal

from findimg.command_settings import takes_settings
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.terminal import counted
from findimg_jobs.cli.output import JsonOption, make_table, print_table
from findimg_jobs.maintenance.duplicates import find_duplicates


@takes_settings("library", "cache")
def duplicates(settings: Settings, as_json: JsonOption = False) -> None:
    """List images with equal bytes and images that look the same, with their sizes."""
    report = find_duplicates(Library(settings.library, settings.cache))
    if as_json:
        print(
            json.dumps(
                {
                    "version": report.version,
                    "images": report.images,
                    "copies": {"images": report.count("copy"), "bytes": report.bytes("copy")},
                    "near_duplicates": {
                        "images": report.count("near-duplicate"),
                        "bytes": report.bytes("near-duplicate"),
                    },
                    "groups": [[asdict(image) for image in group] for group in report.groups],
                }
            )
        )
        return
    rows = [
        (number, image.kind, decimal(image.bytes), f"{image.width} × {image.height}", image.uri)
        for number, group in enumerate(report.groups, 1)
        for image in group
    ]
    if rows:
        print_table(make_table(("Group", "Kind", "Size", "Pixels", "Image"), rows))
    print(
        f"{counted(report.images, 'image')}: {report.count('copy')} copies take {decimal(report.bytes('copy'))}, "
        f"{report.count('near-duplicate')} near-duplicates take {decimal(report.bytes('near-duplicate'))}."
    )
