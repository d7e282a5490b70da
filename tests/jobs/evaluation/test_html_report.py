"""Test that the page of an evaluation needs no other file and is harmless whatever the names of images."""

import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from findimg.errors import StorageError
from findimg.search.answers.results import Hit
from findimg.storage.folder import FolderStorage
from findimg_jobs.evaluation.figures import Evaluation, HeadFigures, IndexRecall, LabelFigures, TagHits
from findimg_jobs.evaluation.html_report import render_html_report, write_html_report
from findimg_jobs.evaluation.metrics import JudgedAnswer, rank

HOSTILE = '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>&amp;\u202e.jpg'


class Elements(HTMLParser):
    """A parser that collects the elements of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]

    def classed(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.found if attributes.get("class") == name]


def hit(name: str, sha256: str = "aa") -> Hit:
    return Hit(f"/photos/{name}", 0.5, 0, 10, 10, sha256, None)


def evaluation(label: str, *hits: tuple[Hit, str | None]) -> Evaluation:
    answer = JudgedAnswer(label, label, (0.25,) * 10, 0.5, hits)
    similar = JudgedAnswer(f"/photos/{label}", label, (0.75,) * 10, None, hits, "thumbnails/aa/aa.jpg")
    ranking = rank([answer])
    return Evaluation(
        library="lib",
        version="v",
        backbone="b",
        words="w",
        head=label,
        images=1,
        not_indexed=0,
        text=ranking,
        similar=rank([similar]),
        tags=TagHits(1, 1.0, 1.0),
        indexes=(IndexRecall("visual", 0.98, 0.97, 1),),
        heads=(HeadFigures(label, ranking, ranking, None),),
        labels=(LabelFigures(label, 1, answer, (similar,), None),),
        notes=(label,),
        seconds=1.0,
    )


@pytest.fixture
def library(tmp_path: Path) -> FolderStorage:
    (tmp_path / "thumbnails" / "aa").mkdir(parents=True)
    Image.new("RGB", (320, 200), "red").save(tmp_path / "thumbnails" / "aa" / "aa.jpg")
    return FolderStorage(str(tmp_path))


def test_hostile_names_are_escaped(library: FolderStorage) -> None:
    page = render_html_report(evaluation(HOSTILE, (hit(HOSTILE), HOSTILE), (hit(HOSTILE), None)), library)
    elements = Elements(page)
    assert not elements.named("script")
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in elements.named("img"))
    assert elements.classed("right")[0]["title"] == f"/photos/{HOSTILE}"
    assert HOSTILE in elements.text


def test_page_loads_nothing_from_other_addresses(library: FolderStorage) -> None:
    elements = Elements(render_html_report(evaluation("cat", (hit("1.jpg"), "cat")), library))
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in elements.found}
    assert not [attributes for _, attributes in elements.found if "href" in attributes]
    assert any("default-src 'none'" in str(meta.get("content")) for meta in elements.named("meta"))


def test_right_and_wrong_images_have_symbols(library: FolderStorage) -> None:
    hits = (hit("1.jpg"), "cat"), (hit("2.jpg"), "dog"), (hit("3.jpg"), "dog"), (hit("4.jpg"), None)
    elements = Elements(render_html_report(evaluation("cat", *hits), library))
    # Both sheets show the same hits here.
    assert [len(elements.classed(kind)) for kind in ("right", "wrong", "unknown", "asked", "mark")] == [2, 4, 2, 1, 6]
    assert len({str(path["d"]) for path in elements.named("path") if "class" not in path}) == 2


def test_plot_has_a_curve_for_each_search_and_head(library: FolderStorage) -> None:
    elements = Elements(render_html_report(evaluation("cat"), library))
    curves = [path for path in elements.classed("curve") if "L" in str(path["d"])]
    assert len(curves) == 3
    assert len(elements.named("circle")) == 30
    assert "Nothing found." in elements.text


def test_missing_and_broken_thumbnails_become_placeholders(library: FolderStorage) -> None:
    library.write("thumbnails/br/broken.jpg", b"no jpeg")
    hits = (hit("1.jpg", "broken"), "cat"), (hit("2.jpg", "gone"), "cat")
    assert Elements(render_html_report(evaluation("cat", *hits), library)).text.count("no thumbnail") == 4


def test_version_without_words_has_a_page(library: FolderStorage) -> None:
    both = evaluation("cat", (hit("1.jpg"), "cat"))
    labels = tuple(replace(label, text=None, tags=None) for label in both.labels)
    elements = Elements(render_html_report(replace(both, text=None, tags=None, heads=(), labels=labels), library))
    assert len(elements.classed("right")) == 1


def test_page_replaces_an_older_page(library: FolderStorage, tmp_path: Path) -> None:
    path = tmp_path / "out" / "report.html"
    for label in ("cat", "dog"):
        write_html_report(path, evaluation(label), library)
    assert "dog" in Elements(path.read_text("utf-8")).text
    assert list(path.parent.iterdir()) == [path]


def test_library_path_that_is_not_utf8_has_a_page(library: FolderStorage, tmp_path: Path) -> None:
    write_html_report(
        tmp_path / "report.html", replace(evaluation("cat"), library=os.fsdecode(b"/photos/\xff")), library
    )
    assert "Evaluation of /photos/?" in Elements((tmp_path / "report.html").read_text("utf-8")).text


def test_unwritable_path_is_reported(library: FolderStorage, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"report\.html cannot be written"):
        write_html_report(tmp_path / "file" / "report.html", evaluation("cat"), library)
