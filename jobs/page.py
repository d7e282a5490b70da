"""Pages: an evaluation as one HTML file that needs nothing else, with plot and contact sheet."""

import base64
import io
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, tostring

import PIL.Image

from jobs.evaluation import (
    LABEL_COLUMNS,
    RANKING_COLUMNS,
    RECALL_COLUMNS,
    TOP,
    Answered,
    Evaluation,
    LabelFigures,
    Ranking,
    figure,
    rank,
)
from shared.errors import ObjectMissingError
from shared.search import Hit
from shared.storage import FolderStorage, Storage

MOST_LABELS = 50  # on the contact sheet, the worst; with 10 thumbnails each the page has some megabytes
MOST_IMAGES = 20  # labels of which an image as a query is shown
THUMBNAIL = 192  # pixels; the sheet shows them at half of that, for screens with two pixels to a point
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _EDGE = 640, 300, 44, 34, 12  # of the plot, in its own units

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --card: #f4f5f7; --line: #d9dce1; --ink: #16181d; --faint: #5b626e;
  --right: #11804a; --wrong: #c5281c; --s0: #1f5fd0; --s1: #b45309; --s2: #0f766e; --s3: #9333ea; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14161a; --card: #1f2228; --line: #3a3f48; --ink: #eceef1; --faint: #a2a9b4;
    --right: #3fbf7f; --wrong: #ff7a6b; --s0: #7aa7ff; --s1: #f0a94a; --s2: #4fd1c1; --s3: #c9a0ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 16px 64px; max-width: 1120px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; }
h2 { font-size: 1.2rem; margin: 40px 0 8px; }
h3 { font-size: 1rem; margin: 0; }
p { margin: 4px 0; max-width: 46rem; }
.faint, figcaption { color: var(--faint); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 24px; }
.card { background: var(--card); border-radius: 10px; padding: 12px 16px; }
.card b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--faint); font-size: .875rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 12px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 500; font-size: .875rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--paper);
  white-space: normal; min-width: 8rem; }
.plot { display: block; width: 100%; max-width: 760px; height: auto; }
.plot text { fill: var(--faint); font-size: 13px; }
.grid { stroke: var(--line); stroke-width: 1; }
.s0 { --hue: var(--s0); } .s1 { --hue: var(--s1); } .s2 { --hue: var(--s2); } .s3 { --hue: var(--s3); }
.curve { fill: none; stroke: var(--hue); stroke-width: 2.5; stroke-linejoin: round; }
.s1 .curve { stroke-dasharray: 9 5; } .s2 .curve { stroke-dasharray: 2 5; } .s3 .curve { stroke-dasharray: 12 4 2 4; }
.point { fill: var(--hue); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 24px; padding: 0; margin: 4px 0; list-style: none; }
.legend svg { width: 36px; height: 10px; margin-right: 8px; }
.query { border-top: 1px solid var(--line); padding: 14px 0; content-visibility: auto; contain-intrinsic-size: 200px; }
.hits { display: grid; grid-template-columns: repeat(auto-fill, minmax(92px, 1fr)); gap: 10px; margin-top: 8px; }
figure { margin: 0; min-width: 0; position: relative; }
.picture { width: 100%; aspect-ratio: 1; object-fit: contain; display: grid; place-items: center; background: var(--card);
  border: 4px solid var(--line); border-radius: 4px; font-size: .75rem; color: var(--faint); text-align: center; }
.right .picture { border-color: var(--right); } .wrong .picture { border: 4px dashed var(--wrong); }
.asked .picture { border-color: var(--s0); }
.mark { position: absolute; top: 0; right: 0; width: 24px; height: 24px; border-radius: 0 4px 0 6px; padding: 5px;
  fill: none; stroke: var(--paper); stroke-width: 3; stroke-linecap: round; stroke-linejoin: round; }
.right .mark { background: var(--right); } .wrong .mark { background: var(--wrong); }
figcaption { font-size: .75rem; line-height: 1.3; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
@media print { .query { content-visibility: visible; break-inside: avoid; } }
"""
_TICK, _CROSS = "M2 8l4 4 8-9", "M3 3l10 10M13 3L3 13"


def write_page(path: Path, evaluation: Evaluation, library: Storage) -> None:
    """Writes an evaluation's page in one step: an older page is replaced by the whole new one, or stays.

    Args:
        library: where the thumbnails lie.

    Raises:
        StorageError: the file cannot be written, or the library not read.
    """
    FolderStorage(str(path.parent)).write(path.name, draw_page(evaluation, library).encode())


def draw_page(evaluation: Evaluation, library: Storage) -> str:
    """Returns an evaluation as HTML that loads nothing from elsewhere."""
    asked = [label.text for label in evaluation.labels[:MOST_LABELS] if label.text]
    worst = sorted((min(label.similar, key=_last) for label in evaluation.labels if label.similar), key=_last)
    seen = worst[:MOST_IMAGES]
    pictures = _read_thumbnails(library, [*asked, *seen])
    body = _e(
        "body",
        {},
        *_head(evaluation),
        _e("h2", {}, "Precision by k"),
        *_plot(_curves(evaluation)),
        _e("h2", {}, "Figures"),
        _table("", RANKING_COLUMNS, [(name, ranking.as_dict()) for name, ranking in evaluation.rankings()]),
        _table("Annoy index", RECALL_COLUMNS, [(each.index, each.as_dict()) for each in evaluation.indexes]),
        _e("h2", {}, "Labels, worst first"),
        _table("Label", LABEL_COLUMNS, [(each.label, each.as_dict()) for each in evaluation.labels]),
        *_sheet("Labels and their first hits", evaluation.labels, asked, pictures),
        *_sheet("Images and the images most like them", evaluation.labels, seen, pictures),
    )
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = _e(
        "head",
        {},
        _e("meta", {"charset": "utf-8"}),
        _e("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        _e("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        _e("title", {}, "findimg evaluation"),
        _e("style", {}, _STYLE),
    )
    return "<!doctype html>\n" + tostring(_e("html", {"lang": "en"}, head, body), "unicode", method="html")
