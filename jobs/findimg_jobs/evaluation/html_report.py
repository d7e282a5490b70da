"""Render an evaluation as one self-contained HTML file, with a plot and a contact sheet."""

import base64
import io
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, tostring

import PIL.Image

from findimg.errors import ObjectMissingError
from findimg.storage.base import Storage, open_storage
from findimg_jobs.evaluation.figures import Evaluation
from findimg_jobs.evaluation.metrics import TOP, JudgedAnswer
from findimg_jobs.evaluation.report_tables import (
    ENCODER_COLUMNS,
    LABEL_COLUMNS,
    RANKING_COLUMNS,
    RECALL_COLUMNS,
    TAUGHT_COLUMNS,
    figure,
    labels_by_encoder,
)

MOST_LABELS = 50  # number of worst labels on the contact sheet; with 10 thumbnails each the page has some megabytes
MOST_IMAGES = 20  # number of labels with an image query on the contact sheet
THUMBNAIL = 192  # pixels; the page shows half of that, for high-resolution screens
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _EDGE = 640, 300, 44, 34, 12  # of the plot, in SVG units

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
h3 { font-size: 1rem; margin: 0; } h3 .faint { font-weight: 400; font-size: .875rem; }
p { margin: 4px 0; max-width: 46rem; }
.faint, figcaption { color: var(--faint); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin-top: 24px; }
.card { background: var(--card); border-radius: 10px; padding: 12px 16px; }
.card b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--faint); font-size: .875rem; }
.wide { overflow-x: auto; } .wide + .wide { margin-top: 24px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 12px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 500; font-size: .875rem; white-space: normal; vertical-align: bottom;
  overflow-wrap: normal; }
th:first-child, td:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--paper);
  white-space: normal; min-width: 9rem; }
.plot { display: block; width: 100%; max-width: 760px; height: auto; }
.plot text { fill: var(--faint); font-size: 13px; }
@media (max-width: 640px) { .plot text { font-size: 20px; } th, td { font-size: .8rem; padding: 5px 6px; }
  th:first-child, td:first-child { min-width: 5rem; } }
.grid { stroke: var(--line); stroke-width: 1; }
.s0 { --hue: var(--s0); } .s1 { --hue: var(--s1); } .s2 { --hue: var(--s2); } .s3 { --hue: var(--s3); }
.curve { fill: none; stroke: var(--hue); stroke-width: 2.5; stroke-linejoin: round; }
.s1 .curve { stroke-dasharray: 9 5; } .s2 .curve { stroke-dasharray: 2 5; } .s3 .curve { stroke-dasharray: 12 4 2 4; }
.point { fill: var(--hue); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 24px; padding: 0; margin: 4px 0; list-style: none; }
.legend svg { width: 36px; height: 10px; margin-right: 8px; }
.query { border-top: 1px solid var(--line); padding: 14px 0; content-visibility: auto; contain-intrinsic-size: 200px; }
.hits { display: grid; grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); gap: 10px; margin-top: 8px; }
figure { margin: 0; min-width: 0; position: relative; }
.picture { width: 100%; aspect-ratio: 1; object-fit: contain; display: grid; place-items: center; text-align: center;
  background: var(--card); border: 4px solid var(--line); border-radius: 4px; font-size: .75rem; color: var(--faint); }
.right .picture { border-color: var(--right); } .wrong .picture { border: 4px dashed var(--wrong); }
.unknown .picture { border-style: dotted; } .asked .picture { border-color: var(--s0); }
.mark { position: absolute; top: 0; right: 0; width: 24px; height: 24px; border-radius: 0 4px 0 6px; padding: 5px;
  fill: none; stroke: var(--paper); stroke-width: 3; stroke-linecap: round; stroke-linejoin: round; }
