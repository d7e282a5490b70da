"""`python -m tests.benchmarks.reading`: how much of the text in pictures is found, and how much that is not there.

It draws pages, indexes them together with photographs, and asks for exact phrases of every page. Nothing is asserted.

Chinese and Japanese need fonts, such as Debian's fonts-wqy-microhei and fonts-ipaexfont-gothic (5 MB), in any folder
that `--fonts` names. FINDIMG_TEXT_SCRIPTS adds the models for Cyrillic and Greek pages.
"""

import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import findimg
from findimg import OpenedLibrary
from findimg.library.library import Library
from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from findimg_jobs.text_store.text_shards import read_committed_texts
from tests.benchmarks.pages import CONDITIONS, KINDS, LANGUAGES, Page, draw_page, fonts_for, vocabulary
from tests.text_keys import text_keys

_ASKED = 3  # phrases of a page
_NOWHERE = 200  # phrases that are on no page


@dataclass(frozen=True, slots=True)
class Asked:
    """One phrase, and where its page was in the answer."""

    page: Page
    phrase: str
    first: bool
    found: bool


def main(
    pages: Annotated[int, typer.Option(help="Number of pages.")] = 300,
    scripts: Annotated[str, typer.Option(help=f"Some of {', '.join(LANGUAGES)}.")] = "english,latin,chinese,japanese",
    photos: Annotated[Path | None, typer.Option(help="A folder of photographs, for signs and for false hits.")] = None,
    fonts: Annotated[Path | None, typer.Option(help="A further folder of fonts.")] = None,
    mode: Annotated[str, typer.Option(help="likely or all.")] = "all",
    output: Annotated[Path, typer.Option("--json", help="Where the JSON goes.")] = Path("reading.json"),
) -> None:
    """Draw pages, read them, ask for their phrases, print the shares and write the JSON file."""
    files = sorted(photos.rglob("*.jpg")) if photos else []
    wanted = [script for script in scripts.split(",") if fonts_for(script, fonts)]
    for script in sorted(set(scripts.split(",")) - set(wanted)):
        print(f"NOT MEASURED: no font of this machine draws {script}.")
    with tempfile.TemporaryDirectory(prefix="findimg-reading-") as name:
        folder = Path(name)
        (folder / "pages").mkdir()
        drawn: dict[str, Page] = {}
        for number in range(pages):
            page = _draw(number, wanted, files, fonts)
            drawn[f"{number}.png"] = page
            page.image.save(folder / "pages" / f"{number}.png")
        sources = [str(folder / "pages"), *([str(photos)] if photos else [])]
        settings = Settings(library=str(folder / "library"), engine="local", read_text=mode)
        report = index(settings, sources)
        print(*report.lines(), sep="\n")
        with findimg.open(settings.library) as library:
            asked = list(_ask(library, drawn))
            nowhere = _ask_nowhere(library, drawn)
        texts = read_committed_texts(Library(settings.library, settings.cache).storage)
        shares = _shares(asked)
        shares["phrases that are nowhere"] = (nowhere, _NOWHERE)
        read = {key: each.digest for key, each in text_keys(texts).items()}
    table = Table("part", "first", "phrases")
    for part, (share, count) in shares.items():
        table.add_row(part, f"{share:.3f}", str(count))
    Console(width=100).print(table)
    summary = {part: {"share": share, "phrases": count} for part, (share, count) in shares.items()}
    missed = [(each.phrase, each.page.kind, each.page.script, each.page.condition) for each in asked if not each.first]
    figures = {"images/s": report.text.images_per_second, "images with text": sum(map(bool, read.values()))}
    output.write_text(json.dumps(figures | {"shares": summary, "missed": missed}, indent=1, ensure_ascii=False))


def _draw(number: int, scripts: Sequence[str], photos: Sequence[Path], fonts: Path | None) -> Page:
    """Return a page; kinds, scripts and conditions take turns."""
    kind = KINDS[number % len(KINDS)]
    condition = CONDITIONS[number // len(KINDS) % len(CONDITIONS)]
    script = scripts[number // (len(KINDS) * len(CONDITIONS)) % len(scripts)]
    return draw_page(number, kind, script, condition, photos, fonts)


def _ask(library: OpenedLibrary, drawn: dict[str, Page]) -> Iterable[Asked]:
    for name, page in drawn.items():
        for phrase in page.phrases[:_ASKED]:
            hits = library.search(f'"{phrase}"', k=5)
            names = [Path(hit.uri).name for hit in hits]
            yield Asked(page, phrase, names[:1] == [name], name in names)


def _ask_nowhere(library: OpenedLibrary, drawn: dict[str, Page]) -> float:
    """Return the share of phrases of random words, on no page, for which some page is found by its text."""
    rng = random.Random(19)
    words = vocabulary("english")
    lines = [line.lower() for page in drawn.values() for line in page.lines]
    wrong = 0
    for _ in range(_NOWHERE):
        phrase = " ".join(rng.choice(words) for _ in range(3))
        if any(phrase in line for line in lines):
            continue
        wrong += any(hit.matched for hit in library.search(f'text:"{phrase}"', k=5))
    return wrong / _NOWHERE


def _shares(asked: Sequence[Asked]) -> dict[str, tuple[float, int]]:
    """Return the share of phrases whose page is first, and their number, by parts."""
    parts: dict[str, list[bool]] = defaultdict(list)
    for each in asked:
        page = each.page
        degraded = "clean" if page.condition == "clean" else "degraded"
        for part in {"all", page.condition, page.kind, page.script, f"{page.script} {degraded}", degraded}:
            parts[part].append(each.first)
    return {part: (round(sum(found) / len(found), 3), len(found)) for part, found in sorted(parts.items())}


if __name__ == "__main__":
    typer.run(main)
