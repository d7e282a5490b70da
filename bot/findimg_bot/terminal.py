"""Prints results in the terminal: as text, as JSON, or as a row of a contact sheet."""

from pathlib import PurePosixPath
from typing import Any

import PIL.Image
from rich.console import Console
from rich.text import Text

from findimg.contact_sheet import Cell, Row
from findimg.errors import ObjectMissingError
from findimg.library.library import Library
from findimg.search.answers.results import Hit
from findimg.terminal import printable
from findimg_bot.question_results import ImageResults, Results, TagResults, WordResults

_BAR = 12  # characters that a score of 1 fills


def as_json(results: Results, library: Library | None) -> dict[str, Any]:
    """Return the object that `ask --json` prints.

    Args:
        library: holds the hits' thumbnails; None for results without hits.
    """
    if isinstance(results, WordResults):
        return {"words": [{"word": word, "distance": d} for word, d in results.words], "took_ms": results.took_ms}
    if isinstance(results, TagResults):
        tags = [{"word": tag.word, "score": tag.score} for tag in results.tags]
        return {"tags": tags, "text": results.text, "version": results.version, "took_ms": results.took_ms}
    assert library is not None
    hits = [
        {
            "uri": hit.uri,
            "score": hit.score,
            "width": hit.width,
            "height": hit.height,
            "taken": hit.taken.isoformat(" ") if hit.taken else None,
            "dated_by": hit.dated_by,
            "thumbnail": library.storage.uri(hit.thumbnail),
            "copies": list(hit.copies),
            "near_duplicates": list(hit.near_duplicates),
            "matched": str(hit.matched) if hit.matched else None,
        }
        for hit in results.hits
    ]
    return {
        "query": results.query,
        "hits": hits,
        "total": results.total,
        "note": results.note,
        "version": results.version,
        "took_ms": results.took_ms,
    }


def print_results(console: Console, text: str, results: Results) -> None:
    """Print results for a person."""
    console.print(Text.assemble((printable(text), "bold"), (f"  {results.took_ms:.0f} ms", "dim")))
    if isinstance(results, ImageResults):
        lines = [
            (hit.score, f"{hit.width:>5} × {hit.height:<5} {printable(hit.uri)}{_others(hit)}{_matched(hit)}")
            for hit in results.hits
        ]
    elif isinstance(results, TagResults):
        lines = [(tag.score, f" {tag.word}") for tag in results.tags]
    else:
        lines = [(distance, f" {word}") for word, distance in results.words]
    for score, line in lines:
        # A score grows with similarity, a distance does not.
        bar = "" if isinstance(results, WordResults) else f"{'█' * round(max(score, 0) * _BAR):<{_BAR}}"
        console.print(Text.assemble(f"  {score:.2f} ", (bar, "green"), line), soft_wrap=True)
    if not lines:
        console.print("  nothing found", style="dim")
    if isinstance(results, TagResults):
        for line in results.text.splitlines():
            console.print(Text(f"  text: {printable(line)}"), soft_wrap=True)
    if isinstance(results, ImageResults) and results.hits and results.total is not None:
        console.print(f"  1 to {len(results.hits):,} of {results.total:,}", style="dim")
    if isinstance(results, ImageResults) and results.note:
        console.print(Text(printable(results.note), style="yellow"))
    console.print()


def _others(hit: Hit) -> str:
    """Return how many images are folded behind a hit, as in ` and 11 copies`."""
    kinds = [(len(hit.copies), "copy", "copies"), (len(hit.near_duplicates), "near-duplicate", "near-duplicates")]
    return "".join(f" and {count:,} {one if count == 1 else many}" for count, one, many in kinds if count)


def _matched(hit: Hit) -> str:
    """Return a line with the text that has the words of the query. The hit's address shows matches in its name."""
    if not hit.matched or hit.matched.kind == "name":
        return ""
    return f"\n{' ' * (_BAR + 7)}{printable(str(hit.matched))}"


def sheet_row(text: str, results: Results, library: Library, image: PIL.Image.Image | None) -> Row:
    """Return results as a row of a contact sheet.

    Args:
        image: the image of the question, None where it has none.
    """
    if isinstance(results, WordResults):
        return Row(text, words=results.words)
    if isinstance(results, TagResults):
        return Row(text, image, words=[(tag.word, tag.score) for tag in results.tags])
    cells = [
        Cell(_thumbnail(library, hit.thumbnail), f"{hit.score:.2f}  {PurePosixPath(hit.uri).name}")
        for hit in results.hits
    ]
    return Row(text, None if text.startswith("/findimg") else image, hits=cells)


def _thumbnail(library: Library, key: str) -> bytes | None:
    try:
        return library.storage.read(key)
    except ObjectMissingError:
        return None
