"""Answers in the terminal: as text for a person, as JSON for a program, as a row of a contact sheet."""

from pathlib import PurePosixPath
from typing import Any

import PIL.Image
from rich.console import Console
from rich.text import Text

from findimg.contact_sheet import Cell, Row
from findimg.errors import ObjectMissingError
from findimg.library.library import Library
from findimg_bot.service.answers import Answer, Found, Related, Tagged

_BAR = 12  # characters that a score of 1 fills


def as_json(answer: Answer, library: Library | None) -> dict[str, Any]:
    """The object that `ask --json` prints.

    Args:
        library: where the hits' thumbnails lie; None for an answer that has none.
    """
    if isinstance(answer, Related):
        return {"words": [{"word": word, "distance": d} for word, d in answer.words], "took_ms": answer.took_ms}
    if isinstance(answer, Tagged):
        tags = [{"word": tag.word, "score": tag.score} for tag in answer.tags]
        return {"tags": tags, "version": answer.version, "took_ms": answer.took_ms}
    assert library is not None
    hits = [
        {
            "uri": hit.uri,
            "score": hit.score,
            "width": hit.width,
            "height": hit.height,
            "thumbnail": library.storage.uri(hit.thumbnail),
        }
        for hit in answer.hits
    ]
    return {
        "query": answer.query,
        "hits": hits,
        "note": answer.note,
        "version": answer.version,
        "took_ms": answer.took_ms,
    }


def show(console: Console, text: str, answer: Answer) -> None:
    """Prints an answer for a person."""
    console.print(Text.assemble((text, "bold"), (f"  {answer.took_ms:.0f} ms", "dim")))
    if isinstance(answer, Found):
        lines = [(hit.score, f"{hit.width:>5} × {hit.height:<5} {hit.uri}") for hit in answer.hits]
    elif isinstance(answer, Tagged):
        lines = [(tag.score, f" {tag.word}") for tag in answer.tags]
    else:
        lines = [(distance, f" {word}") for word, distance in answer.words]
    for score, line in lines:
        # Only a score grows with likeness; a distance would draw the bar the wrong way round.
        bar = "" if isinstance(answer, Related) else f"{'█' * round(max(score, 0) * _BAR):<{_BAR}}"
        console.print(Text.assemble(f"  {score:.2f} ", (bar, "green"), line), soft_wrap=True)
    if not lines:
        console.print("  nothing found", style="dim")
    if isinstance(answer, Found) and answer.note:
        console.print(Text(answer.note, style="yellow"))
    console.print()


def sheet_row(text: str, answer: Answer, library: Library, image: PIL.Image.Image | None) -> Row:
    """An answer as a row of a contact sheet.

    Args:
        image: what was asked with, where an image was.
    """
    if isinstance(answer, Related):
        return Row(text, words=answer.words)
    if isinstance(answer, Tagged):
        return Row(text, image, words=[(tag.word, tag.score) for tag in answer.tags])
    cells = [
        Cell(_thumbnail(library, hit.thumbnail), f"{hit.score:.2f}  {PurePosixPath(hit.uri).name}")
        for hit in answer.hits
    ]
    return Row(text, None if text.startswith("/findimg") else image, hits=cells)


def _thumbnail(library: Library, key: str) -> bytes | None:
    try:
        return library.storage.read(key)
    except ObjectMissingError:
        return None
