"""The floors of search quality, on the 1,400 photographs beside the project, with the embedded default."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from findimg.encoders.artefacts import ModelStore
from findimg.encoders.base import ImageEncoder
from findimg.encoders.registry import open_backbone
from findimg.heads.conse import Conse
from findimg.images import decode
from findimg.search.expansion import meaning, noise, rerank, score, strength, unrelated_terms
from findimg.search.tags import Tagger
from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, normalised, open_words

pytestmark = pytest.mark.slow
CANDIDATES = 70
INSTRUMENTS = {"accordion", "electric_guitar", "grand_piano", "mandolin", "saxophone"}
# Which of the 40 folders are right for a category word.
CATEGORIES: dict[str, set[str]] = {
    "animal": {
        *("butterfly", "crab", "crocodile", "dalmatian", "dolphin", "elephant", "flamingo", "kangaroo", "leopard"),
        *("lobster", "panda", "pigeon", "rooster", "starfish"),
    },
    "bird": {"flamingo", "pigeon", "rooster"},
    "boat": {"ferry", "ketch"},
    "building": {"pagoda"},
    "dog": {"dalmatian"},
    "flight": {"airplane", "helicopter"},
    "flower": {"lotus", "sunflower"},
    "food": {"crab", "lobster", "pizza", "strawberry"},
    "fruit": {"strawberry"},
    "furniture": {"chair", "chandelier", "lamp"},
    "insect": {"butterfly"},
    "instrument": INSTRUMENTS,
    "kitchen": {"cup", "pizza", "strawberry"},
    "music": INSTRUMENTS,
    "road": {"car", "motorbike"},
    "sea": {"crab", "dolphin", "ferry", "ketch", "lobster", "starfish"},
    "vehicle": {"airplane", "car", "ferry", "helicopter", "ketch", "motorbike"},
}
# Words for what a labelled photograph shows, beside those that the lexicon has above the folder's name.
ALSO = {"helicopter": {"aircraft", "vehicle"}, "lotus": {"flower"}, "sunflower": {"flower"}}


@dataclass(frozen=True, eq=False)
class Pictures:
    """What backbone and head make of a set of photographs."""

    labels: list[frozenset[str]]  # the folders of what each shows
    visual: np.ndarray
    probabilities: np.ndarray  # float32[n, 1000], zero but for the 20 likeliest
    joint: np.ndarray

    def __add__(self, other: "Pictures") -> "Pictures":
        parts = [(self.visual, other.visual), (self.probabilities, other.probabilities), (self.joint, other.joint)]
        return Pictures(self.labels + other.labels, *(np.concatenate(part) for part in parts))


class Asking:
    """Searches pictures as a version is searched."""

    def __init__(self, pictures: Pictures, words: WordVectors, lexicon: Lexicon):
        self.pictures = pictures
        self.words = words
        self.lexicon = lexicon

    def category(self, term: str) -> np.ndarray:
        found = meaning(term, self.lexicon, self.words)
        return (self.pictures.probabilities**found.power @ found.classes) ** (1 / found.power)

    def order(self, *terms: str) -> np.ndarray:
        meanings = [meaning(term, self.lexicon, self.words) for term in terms]
        category = np.stack([self.category(term) for term in terms])
        cosine = np.stack([self.pictures.joint @ found.vector for found in meanings])
        scores = score(category, cosine, np.array([found.certainty for found in meanings], np.float32))
        best = np.argsort(-scores, kind="stable")[:CANDIDATES]
        return best[np.argsort(-rerank(scores[best], self.pictures.visual[best]), kind="stable")]

    def precision(self, found: np.ndarray, right: set[str]) -> float:
        return float(np.mean([self.pictures.labels[item] <= right for item in found[:10]]))

    def precisions(self, queries: dict[str, set[str]]) -> dict[str, float]:
        return {term: self.precision(self.order(term), right) for term, right in queries.items()}


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return open_lexicon()


@pytest.fixture(scope="module")
def backbone(cache: Path) -> ImageEncoder:
    return open_backbone("efficientnet-lite0", ModelStore(cache))


@pytest.fixture(scope="module")
def images(photos: Path) -> list[tuple[str, Image.Image]]:
    """The photographs with their folders' names."""
    return [(path.parent.name, decode(path.read_bytes()).pixels) for path in sorted(photos.glob("*/*/*.jpg"))]


@pytest.fixture(scope="module")
def singles(
    images: list[tuple[str, Image.Image]], backbone: ImageEncoder, words: WordVectors, lexicon: Lexicon
) -> Pictures:
    return seen([(frozenset({label}), image) for label, image in images], backbone, words, lexicon)


@pytest.fixture(scope="module")
def asking(singles: Pictures, words: WordVectors, lexicon: Lexicon) -> Asking:
    return Asking(singles, words, lexicon)


def seen(
    images: list[tuple[frozenset[str], Image.Image]], backbone: ImageEncoder, words: WordVectors, lexicon: Lexicon
) -> Pictures:
    parts = []
    for start in range(0, len(images), 32):
        parts.append(backbone.embed(np.stack([backbone.preprocess(image) for _, image in images[start : start + 32]])))
    visual = np.concatenate([part.visual for part in parts])
    everything = np.concatenate([part.probabilities for part in parts if part.probabilities is not None])
    classes = np.argsort(-everything, axis=1)[:, :20]
    top = np.take_along_axis(everything, classes, axis=1)
    probabilities = np.zeros_like(everything)
    np.put_along_axis(probabilities, classes, top, axis=1)
    joint = Conse(words, lexicon).embed(visual, classes, top)
    return Pictures([label for label, _ in images], visual, probabilities, joint)


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """A collage: two photographs as squares, side by side."""
    collage = Image.new("RGB", (400, 200))
    for place, image in enumerate((left, right)):
        collage.paste(image.resize((200, 200)), (200 * place, 0))
    return collage


