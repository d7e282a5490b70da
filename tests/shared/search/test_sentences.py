"""Test search by sentence with a made pair of towers, see `tests.sentences`."""

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import findimg
from findimg.encoders.base import MODEL_FOLDER
from findimg.errors import FindimgError, LibraryError, ModelError
from findimg.index.float16 import Float16Matrix
from findimg.index.segmented import SegmentedMatrix
from findimg.library.items import ItemRows
from findimg.library.layout import VOCABULARY_FILE, shared_key
from findimg.library.library import Library, Version
from findimg.library.manifest import FileEntry
from findimg.models.store import ModelStore
from findimg.search.evidence.sentences import NOISE_RELEVANCE, SentenceEvidence
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.search.sentences.text_vectors import TextVectors, text_vectors
from findimg.search.sentences.vocabulary import BackgroundVocabulary, common_nouns, read_vocabulary
from findimg.search.terms.expansion import ExpandedTerm
from findimg.search.terms.sentences import sentences
from findimg.text.lexicon import CLASSES, open_lexicon
from findimg.text.vectors import EMBEDDED, open_words
from tests.shared.encoders.made_clip import evil_model, model_with_data_at


@pytest.fixture(scope="module")
def version(things: Path, cache: Path) -> Version:
    return Library(str(things / "library"), cache).open()


@pytest.fixture(scope="module")
def searcher(version: Version, cache: Path) -> Iterator[Searcher]:
    searcher = Searcher(version, open_words(EMBEDDED), text_vectors=text_vectors(version, ModelStore(cache / "models")))
    yield searcher
    searcher.close()


def kinds(searcher: Searcher, text: str, least: float = 0.2) -> list[str]:
    """Return what the hits with at least a score show, best first: `roses` for `roses-0.png`."""
    hits = searcher.find(parse(text), 100).hits
    return list(dict.fromkeys(Path(hit.uri).stem.rpartition("-")[0] for hit in hits if hit.score >= least))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("people at the beach", [("people at the beach", 1)]),
        ("people at the beach -dog", [("people at the beach", 1), ("dog", -1)]),
        ("a street without cars at night", [("a street at night", 1), ("cars", -1)]),
        ("cat in:2024 on the sofa after:2020", [("cat on the sofa", 1)]),
        ('"red car" "blue sky" in the evening', [("in the evening", 1), ("red car", 1), ("blue sky", 1)]),
        ('photos of a "red car"', [("red car", 1)]),
        ("cat:2 on a sofa", [("on a sofa", 1), ("cat", 2)]),
        ("cats or dogs", [("cats|dogs", 1)]),
        ("cats or dogs at the beach", [("at the beach", 1), ("cats|dogs", 1)]),
        ("a man or a woman with a hat", [("with a hat", 1), ("man|woman", 1)]),
        ("red car or blue bike or a boat", [("red car|blue bike|boat", 1)]),
        ('"red car" or "blue bike" at night', [("at night", 1), ("red car|blue bike", 1)]),
        ("photos of", [("photos of", 1)]),
        ("the", [("the", 1)]),
    ],
)
def test_words_that_stand_alone_are_one_text(text: str, expected: list[tuple[str, float]]) -> None:
    assert [("|".join(term.texts), term.weight) for term in sentences(parse(text).terms)] == expected


def test_sentence_finds_what_it_describes(searcher: Searcher) -> None:
    assert kinds(searcher, "a picture of the sea", 0.5)[0] == "sea"
    assert set(kinds(searcher, "a picture of the sea")) == {"sea", "roses-sea", "sea-snow"}
    assert kinds(searcher, "snow on the grass", 0.5)[:1] == ["grass-snow"]


def test_unwanted_words_weights_and_alternatives(searcher: Searcher) -> None:
    assert set(kinds(searcher, "sea", 0.5)) == {"sea", "roses-sea", "sea-snow"}
    assert set(kinds(searcher, "sea -snow", 0.4)) == {"sea", "roses-sea"}
    assert set(kinds(searcher, "sea -snow -roses", 0.4)) == {"sea"}
    assert kinds(searcher, '"roses" "sea"')[0] == kinds(searcher, "roses:2 sea")[0] == "roses-sea"
    assert {"roses", "grass"} <= set(kinds(searcher, "roses or grass", 0.5))


