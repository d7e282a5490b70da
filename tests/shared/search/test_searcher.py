from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from findimg.encoders.base import ImageEncoder
from findimg.encoders.registry import build_encoder
from findimg.errors import LibraryError, QueryError
from findimg.images import decode
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.search.image_features import embed_image
from findimg.search.query import Query, parse
from findimg.search.searcher import Searcher
from findimg.text.vectors import EMBEDDED, open_words


@pytest.fixture(scope="module")
def searcher(library: str, cache: Path) -> Iterator[Searcher]:
    searcher = Searcher(Library(library, cache).open(), open_words(EMBEDDED))
    yield searcher
    searcher.close()


@pytest.fixture(scope="module")
def encoder(cache: Path) -> ImageEncoder:
    return build_encoder("efficientnet-lite0", ModelStore(cache / "models"))


def names(searcher: Searcher, text: str, k: int = 3) -> list[str]:
    return [Path(hit.uri).stem for hit in searcher.find(parse(text), k).hits]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("cat", {"cat"}),
        ("cats", {"cat"}),
        ("dalmatian", {"dalmatian"}),
        ("bird", {"eagle", "geese", "spoonbills"}),
        ("strawberries", {"strawberries"}),
        ("coffee", {"coffee"}),
        ("musical instrument", {"drum"}),
    ],
)
def test_words_find_their_images(searcher: Searcher, text: str, right: set[str]) -> None:
    assert set(names(searcher, text, len(right))) == right


