"""`python -m tests.benchmarks`: compare findimg's speed with its peers. Prints a table of ratios and writes JSON.

Everything is measured in turns on this machine, after a warm-up, several times; figures are medians. Nothing is
asserted: whoever reads the table judges it by the ratios, and the absolute figures by the load beside them.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from findimg.command_settings import takes_dataclasses
from tests.benchmarks import clip, indexing, painting, queries, serving
from tests.benchmarks.figures import Figure, machine


@dataclass(frozen=True, slots=True)
class Options:
    """Options of `python -m tests.benchmarks`."""

    short: Annotated[bool, typer.Option(help="As little as shows that it works; its figures say nothing.")] = False
    million: Annotated[bool, typer.Option(help="Merge and queries at 1,000,000 images too.")] = False
    only: Annotated[str, typer.Option(help="indexing, queries, serving, painting or clip; else all.")] = ""
    photos: Annotated[Path | None, typer.Option(help="A folder of photographs; else some are drawn.")] = None
    weights: Annotated[Path | None, typer.Option(help="Weights of vgg16; else random ones, as fast.")] = None
    libraries: Annotated[
        Path | None, typer.Option(help="Where made-up libraries are kept, which take minutes to build; else nowhere.")
    ] = None
    output: Annotated[Path, typer.Option("--json", help="Where the JSON goes.")] = Path("benchmarks.json")


@takes_dataclasses
def main(options: Options) -> None:
    """Run the benchmarks, print the table and write the JSON file."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="findimg-benchmarks-") as name:
        folder = Path(name)
        if options.only in ("", "indexing"):
            figures += indexing.measure(folder, options.photos, options.weights, options.short)
        if options.only in ("", "queries"):
            sizes = [2_000] if options.short else [10_000, 100_000, 1_000_000] if options.million else [10_000, 100_000]
            for images in sizes:
                figures += queries.measure((options.libraries or folder) / str(images), images, options.short)
        if options.only in ("", "serving"):
            figures += serving.measure(folder, options.short)
        if options.only in ("", "painting"):
            figures += painting.measure(folder, options.short)
        if options.only in ("", "clip"):
            figures += clip.measure(folder, options.short)
    host = machine()
    title = f"{host['cpu']}, {host['cpus']} CPUs, load {host['load']}"
    table = Table("figure", "median", "beside", "ratio", "of CPU time", "load", title=title)
    for figure in figures:
        ratios = [f"{each:.2f}" if each is not None else "" for each in (figure.ratio, figure.cpu_ratio)]
        table.add_row(figure.name, f"{figure.value:.4g} {figure.unit}", figure.beside, *ratios, f"{figure.load:.1f}")
    # A pipe has no width: in 80 characters nothing could be read.
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    options.output.write_text(
        json.dumps({"machine": host, "figures": [figure.as_json() for figure in figures]}, indent=1)
    )


if __name__ == "__main__":
    typer.run(main)