def test_quoted_wording_is_found_only_where_it_is_written(searcher: Searcher) -> None:
    def names(text: str) -> set[str]:
        return {Path(hit.uri).stem for hit in searcher.find(parse(text), 100).hits}

    # Names of files are text, too.
    assert names('"sea 1"') == {"sea-1", "roses-sea-1"}
    assert {name.rpartition("-")[0] for name in names('"grass snow"')} >= {"grass-snow", "grass", "snow"}, "a thing too"
    assert names('"sea 17"'), "it is written nowhere"


def test_image_and_words_together(searcher: Searcher, things: Path) -> None:
    def similar(kind: str, words: str, count: int = 3) -> list[str]:
        uri = things / "pictures" / f"{kind}-0.png"
        item, features = searcher.look_up(str(uri))
        found = searcher.similar(features, parse(f'like:"{uri}" {words}'), count, excluded=item)
        assert str(uri) not in [hit.uri for hit in found.hits]
        assert all(0 <= hit.score <= 1 for hit in found.hits)
        return [Path(hit.uri).stem.rpartition("-")[0] for hit in found.hits]

    assert similar("sea", "")[0] == "sea"
    assert similar("sea", "snow")[0] == "sea-snow"
    assert similar("snow", "the sea")[0] == "sea-snow"
    assert "roses-sea" in similar("sea", "roses")[:1]
    assert "sea" in similar("roses-sea", "-roses")
    assert not set(similar("sea", "name:roses", 10)) - {"roses", "roses-sea"}


def test_image_beside_words_that_nothing_shows_is_searched_alone(searcher: Searcher, things: Path) -> None:
    item, features = searcher.look_up(str(things / "pictures" / "grass-0.png"))
    found = searcher.similar(features, parse("like:x an economic theory"), 2, excluded=item)
    assert found.note == "Nothing here shows 'an economic theory'."
    assert {Path(hit.uri).stem.partition("-")[0] for hit in found.hits} == {"grass"}


@pytest.mark.parametrize("text", ["like:x snow", "like:x name:s -roses"])
def test_pages_of_image_and_words_equal_one_long_answer(searcher: Searcher, things: Path, text: str) -> None:
    item, features = searcher.look_up(str(things / "pictures" / "sea-0.png"))
    whole = searcher.similar(features, parse(text), 1000, excluded=item)
    pages = [searcher.similar(features, parse(text), 2, item, skip) for skip in range(0, whole.total, 2)]
    assert [hit for page in pages for hit in page.hits] == whole.hits
    assert whole.total == len(whole.hits) > 1


def test_text_that_nothing_shows_is_named_and_has_no_hits(searcher: Searcher) -> None:
    for text in ("sand", "a day of democracy", "an economic theory"):
        answer = searcher.find(parse(text), 10)
        assert (answer.hits, answer.note) == ([], f"Nothing here shows {text!r}.")
    answer = searcher.find(parse('sea "economic theory"'), 10)
    assert answer.note == "Nothing here shows 'economic theory'."
    assert [hit.uri for hit in answer.hits] == [hit.uri for hit in searcher.find(parse("sea"), 10).hits]


def test_filters_dates_and_order_work_with_sentences(searcher: Searcher) -> None:
    answer = searcher.find(parse("the sea name:snow"), 100)
    found = {uri for hit in answer.hits for uri in (hit.uri, *hit.copies, *hit.near_duplicates)}
    assert {Path(uri).stem.rpartition("-")[0] for uri in found} == {"snow", "grass-snow", "sea-snow"}
    assert Path(answer.hits[0].uri).stem.startswith("sea-snow")
    dates = [hit.taken for hit in searcher.find(parse("the sea sort:date"), 100).hits]
    assert dates == sorted(filter(None, dates), reverse=True)


