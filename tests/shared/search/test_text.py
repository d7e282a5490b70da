"""Test searches by the words in and around images."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from findimg.errors import QueryError
from findimg.library.library import Library
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.search.taught.examples import indexed_example
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.taught.events import new_action, new_example, parse_event
from findimg.taught.state import merge
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.indexing.run import index
from findimg_jobs.text_store.text_shards import PictureText, ReadLine, TextStats, commit_texts
from tests.conftest import make_once

# What was read in each picture.
WRITTEN = {
    "scan_001.png": "ACME Corp\nInvoice no. 20240042\nTotal 500 EUR",
    "scan_002.png": "Globex\nInvoice of March 2024",
    "screen.png": "Service status\nERROR 500 on server <b>7</b> *now*",
    "other.png": "Service status\nError 404 on server 8",
    "poster.png": "Tabby cat food, half price\nFor your old cat",
    "minutes.png": "Annual shareho1der meeting",
    "kanji.png": "数据库连接错误",
}


PHOTOGRAPHS = {"cat.png": data.chelsea, "BlueRocket.png": data.rocket}
CAPTIONS = {"other.png": "Quokka workshop, second day", "minutes.png": "Quokka budget"}
SIDECAR = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>Wibblesworth</rdf:li>
</rdf:Bag></dc:subject></rdf:Description></rdf:RDF>"""
# Pictures that differ, so that they are no near-duplicates.
PAGES = (data.coins, data.moon, data.page, data.clock, data.brick, data.grass, data.gravel)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Searcher]:
    def make(folder: Path) -> None:
        pictures = folder / "pictures" / "Zorkfest"
        pictures.mkdir(parents=True)
        settings = Settings(library=str(folder / "library"), engine="local", cache=cache)
        for name, picture in PHOTOGRAPHS.items() | dict(zip(WRITTEN, PAGES, strict=True)).items():
            texts = PngInfo()
            texts.add_text("Description", CAPTIONS.get(name, ""))
            Image.fromarray(picture()).save(pictures / name, pnginfo=texts)
        (pictures / "cat.png.xmp").write_text(SIDECAR)
        index(settings, [str(folder / "pictures")])
        texts = [
            PictureText(
                hashlib.sha256((pictures / name).read_bytes()).hexdigest(),
                tuple(ReadLine(line, 0.9) for line in text.split("\n")),
            )
            for name, text in WRITTEN.items()
        ]
        commit_texts(open_storage(settings.library), "reader", texts, [], TextStats("shard", len(texts), len(texts), 0))
        rebuild(settings)

    folder = make_once(tmp_path_factory, "written", make)
    opened = Searcher(Library(str(folder / "library"), cache).open(), open_words(EMBEDDED))
    yield opened
    opened.close()


def found(searcher: Searcher, text: str) -> list[str]:
    return [Path(hit.uri).name for hit in searcher.find(parse(text), 10).hits]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"error 500"', ["screen.png"]),
        ('"Service status"', ["other.png", "screen.png"]),
        ('"status error 404"', ["other.png"]),
        ('"error 502"', []),
        ('"quarterly revenue"', []),
        ('"annual shareholder meeting"', ["minutes.png"]),
        ('"连接错误"', ["kanji.png"]),
        ("连接错误", ["kanji.png"]),
        ("text:invoice", ["scan_001.png", "scan_002.png"]),
        ('text:"march 2024"', ["scan_002.png"]),
        ("text:cat", ["poster.png"]),
        ("text:shareholder", ["minutes.png"]),
        ("text:invoice -text:acme", ["scan_002.png"]),
        ("text:globex or text:acme", ["scan_001.png", "scan_002.png"]),
        ("text:zorkfest", []),
        ("caption:invoice", []),
        ('caption:"second day"', ["other.png"]),
        ("caption:quokka", ["minutes.png", "other.png"]),
        ("quokka workshop", ["other.png", "minutes.png"]),
        ("text:quokka", []),
        ("caption:wibblesworth", ["cat.png"]),
        ("globex", ["scan_002.png"]),
        ("20240042", ["scan_001.png"]),
    ],
)
def test_query_finds_exactly_the_images_with_its_words(searcher: Searcher, text: str, names: list[str]) -> None:
    assert found(searcher, text) == names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("acme invoice 20240042", "scan_001.png"),
        ("globex invoice", "scan_002.png"),
        ("blue rocket", "BlueRocket.png"),
        ('"blue rocket"', "BlueRocket.png"),
        ("error 404", "other.png"),
        ("scan 002", "scan_002.png"),
        ("scan_002.png", "scan_002.png"),
        ("BlueRocket.png", "BlueRocket.png"),
        ("Scan002.png", "scan_002.png"),
        ("error500", "screen.png"),
        ("blueRocket", "BlueRocket.png"),
    ],
)
def test_image_with_all_words_is_first(searcher: Searcher, text: str, name: str) -> None:
    assert found(searcher, text)[0] == name


