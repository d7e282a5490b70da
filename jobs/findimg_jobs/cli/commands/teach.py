"""The command that teaches names with example images."""

import json
import sys
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

import findimg
from findimg.api import local_person
from findimg.command_settings import takes_settings
from findimg.errors import SettingsError, StorageError
from findimg.settings import Settings
from findimg.taught.audit import audit
from findimg.taught.events import CancelEvent, readable_time
from findimg.taught.teaching import undo_person
from findimg.taught.transfer import read_export
from findimg.terminal import counted
from findimg_jobs.cli.output import JsonOption, make_table, print_table
from findimg_jobs.evaluation.labels import read_labels

_MOST_AUDITED = 1000


class RepeatedOptions(TyperCommand):
    """A command whose options --like and --unlike take several values: `--like *.jpg`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further value."""
        repeated: list[str] = []
        option = ""
        for position, argument in enumerate(args):
            if argument == "--":
                repeated += args[position:]
                break
            if argument.startswith("-") and argument != "-":
                option = argument if argument in ("--like", "--unlike") else ""
            elif option and repeated[-1] != option:
                repeated.append(option)
            repeated.append(argument)
        return super().parse_args(ctx, repeated)


@dataclass(frozen=True, slots=True)
class TeachArguments:
    """Arguments and options of `findimg-jobs teach`."""

    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A word or phrase.", show_default=False)] = None
    like: Annotated[
        list[str] | None, typer.Option(metavar="URI…", help="Images that show it, in the library or not.")
    ] = None
    unlike: Annotated[list[str] | None, typer.Option(metavar="URI…", help="Images that do not show it.")] = None
    from_folder: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FOLDER", help="Teach one name for each sub-folder, which is named after its images."
        ),
    ] = None
    list_names: Annotated[bool, typer.Option("--list", help="List the taught names.")] = False
    remove: Annotated[str | None, typer.Option(metavar="NAME", help="Take a name back, with all its examples.")] = None
    undo_by: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Take back everything that one person taught, as --list names.")
    ] = None
    erase_by: Annotated[
        str | None,
        typer.Option(metavar="PERSON", help="Delete everything that one person taught, also from the audit list."),
    ] = None
    show_audit: Annotated[bool, typer.Option("--audit", help="List who taught and took back what, and when.")] = False
    export: Annotated[str | None, typer.Option(metavar="FILE", help="Write all names to a JSON file.")] = None
    import_file: Annotated[
        str | None, typer.Option("--import", metavar="FILE", help="Teach the names of a file from --export.")
    ] = None
    as_json: JsonOption = False


@takes_settings("library", "cache")
def teach(settings: Settings, arguments: TeachArguments) -> None:
    """Teach the team's own words with example images, or list and remove them. Searches use them within seconds."""
    examples = bool(arguments.like or arguments.unlike)
    tasks = [
        examples,
        arguments.from_folder,
        arguments.list_names,
        arguments.remove,
        arguments.undo_by,
        arguments.erase_by,
        arguments.show_audit,
        arguments.export,
        arguments.import_file,
    ]
    if sum(map(bool, tasks)) != 1 or examples != (arguments.name is not None):
        raise SettingsError(
            "Give a NAME with --like or --unlike, or one of --from, --list, --remove, --undo-by, --erase-by, --audit, "
            "--export and --import."
        )
    with findimg.open(settings.library, cache=settings.cache) as opened:
        if arguments.name is not None:
            _print_taught(
                [opened.teach(arguments.name, arguments.like or (), arguments.unlike or ())], arguments.as_json
            )
        elif arguments.from_folder:
            _print_taught(_teach_folders(opened, settings, arguments.from_folder), arguments.as_json)
        elif arguments.list_names:
            _print_taught(opened.taught(), arguments.as_json)
        elif arguments.remove:
            _print_removed(opened.untaught(arguments.remove), arguments.as_json)
        elif arguments.undo_by:
            _print_removed(undo_person(opened.taught_log, local_person(), arguments.undo_by), arguments.as_json)
        elif arguments.erase_by:
            _print_erased(opened.erase_taught(arguments.erase_by), arguments.as_json)
        elif arguments.show_audit:
            _print_audit(opened, arguments.as_json)
        elif arguments.export:
            _write(arguments.export, opened.export_taught())
        elif arguments.import_file:
            lessons = read_export(_read(arguments.import_file), arguments.import_file)
            reports = [opened.teach_lesson(lesson) for lesson in lessons]
            taught = {report.name for report in reports}
            _print_taught([each for each in opened.taught() if each.name in taught], arguments.as_json)


def _teach_folders(opened: findimg.OpenedLibrary, settings: Settings, folder: str) -> list[findimg.TaughtName]:
    labels = read_labels([folder], settings.library)
    by_label = sorted(labels.items(), key=lambda each: (each[1], each[0]))
    return [
        opened.teach(label, [uri for uri, _ in images]) for label, images in groupby(by_label, key=lambda each: each[1])
    ]


def _print_taught(names: list[findimg.TaughtName], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(each) for each in names]))
        return
    if not names:
        print("Nobody taught a name. Teach one: findimg-jobs teach NAME --like IMAGE…")
        return
    rows = [(each.name, each.like, each.unlike, ", ".join(each.by)) for each in names]
    print_table(make_table(("Name", "Examples", "Not", "By"), rows))


def _print_removed(count: int, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"removed": count}))
    else:
        print(f"Took back {counted(count, 'example')}. Searches no longer use them.")


def _print_erased(count: int, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"erased": count}))
    else:
        print(f"Deleted {counted(count, 'example')}. Nothing of them is left in the library.")


def _print_audit(opened: findimg.OpenedLibrary, as_json: bool) -> None:
    opened.taught()
    rows = []
    for event in audit(opened.taught_log.events())[:_MOST_AUDITED]:
        row: dict[str, object] = {"time": readable_time(event.time).isoformat(timespec="seconds")}
        if isinstance(event, CancelEvent):
            row |= {"by": event.by, "did": "took back", "name": "", "image": f"{len(event.events)} examples"}
        else:
            example = event.example
            did = "taught" if event.shows else "taught as not"
            row |= {"by": event.by, "did": did, "name": event.name, "image": example.uri or example.sha256}
        rows.append(row)
    if as_json:
        print(json.dumps(rows))
        return
    columns = ("time", "by", "did", "name", "image")
    cells = [[row[column] for column in columns] for row in rows]
    print_table(make_table([column.capitalize() for column in columns], cells))


def _read(path: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}. Check the path.") from error


def _write(path: str, text: str) -> None:
    try:
        if path == "-":
            print(text)
        else:
            Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}. Check the path.") from error