@pytest.mark.parametrize("text", ["sea", "sea or snow", "roses -sea", '"grass" snow', "name:s sea", "sea sort:oldest"])
def test_pages_equal_one_long_answer(searcher: Searcher, text: str) -> None:
    whole = searcher.find(parse(text), 1000)
    assert whole.total == len(whole.hits) > 1
    pages = [searcher.find(parse(text), 2, skip) for skip in range(0, whole.total, 2)]
    assert [hit for page in pages for hit in page.hits] == whole.hits
    assert {page.total for page in pages} == {whole.total}


def test_foreign_nouns_are_translated(searcher: Searcher) -> None:
    assert searcher.find(parse("hierba"), 10).hits == searcher.find(parse("grass"), 10).hits != []


def test_tags_are_nouns_that_describe_the_image(searcher: Searcher, things: Path) -> None:
    for kind, word in (("snow", "snow"), ("grass", "grass"), ("sea-snow", "sea")):
        _, features = searcher.look_up(str(things / "pictures" / f"{kind}-0.png"))
        tags = searcher.tags(features, 5)
        assert word in [tag.word for tag in tags]
        assert [tag.score for tag in tags] == sorted((tag.score for tag in tags), reverse=True)
        assert all(NOISE_RELEVANCE <= tag.score <= 1 for tag in tags)
    assert len(searcher.tags(searcher.features(0), 1)) <= 1


def test_taught_name_works_beside_a_sentence(things: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(things / "library", tmp_path / "library")
    pictures = things / "pictures"
    with findimg.open(tmp_path / "library", cache=cache) as library:
        assert library.search("Nova").note == "Nothing here shows 'Nova'."
        library.teach("Nova", like=[pictures / "coal-0.png", pictures / "coal-1.png"])
        assert Path(library.search("Nova")[0].uri).stem.startswith("coal")
        assert Path(library.search("photos of our Nova")[0].uri).stem.startswith("coal")
        assert {Path(hit.uri).stem.rpartition("-")[0] for hit in library.search("Nova or sea", 2)} == {"coal", "sea"}


class CountedTower:
    prompt = "a photo of {}."
    multilingual = True

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        self.texts += texts
        return np.eye(3, dtype=np.float32)[[len(text) % 3 for text in texts]]


def test_tower_is_opened_at_the_first_text_and_each_text_is_computed_once() -> None:
    tower, opened = CountedTower(), []
    vectors = TextVectors(lambda: opened.append(1) or tower)
    assert opened == []
    for text in ("sea", "snow", "sea", "{0} {}", "sea"):
        assert vectors(text).shape == (3,)
    assert (opened, tower.texts) == ([1], ["a photo of sea.", "a photo of snow.", "a photo of {0} {}."])


def test_multilingual_tower_gets_the_text_as_typed(version: Version) -> None:
    tower = CountedTower()
    searcher = Searcher(version, open_words(EMBEDDED), text_vectors=TextVectors(lambda: tower))
    tower.embed_texts = lambda texts: tower.texts.extend(texts) or np.ones((1, version.manifest.dim), np.float32)
    searcher.find(parse("la hierba y el mar -nieve"), 1)
    searcher.close()
    assert tower.texts == ["a photo of la hierba y el mar.", "a photo of nieve."]


def test_library_opens_without_its_text_tower_and_finds_similar_images(
    version: Version, things: Path, cache: Path
) -> None:
    def missing() -> CountedTower:
        raise ModelError("onnxruntime is not installed.")

    searcher = Searcher(version, open_words(EMBEDDED), text_vectors=TextVectors(missing))
    assert searcher.similar(searcher.features(0), parse("", image=True), 1, excluded=0).hits
    assert searcher.tags(searcher.features(0), 3)
    assert searcher.find(parse("type:png"), 1).hits
    with pytest.raises(ModelError, match=r"^onnxruntime is not installed\.$"):
        searcher.find(parse("sea"), 1)
    searcher.close()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20] + b"0" * 20)