def test_scores_are_sorted_and_between_0_and_1(searcher: Searcher) -> None:
    scores = [hit.score for hit in searcher.find(parse("dog"), 20).hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_unwanted_word_moves_images_down(searcher: Searcher) -> None:
    assert names(searcher, "dog", 2) == ["bull-mastiff", "dalmatian"]
    assert names(searcher, "dog -dalmatian", 1) == ["bull-mastiff"]
    assert names(searcher, 'dog -"bull mastiff"', 1) == ["dalmatian"]


def test_unknown_word_error_suggests_spellings(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match=r"'elephhhantx' is unknown.*elephant"):
        searcher.find(parse("elephhhantx"), 10)


def test_word_that_nothing_shows_is_named_and_has_no_hits(searcher: Searcher) -> None:
    answer = searcher.find(parse("democracy"), 10)
    assert answer.hits == []
    assert answer.note == "Nothing here shows 'democracy'."


@pytest.mark.parametrize(
    ("typed", "used"), [("dalmattian", "dalmatian"), ("strawbery", "strawberry"), ("dalmatain -cat", "dalmatian -cat")]
)
def test_clearly_misspelt_word_is_searched_in_its_correct_spelling(searcher: Searcher, typed: str, used: str) -> None:
    answer, expected = searcher.find(parse(typed), 10), searcher.find(parse(used), 10)
    assert answer.hits == expected.hits != []
    assert answer.note == f"Showing results for {used.split()[0]!r}. {expected.note}".strip()


@pytest.mark.parametrize("word", ["sunset", "dalmatian", "geese", "chien", "Paris"])
def test_correctly_spelt_word_is_not_corrected(searcher: Searcher, word: str) -> None:
    answer = searcher.find(parse(word), 10)
    assert "Showing results for" not in answer.note
    assert "Did you mean" not in answer.note


def test_quoted_word_is_not_corrected(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match="'dalmattian' is unknown"):
        searcher.find(parse('"dalmattian"'), 10)


def test_word_that_nothing_shows_is_left_out_of_the_ranking(searcher: Searcher) -> None:
    answer = searcher.find(parse("cat democracy"), 10)
    assert Path(answer.hits[0].uri).name == "cat.png"
    assert answer.note == "Nothing here shows 'democracy'."
    alone = searcher.find(parse("cat"), 10)
    assert [(hit.uri, hit.score) for hit in answer.hits] == [(hit.uri, hit.score) for hit in alone.hits]


def test_weak_word_does_not_spoil_another(searcher: Searcher) -> None:
    answer = searcher.find(parse("red cat"), 10)
    assert Path(answer.hits[0].uri).name == "cat.png"
    assert answer.hits[0].score > 0.4
    assert "'red'" in answer.note


def test_either_of_two_words_is_enough(searcher: Searcher) -> None:
    assert set(names(searcher, "cat or dalmatian", 2)) == {"cat", "dalmatian"}
    assert searcher.find(parse("cat or democracy"), 5).note == ""


@pytest.mark.parametrize("text", ["dog", "dog cat", "bird -eagle", "animal or car", "type:jpg dog", "type:png"])
def test_pages_add_up_to_one_long_answer(searcher: Searcher, text: str) -> None:
    whole = searcher.find(parse(text), 1000)
    assert whole.total == len(whole.hits) > 2
    for size in (1, 3, 4):
        pages = [searcher.find(parse(text), size, skip) for skip in range(0, whole.total, size)]
        assert [hit for page in pages for hit in page.hits] == whole.hits
        assert {page.total for page in pages} == {whole.total}


def test_irrelevant_images_are_left_out(searcher: Searcher) -> None:
    assert len(searcher.find(parse("cat"), 31).hits) < 10


def test_words_that_no_image_combines_are_noted(searcher: Searcher) -> None:
    assert "No image shows all of these" in searcher.find(parse("cat strawberry"), 10).note


def test_known_phrase_needs_no_quotes(searcher: Searcher) -> None:
    assert names(searcher, "bull mastiff", 1) == names(searcher, '"bull mastiff"', 1) == ["bull-mastiff"]


def test_class_weights_the_similarity(searcher: Searcher, samples: Path) -> None:
    item, seen = searcher.look_up(str(samples / "dalmatian.jpg"))
    answer = searcher.similar(seen, parse('class:"bull mastiff"', image=True), 1, excluded=item)
    assert Path(answer.hits[0].uri).stem == "bull-mastiff"


def test_unknown_class_error_suggests_spellings(searcher: Searcher, samples: Path) -> None:
    item, seen = searcher.look_up(str(samples / "dalmatian.jpg"))
    with pytest.raises(QueryError, match=r"No class is called 'siamese cart'.*Siamese cat"):
        searcher.similar(seen, parse('class:"siamese cart"', image=True), 1, excluded=item)


def test_filters_are_exact(searcher: Searcher, samples: Path) -> None:
    answer = searcher.find(parse("dog type:png"), 100)
    found = {Path(uri).name for hit in answer.hits for uri in (hit.uri, *hit.copies, *hit.near_duplicates)}
    assert found == {path.name for path in samples.glob("*.png")}
    assert f"{len(found)} of {searcher.manifest.images} images match" in answer.note
    assert answer.total == len(answer.hits)
    nowhere = searcher.find(parse("dog in:nowhere"), 100)
    assert nowhere.hits == []
    assert nowhere.note.startswith("No folder has 'nowhere' in its path.")


def test_date_filter_reports_images_that_only_the_file_dates(searcher: Searcher) -> None:
    images = searcher.manifest.images
    for word in ("after", "before"):
        note = searcher.find(parse(f"dog {word}:2001-01-01"), 10).note
        assert note.endswith(f"{images} images have no camera date, so the time of the file counts.")
    hits = searcher.find(parse("dog after:2001-01-01"), 10).hits
    assert {hit.dated_by for hit in hits} == {"file"}


def test_image_is_most_similar_to_itself(searcher: Searcher, samples: Path, encoder: ImageEncoder) -> None:
    seen = embed_image(decode((samples / "cat.png").read_bytes()), searcher.manifest, [encoder])
    hits = searcher.similar(seen, Query(""), 5).hits
    assert Path(hits[0].uri).name == "cat.png"
    assert hits[0].score == pytest.approx(1, abs=0.01)
    assert len(hits) == 5


def test_query_image_can_be_left_out(searcher: Searcher, samples: Path) -> None:
    item, seen = searcher.look_up(str(samples / "motorcycle-left.png"))
    hits = searcher.similar(seen, Query(""), 3, excluded=item).hits
    assert Path(hits[0].uri).name == "motorcycle-right.png"
    assert item not in [hit.item for hit in hits]


def test_stored_features_equal_new_ones(searcher: Searcher, samples: Path, encoder: ImageEncoder) -> None:
    _, stored = searcher.look_up(str(samples / "dalmatian.jpg"))
    fresh = embed_image(decode((samples / "dalmatian.jpg").read_bytes()), searcher.manifest, [encoder])
    np.testing.assert_allclose(stored.visual, fresh.visual, atol=0.02)
    assert stored.classes[0] == fresh.classes[0] == 251
    assert len(stored.classes) == 20


def test_tags_name_the_content(searcher: Searcher, samples: Path) -> None:
    _, seen = searcher.look_up(str(samples / "dalmatian.jpg"))
    tags = searcher.tags(seen)
    assert {"dalmatian", "dog"} <= {tag.word for tag in tags[:5]}
    scores = [tag.score for tag in tags]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_image_that_is_not_indexed_is_rejected(searcher: Searcher) -> None:
    with pytest.raises(QueryError, match=r"No image '/etc/passwd' is indexed"):
        searcher.look_up("/etc/passwd")


def test_other_encoder_is_rejected(searcher: Searcher, samples: Path, encoder: ImageEncoder) -> None:
    class Other:
        name = "vgg16"
        fingerprint = "other"

    with pytest.raises(LibraryError, match=r"made with efficientnet-lite0 .* This encoder is vgg16 other"):
        embed_image(decode((samples / "cat.png").read_bytes()), searcher.manifest, [Other()])  # type: ignore[list-item]