def report(title: str, figures: dict[str, float]) -> float:
    mean = float(np.mean(list(figures.values())))
    rest = ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items() if figure < 1)
    print(f"\n{title}: {mean:.3f}; below 1: {rest}")
    return mean


def test_class_names_find_their_photographs(asking: Asking) -> None:
    labels = sorted(set().union(*asking.pictures.labels))
    precisions = asking.precisions({label.replace("_", " "): {label} for label in labels})

    assert report("40 class names, precision@10", precisions) >= 0.88
    assert precisions["elephant"] == 1


def test_category_words_find_what_they_cover(asking: Asking) -> None:
    precisions = asking.precisions(CATEGORIES)

    assert report("17 category words, precision@10", precisions) >= 0.90
    assert precisions["bird"] == 1
    assert all(precisions[word] >= 0.9 for word in ("dog", "instrument", "vehicle", "food", "flower", "boat"))


def test_plurals_find_the_same(asking: Asking) -> None:
    for one, many in (("dog", "dogs"), ("butterfly", "butterflies"), ("grand piano", "grand pianos")):
        assert asking.order(one).tolist() == asking.order(many).tolist()


def test_the_joint_embedding_alone_finds_most(asking: Asking) -> None:
    joint = asking.pictures.joint
    labels = sorted(set().union(*asking.pictures.labels))
    queries = {label.replace("_", " "): {label} for label in labels} | CATEGORIES
    figures = {}
    for term, right in queries.items():
        direction = asking.words.direction(term)
        assert direction is not None
        figures[term] = asking.precision(np.argsort(-(joint @ direction)), right)

    assert (
        report("40 names by the joint embedding", {term: figures[term] for term in queries if term not in CATEGORIES})
        >= 0.80
    )
    assert report("17 categories by the joint embedding", {term: figures[term] for term in CATEGORIES}) >= 0.70


def test_two_words_find_the_images_with_both(
    images: list[tuple[str, Image.Image]], asking: Asking, backbone: ImageEncoder
) -> None:
    random = np.random.default_rng(0)
    by_label: dict[str, list[Image.Image]] = {}
    for label, image in images:
        by_label.setdefault(label, []).append(image)
    pairs = [tuple(random.choice(sorted(by_label), 2, replace=False)) for _ in range(25)]
    collages = [
        (frozenset(pair), beside(*(by_label[label][random.integers(20)] for label in pair)))
        for pair in pairs
        for _ in range(10)
    ]
    mixed = Asking(
        asking.pictures + seen(collages, backbone, asking.words, asking.lexicon), asking.words, asking.lexicon
    )
    both, average = {}, {}
    for pair in pairs:
        names = [label.replace("_", " ") for label in pair]
        right = np.array([label == frozenset(pair) for label in mixed.pictures.labels])
        both[" ".join(names)] = float(right[mixed.order(*names)[:10]].mean())
        vectors = np.stack([asking.words.direction(name) for name in names])
        mean = mixed.pictures.joint @ normalised(vectors.sum(axis=0))
        average[" ".join(names)] = float(right[np.argsort(-mean, kind="stable")[:10]].mean())

    gain = report("two words on 250 collages", both) - report("the words' plain average", average)
    assert gain >= 0.2


def test_tags_name_what_is_there(asking: Asking, photos: Path) -> None:
    tagger = Tagger(asking.words, asking.lexicon)
    pictures = asking.pictures
    figures = {}
    for label in sorted(path.name for path in (photos / "labelled").iterdir()):
        right = words_for(label.replace("_", " "), asking.lexicon) | ALSO.get(label, set())
        named = []
        for item in (item for item, shown in enumerate(pictures.labels) if label in shown):
            classes = np.argsort(-pictures.probabilities[item])[:20]
            tags = tagger.tags(pictures.joint[item], classes, pictures.probabilities[item][classes])
            named.append(any(tag.word in right for tag in tags[:5]))
        figures[label] = float(np.mean(named))

    assert report("a right word among the first 5 tags", figures) >= 0.9


def words_for(term: str, lexicon: Lexicon) -> set[str]:
    """The names of what a noun is, but for the most general ones (`artifact`, `object`)."""
    nodes = {up for sense in lexicon.senses(term) for node, _ in sense.places for up in lexicon.above(node)}
    return {term}.union(*(lexicon.names[node] for node in nodes if lexicon.specific[node] > 0.25))


def test_what_is_there_is_stronger_than_noise_and_much_that_is_not_is_not(asking: Asking) -> None:
    def strengths(terms: list[str]) -> np.ndarray:
        certainty = [meaning(term, asking.lexicon, asking.words).certainty for term in terms]
        return strength(np.stack([asking.category(term) for term in terms]), np.array(certainty, np.float32))

    least = noise(strengths(unrelated_terms(asking.lexicon, asking.words)))
    there = strengths(["elephant", "dog", "music", "pagoda", "helicopter", "sea", "lobster", "flight"])
    absent = strengths(["train", "church", "soccer ball", "banana", "democracy", "tuesday", "percent", "football"])

    print(f"\nnoise {least:.3f}; there {np.round(there, 2)}; absent {np.round(absent, 2)}")
    assert (there > least).all()
    assert (absent <= least).mean() >= 0.75