def test_image_that_shows_a_thing_comes_before_one_that_says_its_name(searcher: Searcher) -> None:
    assert found(searcher, "cat")[:2] == ["cat.png", "poster.png"]


def test_quoted_phrase_finds_its_words_and_then_the_thing(searcher: Searcher) -> None:
    assert found(searcher, '"tabby cat"')[:2] == ["poster.png", "cat.png"]
    hits = searcher.find(parse('"tabby cat"'), 2).hits
    assert [str(hit.matched) for hit in hits] == ["text: **Tabby cat** food, half price For your old cat", "None"]
    assert found(searcher, '"Egyptian cats"')[0] == "cat.png", "it is written nowhere"


def test_quoted_description_finds_its_words_and_then_the_things(searcher: Searcher) -> None:
    assert found(searcher, '"old cat"') == ["poster.png", "cat.png"]
    assert found(searcher, '"striped cats"') == found(searcher, '"gatto rosso"') == ["cat.png"], "it is written nowhere"
    assert found(searcher, '"old cat" -"striped cats"') == ["poster.png", "cat.png"], "nobody wrote it"


@pytest.mark.parametrize("phrase", ["cat insurance", "striped memory", "old cat rocket", "error cat", "cat 500"])
def test_quoted_phrase_that_no_image_shows_or_says_finds_nothing(searcher: Searcher, phrase: str) -> None:
    answer = searcher.find(parse(f'"{phrase}"'), 10)
    assert (answer.hits, answer.note) == ([], f"Nothing here shows or says {phrase!r}.")


def test_quoted_taught_name_finds_its_words_and_the_examples(searcher: Searcher) -> None:
    cat = next(row for row in searcher.catalog.rows(range(len(WRITTEN) + 2)) if row.uri.endswith("cat.png"))
    example = indexed_example(searcher, searcher.look_up(cat.uri)[0])
    new = new_example("T1/U1", new_action(), "Service status", True, example)
    searcher.use_taught(merge([parse_event(new.key, new.data)]))
    assert set(found(searcher, '"service status"')[:3]) == {"cat.png", "other.png", "screen.png"}
    searcher.use_taught(merge([]))


def test_name_of_a_folder_is_found(searcher: Searcher) -> None:
    assert set(found(searcher, "zorkfest")) == {*WRITTEN, *PHOTOGRAPHS}


def test_unknown_word_that_is_written_nowhere_is_an_error(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="'initech' is unknown"):
        found(searcher, "initech invoice")


def test_written_words_that_begin_with_an_unknown_word_are_suggested(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match=r"^The word 'wibbl' is unknown\. Did you mean wibblesworth\?$"):
        found(searcher, "wibbl")


def test_number_that_is_nowhere_is_named_and_left_out(searcher: Searcher) -> None:
    answer = searcher.find(parse("cat 192.168.0.1"), 10)
    assert Path(answer.hits[0].uri).name == "cat.png"
    assert answer.note == "Nothing here shows or says '192.168.0.1'."
    assert not searcher.find(parse("xj900"), 10).hits


def test_answer_shows_where_the_words_are(searcher: Searcher) -> None:
    (hit,) = searcher.find(parse('"error 500"'), 10).hits
    assert str(hit.matched) == "text: Service status **ERROR 500** on server <b>7</b> *now*"
    rocket = searcher.find(parse("blue rocket"), 10).hits[0]
    assert str(rocket.matched) == "name: Zorkfest **Blue** **Rocket** BlueRocket"
    (misread,) = searcher.find(parse('"shareholder meeting"'), 10).hits
    assert str(misread.matched) == "text: Annual **shareho1der meeting**"


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("text:tabby", "text: **Tabby** cat food, half price For your old cat"),
        ("text:price", "text: Tabby cat food, half **price** For your old cat"),
        ("text:7", "text: Service status ERROR 500 on server <b>**7**</b> *now*"),
        ("text:rice", "None"),
    ],
)
def test_answer_marks_whole_words_only(searcher: Searcher, text: str, excerpt: str) -> None:
    hits = searcher.find(parse(text), 1).hits
    assert str(hits[0].matched if hits else None) == excerpt


def test_note_names_words_that_are_nowhere(searcher: Searcher) -> None:
    assert searcher.find(parse('"quarterly revenue"'), 10).note == "Nothing here shows or says 'quarterly revenue'."
    assert searcher.find(parse("text:globe"), 10).note == "No image has the written words 'globe'."
    assert searcher.find(parse("caption:x"), 10).note == "No image has the caption 'x'."


def test_kinds_of_text_can_be_left_out(searcher: Searcher) -> None:
    blind = Searcher(searcher.version, searcher.words, text_kinds=())
    with pytest.raises(QueryError, match="'zorkfest' is unknown"):
        found(blind, "zorkfest")
    assert found(blind, "cat")[0] == "cat.png"
    blind.close()