BROKEN = {
    "changed tower": (f"{MODEL_FOLDER}/textual/model.onnx", cut, "another SHA-256"),
    "changed settings": (f"{MODEL_FOLDER}/config.json", cut, "another SHA-256"),
    "missing tokenizer": (f"{MODEL_FOLDER}/textual/tokenizer.json", Path.unlink, "missing or incompl"),
    "changed vocabulary": (VOCABULARY_FILE, cut, "cannot be opened as a vocabulary"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_file_is_named_in_one_sentence(name: str, things: Path, cache: Path, tmp_path: Path) -> None:
    file, spoil, message = BROKEN[name]
    shutil.copytree(things / "library", tmp_path / "library")
    (path,) = (tmp_path / "library" / "shared").glob(f"*/{file}")
    spoil(path)
    with pytest.raises(LibraryError, match=rf"{message}.*ublish again with index\.$") as caught:
        findimg.open(tmp_path / "library", cache=cache).search("sea")
    assert "\n" not in str(caught.value)


def test_version_that_lacks_the_text_tower_says_so(version: Version, cache: Path) -> None:
    files = {name: entry for name, entry in version.manifest.files.items() if "textual/model" not in name}
    without = Version(version.manifest.model_copy(update={"files": files}), version.root)
    searcher = Searcher(without, open_words(EMBEDDED), text_vectors=text_vectors(without, ModelStore(cache / "models")))
    with pytest.raises(FindimgError, match=r"has no model/textual/model\.onnx\. .*publish again with index\.$"):
        searcher.find(parse("sea"), 1)
    searcher.close()


HOSTILE = {
    "custom operator": ("textual/model.onnx", lambda f: evil_model(f, "text"), r"com\.example:Steal"),
    "data outside": (
        "textual/model.onnx",
        lambda f: model_with_data_at(f, "../../secret.bin", "offset"),
        r"escapes model directory",
    ),
    "no tokenizer": ("textual/tokenizer.json", lambda f: f.write_text("{}"), "is not a tokenizer"),
    "other dimension": ("config.json", lambda f: f.write_text(f.read_text().replace("24,", "99,", 1)), "says 99"),
    "no settings": ("config.json", lambda f: f.write_text("["), "config.json cannot be used"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_model_of_a_library_is_refused_in_one_sentence(name: str, version: Version, tmp_path: Path) -> None:
    file, spoil, message = HOSTILE[name]
    model = tmp_path / "library" / MODEL_FOLDER
    entries = {}
    for each in (name for name in version.manifest.files if name.startswith(MODEL_FOLDER)):
        (tmp_path / "library" / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(version.path(each), tmp_path / "library" / each)
    spoil(model / file)
    for each in (name for name in version.manifest.files if name.startswith(MODEL_FOLDER)):
        entries[each] = FileEntry.of(tmp_path / "library" / each)
        target = tmp_path / "library" / shared_key(entries[each].sha256, each)
        target.parent.mkdir(parents=True)
        shutil.copyfile(tmp_path / "library" / each, target)
    hostile = Version(version.manifest.model_copy(update={"files": entries}), tmp_path / "library")
    with pytest.raises(ModelError, match=message) as caught:
        text_vectors(hostile, ModelStore(tmp_path / "models"))("sea")
    assert "\n" not in str(caught.value)


def test_vocabulary_holds_what_photographs_show() -> None:
    nouns = common_nouns(open_lexicon(), open_words(EMBEDDED))
    assert len(nouns) == len(set(nouns)) == 1000
    assert {"people", "beach", "sunset", "dog", "car", "tree", "computer"} <= set(nouns)
    assert not {"ordinary", "opponent", "justice", "humanitarian"} & set(nouns)


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({}, "nouns"),
        ({"nouns": np.array(["a", "b"])}, "visible"),
        (
            {
                "nouns": np.array(["a"]),
                "visible": np.ones((1, 3), np.float16),
                "unrelated": np.ones((1, 4), np.float16),
            },
            "sh",
        ),
        ({"nouns": np.array(["a"]), "visible": np.ones((1, 4)), "unrelated": np.ones((1, 4))}, "types"),
        (
            {"nouns": np.array(["a"]), "visible": np.full((1, 4), np.nan, "f2"), "unrelated": np.ones((1, 4), "f2")},
            "finite",
        ),
        ({"nouns": np.array([{}]), "visible": np.ones((1, 4), "f2"), "unrelated": np.ones((1, 4), "f2")}, "pickle"),
    ],
)
def test_damaged_vocabulary_is_one_sentence(tmp_path: Path, arrays: dict[str, NDArray], problem: str) -> None:
    np.savez(tmp_path / "vocabulary.npz", **arrays)
    with pytest.raises(LibraryError, match=rf"cannot be opened as a vocabulary: .*{problem}.*Publish again"):
        read_vocabulary(tmp_path / "vocabulary.npz", 4)


def term(text: str) -> ExpandedTerm:
    return ExpandedTerm(text, np.zeros(CLASSES, np.float32), 1, None, 1, 1, one_kind=True)


class MadeSpace:
    """Images and nouns in a space like that of a published model: images and texts are apart, and cosines are small."""

    def __init__(self, folder: Path, images: int, offset: float, dim: int = 64):
        random = np.random.default_rng(7)
        self.nouns = self._unit(random.normal(size=(1200, dim)))
        shows = random.integers(0, 200, images)  # only the first 200 nouns are shown
        apart = self._unit(random.normal(size=(2, dim)))
        # Some images are near to every text.
        usual = random.exponential(0.3, (images, 1)) * apart[1]
        noise = self._unit(random.normal(size=(images, dim)))
        self.images = self._unit(self.nouns[shows] + offset * apart[0] + usual + 0.8 * noise)
        self.texts = self._unit(self.nouns + offset * apart[1])
        self.shows = shows
        self.images.astype(np.float16).tofile(folder / "visual.f16")
        vocabulary = BackgroundVocabulary(tuple(map(str, range(100, 1100))), self.texts[100:1100], self.texts[1100:])
        matrix = SegmentedMatrix([Float16Matrix(folder / "visual.f16", images, dim)], ItemRows([images]))
        self.evidence = SentenceEvidence(matrix, vocabulary, lambda text: self.texts[int(text)])

    @staticmethod
    def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 1.0, 3.0])
def test_relevance_does_not_depend_on_the_level_of_the_cosines(tmp_path: Path, offset: float) -> None:
    space = MadeSpace(tmp_path, 2000, offset)
    nouns = range(0, 200, 5)
    shown = [space.evidence.relevance(term(str(noun))) for noun in nouns]
    absent = [space.evidence.relevance(term(str(noun))) for noun in range(205, 1000, 20)]
    assert all(each.dtype == np.float32 and each.min() >= 0 and each.max() <= 1 for each in [*shown, *absent])
    assert np.mean([each.max() > NOISE_RELEVANCE for each in shown]) >= 0.95
    assert np.mean([each.max() > NOISE_RELEVANCE for each in absent]) <= 0.5
    precision = [np.mean(space.shows[np.argsort(-each)[:5]] == noun) for noun, each in zip(nouns, shown, strict=True)]
    assert np.mean(precision) >= 0.9
    assert np.median([each.max() for each in shown]) >= 0.8


def test_calibration_is_the_same_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = MadeSpace(tmp_path, 500, 1.0).evidence.relevance(term("5"))
    monkeypatch.setattr("findimg.search.evidence.sentences._CHUNK", 64)
    np.testing.assert_allclose(MadeSpace(tmp_path, 500, 1.0).evidence.relevance(term("5")), expected, atol=1e-5)


@pytest.mark.parametrize("images", [1, 2])
def test_tiny_library_can_be_calibrated(tmp_path: Path, images: int) -> None:
    space = MadeSpace(tmp_path, images, 1.0)
    relevance = space.evidence.relevance(term(str(space.shows[0])))
    assert np.isfinite(relevance).all()
    assert relevance[0] > 0.9 * NOISE_RELEVANCE


def test_image_without_features_is_no_hit(tmp_path: Path) -> None:
    space = MadeSpace(tmp_path, 50, 1.0)
    vectors = space.images.copy()
    vectors[3] = 0
    vectors.astype(np.float16).tofile(tmp_path / "visual.f16")
    relevance = space.evidence.relevance(term("3"))
    assert np.isfinite(relevance).all()
    assert relevance[3] < 0.5


def test_best_scores_fall_with_the_rank(searcher: Searcher) -> None:
    scores = [hit.score for hit in searcher.find(parse("the sea and the snow"), 20).hits]
    assert all(first >= second for first, second in pairwise(scores))
    assert all(0 <= score <= 1 for score in scores)
