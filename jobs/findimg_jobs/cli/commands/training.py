"""Commands that train and measure: train, evaluate and quantize."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from findimg.command_settings import takes_settings
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.taught.state import MOST_EXAMPLES
from findimg.terminal import print_lines
from findimg_jobs.cli.output import JsonOption, print_table
from findimg_jobs.evaluation.evaluate import evaluate as run_evaluation
from findimg_jobs.evaluation.html_report import write_html_report
from findimg_jobs.evaluation.report_tables import report_tables
from findimg_jobs.training.quantize import quantize as run_quantize
from findimg_jobs.training.train import train as run_training


@takes_settings("library", "words", "cache", head="Name of the new head: devise:NAME.")
def train(
    settings: Settings,
    labelled: Annotated[
        str,
        typer.Argument(
            metavar="LABELLED",
            help="A folder or its address. Its sub-folders are named after labels.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Train a head on labelled images of the library. Then use it with merge --head or index --head."""
    report = run_training(settings, labelled)
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        print_lines(report.lines(settings.library))


@takes_settings("library", "cache")
def evaluate(
    settings: Settings,
    labelled: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELLED…",
            help="Folders or their addresses. Their sub-folders are named after labels.",
        ),
    ],
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write an HTML page with a plot and a contact sheet to this file."),
    ] = None,
    teach: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_EXAMPLES,
            metavar="K",
            help="Also measure labels as queries after up to K random examples of each.",
        ),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure the search quality of the live version on labelled images that it holds."""
    evaluation = run_evaluation(settings, labelled, teach)
    if report:
        write_html_report(report, evaluation, Library(settings.library, settings.cache).storage)
    if as_json:
        print(json.dumps(evaluation.as_dict()))
        return
    print_lines(evaluation.lines())
    for table in report_tables(evaluation):
        print_table(table)
    if report:
        print_lines([f"Report: {report}"])


@takes_settings("cache")
def quantize(
    settings: Settings,
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE…", help="Folders, and addresses such as s3://bucket/prefix.")
    ],
    weights: Annotated[Path, typer.Option(dir_okay=False, help="The file to write.")],
    as_json: JsonOption = False,
) -> None:
    """Make efficientnet-lite0-int8, calibrated on photographs. It embeds 1.4 times as fast, slightly less exactly."""
    report = run_quantize(settings, sources, weights)
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        print_lines(report.lines())