.right .mark { background: var(--right); } .wrong .mark { background: var(--wrong); }
figcaption { font-size: .75rem; line-height: 1.3; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
@media print { .query { content-visibility: visible; break-inside: avoid; } }
"""
_MARKS = {"right": "M2 8l4 4 8-9", "wrong": "M3 3l10 10M13 3L3 13"}


def write_html_report(path: Path, evaluation: Evaluation, library: Storage) -> None:
    """Write an evaluation's page atomically.

    Args:
        path: the HTML file. An older file is replaced.
        evaluation: the evaluation.
        library: the storage that holds the thumbnails.

    Raises:
        StorageError: the file cannot be written, or the library cannot be read.
    """
    # The library's address may be a path with bytes that are not UTF-8.
    page = render_html_report(evaluation, library).encode("utf-8", "replace")
    open_storage(path.parent).write(path.name, page)


def render_html_report(evaluation: Evaluation, library: Storage) -> str:
    """Return an evaluation as HTML that loads nothing from other addresses."""
    words = [label.text for label in evaluation.labels if label.text][:MOST_LABELS]
    hardest = [min(label.similar, key=_at_top) for label in evaluation.labels if label.similar]
    images = sorted(hardest, key=_at_top)[:MOST_IMAGES]
    pictures = _read_thumbnails(library, [*words, *images])
    body = _e(
        "body",
        {},
        *_summary(evaluation),
        _e("h2", {}, "Precision by k, the number of hits looked at"),
        *_plot(_precision_chart(evaluation)),
        *_encoders(evaluation),
        *_taught(evaluation),
        _e("h2", {}, "Figures"),
        _table("Ranking", RANKING_COLUMNS, [(name, ranking.as_dict()) for name, ranking in evaluation.rankings()]),
        _table("Annoy index", RECALL_COLUMNS, [(each.index, each.as_dict()) for each in evaluation.indexes]),
        _e("h2", {}, "Labels, worst first"),
        _table("Label", LABEL_COLUMNS, [(each.label, each.as_dict()) for each in evaluation.labels]),
        *_sheet(f"Labels and their first {TOP} hits", words, pictures),
        *_sheet("Images and those most like them: of each label the hardest image, the worst first", images, pictures),
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


def _e(tag: str, attributes: Mapping[str, str], *content: Element | str) -> Element:
    """Return an element. Text and attributes are escaped when the tree is written."""
    element = Element(tag, dict(attributes))
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + part
        else:
            element.text = (element.text or "") + part
    return element


def _summary(it: Evaluation) -> Iterator[Element]:
    yield _e("h1", {}, "Evaluation of ", _e("bdi", {}, it.library))
    for line in it.lines():
        yield _e("p", {"class": "faint"}, line)
    cards: list[tuple[float | None, str]] = []
    if it.text:
        cards.append((it.text.precision[-1], f"text → image, precision@{TOP}"))
        cards.append((it.text.mean_average_precision, "text → image, mAP"))
    if it.similar:
        cards.append((it.similar.precision[-1], f"image → image, precision@{TOP}"))
    if it.tags:
        cards.append((it.tags.first, "first tag is right"))
        cards.append((it.tags.among_five, "a right tag among five"))
    cards.append((min(each.measured for each in it.indexes), "recall@10 of Annoy, the lowest"))
    boxes = [_e("div", {"class": "card"}, _e("b", {}, figure(value)), _e("span", {}, name)) for value, name in cards]
    yield _e("div", {"class": "cards"}, *boxes)


def _curves(evaluation: Evaluation) -> Iterator[tuple[str, Sequence[float]]]:
    """Yield the curves of the plot: the searches, and each head over all labels."""
    if evaluation.text:
        yield "Text → image", evaluation.text.precision
    if evaluation.similar:
        yield "Image → image", evaluation.similar.precision
    for each in evaluation.heads:
        if each.all:
            yield f"{each.head} alone", each.all.precision


@dataclass(frozen=True, slots=True)
class _Chart:
    """Curves over the same places."""

    curves: Sequence[tuple[str, Sequence[float]]]
    ticks: Sequence[str]  # labels of the places
    point: str  # what a point is, before its tick
    about: str
    caption: str
    spreads: Sequence[float] = ()  # of the first curve's values


def _precision_chart(evaluation: Evaluation) -> _Chart:
    return _Chart(
        curves=list(_curves(evaluation)),
        ticks=[str(k) for k in range(1, TOP + 1)],
        point="precision@",
        about="Precision by k",
        caption="Precision@k is the share of right ones among the first k labelled images, out of as many as there can "
        "be.",
    )


def _encoders(evaluation: Evaluation) -> Iterator[Element]:
    """Yield the section that compares two encoders, if there are two."""
    if not evaluation.encoders:
        return
    yield _e("h2", {}, "Each encoder alone")
    parts = [("Text → image", "text"), ("Image → image", "similar")]
    curves = [
        (f"{title}, {each.encoder}", ranking.precision)
        for title, name in parts
        for each in evaluation.encoders
        if (ranking := getattr(each, name))
    ]
    chart = _precision_chart(evaluation)
    yield from _plot(replace(chart, curves=curves, about="Precision by k and encoder"))
    yield _table("Encoder", ENCODER_COLUMNS, [(each.encoder, each.as_dict()) for each in evaluation.encoders])
    yield _table("Label", *labels_by_encoder(evaluation))


def _taught(evaluation: Evaluation) -> Iterator[Element]:
    """Yield the section on teaching, if it was measured."""
    if not evaluation.taught:
        return
    yield _e("h2", {}, "Precision after teaching some examples of each label")
    chart = _Chart(
        curves=[("Text → image", [each.precision for each in evaluation.taught])],
        ticks=[str(each.examples) for each in evaluation.taught],
        point=f"precision@{TOP}, number of examples ",
        about="Precision by number of examples",
        caption=f"Precision@{TOP} of labels as queries, by the number of random examples of each. Examples do not "
        "count as hits. Vertical lines show the standard deviation of the random choices.",
        spreads=[each.spread for each in evaluation.taught],
    )
    yield from _plot(chart)
    yield _table("Taught", TAUGHT_COLUMNS, [(each.title, each.as_dict()) for each in evaluation.taught])


def _plot(chart: _Chart) -> Iterator[Element]:
    if not chart.curves:
        return
    curves = chart.curves
    lowest = min(0.8, *(value for _, values in curves for value in values))
    tenths = int(lowest * 10)

    def x(place: int) -> float:
        return _LEFT + place * (_WIDTH - _LEFT - _EDGE) / (len(chart.ticks) - 1)

    def y(value: float) -> float:
        return _EDGE + (1 - value) / (1 - tenths / 10) * (_HEIGHT - _BOTTOM - _EDGE)

    marks = []
    for tenth in range(tenths, 11):
        height = f"{y(tenth / 10):.1f}"
        marks.append(_e("path", {"class": "grid", "d": f"M{_LEFT} {height}H{_WIDTH - _EDGE}"}))
        place = {"x": str(_LEFT - 8), "y": height, "text-anchor": "end", "dominant-baseline": "middle"}
        marks.append(_e("text", place, f"{tenth / 10:.1f}"))
    for at, tick in enumerate(chart.ticks):
        marks.append(_e("text", {"x": f"{x(at):.1f}", "y": str(_HEIGHT - 10), "text-anchor": "middle"}, tick))
    legend = []
    for number, (name, values) in enumerate(curves):
        points = [(x(place), y(value)) for place, value in enumerate(values)]
        line = {"class": "curve", "d": "M" + "L".join(f"{left:.1f} {top:.1f}" for left, top in points)}
        dots = [
            _e(
                "circle",
                {"class": "point", "cx": f"{left:.1f}", "cy": f"{top:.1f}", "r": "4"},
                _e("title", {}, f"{name}: {chart.point}{tick} {figure(value)}"),
            )
            for tick, (left, top), value in zip(chart.ticks, points, values, strict=True)
        ]
        if not number:
            for at, (value, spread) in enumerate(zip(values, chart.spreads, strict=False)):
                span = f"M{x(at):.1f} {y(min(1, value + spread)):.1f}V{y(max(tenths / 10, value - spread)):.1f}"
                dots.append(_e("path", {"class": "curve", "d": span}))
        style = {"class": f"s{number}"}
        marks.append(_e("g", style, _e("path", line), *dots))
        sample = _e("svg", {"viewBox": "0 0 36 10"}, _e("path", {"class": "curve", "d": "M0 5H36"}))
        legend.append(_e("li", style, sample, name))
    view = {"class": "plot", "viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": chart.about}
    yield _e("svg", view, *marks)
    yield _e("ul", {"class": "legend"}, *legend)
    yield _e("p", {"class": "faint"}, chart.caption)


def _table(title: str, columns: Mapping[str, str], rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Element:
    head = _e("tr", {}, *(_e("th", {}, name) for name in (title, *columns.values())))
    body = [
        _e("tr", {}, _e("td", {}, _e("bdi", {}, name)), *(_e("td", {}, figure(figures[key])) for key in columns))
        for name, figures in rows
    ]
    return _e("div", {"class": "wide"}, _e("table", {}, _e("thead", {}, head), _e("tbody", {}, *body)))


def _sheet(title: str, answers: Sequence[JudgedAnswer], pictures: Mapping[str, str | None]) -> Iterator[Element]:
    if not answers:
        return
    yield _e("h2", {}, title)
    yield _e(
        "p",
        {"class": "faint"},
        "A tick and a solid frame mark a right image. A cross and a dashed frame mark a wrong one, with its label. "
        "An image with neither has no label.",
    )
    for answer in answers:
        figures = f"precision@{TOP} {figure(answer.precision[-1])}"
        if answer.average is not None:
            figures += f", average precision {figure(answer.average)}"
        cells = []
        if answer.thumbnail:
            cells.append(_figure("asked", "query image", answer.query, pictures[answer.thumbnail]))
        for hit, label in answer.hits:
            kind = "unknown" if label is None else "right" if label == answer.label else "wrong"
            cells.append(_figure(kind, label or posixpath.basename(hit.uri), hit.uri, pictures[hit.thumbnail]))
        heading = _e("h3", {}, _e("bdi", {}, answer.label), " ", _e("span", {"class": "faint"}, figures))
        hits = _e("div", {"class": "hits"}, *cells) if answer.hits else _e("p", {}, "Nothing found.")
        yield _e("section", {"class": "query"}, heading, hits)


def _figure(kind: str, caption: str, uri: str, picture: str | None) -> Element:
    if picture:
        shown = [_e("img", {"class": "picture", "src": picture, "alt": f"{kind}: {uri}"})]
    else:
        shown = [_e("div", {"class": "picture"}, "no thumbnail")]
    if kind in _MARKS:
        shown.append(_e("svg", {"class": "mark", "viewBox": "0 0 16 16"}, _e("path", {"d": _MARKS[kind]})))
    return _e("figure", {"class": kind, "title": uri}, *shown, _e("figcaption", {}, _e("bdi", {}, caption)))


def _read_thumbnails(library: Storage, answers: Sequence[JudgedAnswer]) -> dict[str, str | None]:
    """Return the thumbnails by key, as `data:` URIs; None if there is none. Read in parallel, because S3 is slow."""
    keys = {hit.thumbnail for answer in answers for hit, _ in answer.hits}
    keys |= {answer.thumbnail for answer in answers if answer.thumbnail}
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(keys, pool.map(lambda key: _read_thumbnail(library, key), keys), strict=True))


def _read_thumbnail(library: Storage, key: str) -> str | None:
    small = io.BytesIO()
    try:
        with PIL.Image.open(io.BytesIO(library.read(key)), formats=("JPEG",)) as image:
            image.thumbnail((THUMBNAIL, THUMBNAIL))
            image.convert("RGB").save(small, "JPEG", quality=75, optimize=True)
    except (ObjectMissingError, OSError, PIL.Image.DecompressionBombError):
        return None  # the page shows a placeholder
    return "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode()


def _at_top(answer: JudgedAnswer) -> float:
    return answer.precision[-1]
