"""The command that fetches photographs to try findimg with."""

from pathlib import Path
from typing import Annotated

import typer

from findimg.terminal import print_lines
from findimg_jobs.datasets.drawn_pages import draw_pages
from findimg_jobs.datasets.pascal import download
from findimg_jobs.datasets.samples import copy_samples


def samples(
    folder: Annotated[Path, typer.Argument(help="The folder to copy them to.")],
    pascal: Annotated[
        bool,
        typer.Option(
            "--pascal",
            help="Download UIUC Pascal Sentences instead: 1,000 images, one folder for each of 20 classes. "
            "A second call continues an interrupted download.",
        ),
    ] = False,
    pages: Annotated[
        bool,
        typer.Option("--pages", help="Draw a screenshot, a slide, a receipt and a sign as well, to find their words."),
    ] = False,
) -> None:
    """Copy real photographs from installed pip packages, to try findimg with."""
    if pascal:
        print_lines([f"All {download(folder):,} photographs of UIUC Pascal Sentences are in {folder}."])
        return
    copied = copy_samples(folder)
    drawn = f" and {len(draw_pages(folder / 'pages'))} drawn pages" if pages else ""
    print_lines([f"{len(copied)} photographs{drawn} are in {folder}. SOURCES.md there lists sources and licences."])
