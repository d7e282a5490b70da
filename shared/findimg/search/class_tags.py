"""Tags of an image by its classes and its joint embedding. `image_tags.py` adds those of all other sources."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from findimg.heads.conse import node_vectors
from findimg.text.lexicon import CLASSES, Lexicon
from findimg.text.vectors import FREQUENT, WordVectors
from findimg.vectors import normalised

MIN_TAG_SCORE = 0.03  # lowest score of a tag. A tag also needs a tenth of the best score.
# Least cosine of a category word to the centre of its classes: "bird" reaches it, "placental" and "artifact" do not.
MIN_CATEGORY_FIT = 0.5
SPECIFICITY_EXPONENT = 0.25  # exponent of `Lexicon.specific` in a score, so that general words score less
# Least cosine of the joint embedding to a word without classes.
MIN_WORD_FIT = 0.8


@dataclass(frozen=True, slots=True)
class Tag:
    """A word for the content of an image."""

    word: str
    score: float  # 0 to 1, the probability that the image shows it. General words score less.


@lru_cache(maxsize=4)
def open_tagger(words: WordVectors, lexicon: Lexicon) -> "Tagger":
    """Return the tagger for some word vectors. It is kept, because versions of a library have the same."""
    return Tagger(words, lexicon)


class Tagger:
    """Compute the tags of images.

    The table shows the share of 1,000 Caltech-101 photographs with a correct word among the first 5 tags. The class
    and its specific ancestors are correct: "animal" is, "object" is not. ImageNet lacks 5 of the 20 classes.

    | | share |
    |---|---|
    | MIN_CATEGORY_FIT 0.4 / 0.5 / 0.55 | 0.905 / 0.911 / 0.910 |
    | MIN_TAG_SCORE 0.03 / 0.05 / 0.1 | 0.911 / 0.907 / 0.889 |
    | SPECIFICITY_EXPONENT 0.25 / 0.5 / 1 | 0.911 / 0.906 / 0.899 |
    """

    def __init__(self, words: WordVectors, lexicon: Lexicon):
        self._words = words
        self._lexicon = lexicon

    def tags(
        self,
        joint: npt.NDArray[np.float32],
        classes: npt.NDArray[np.integer],
        probabilities: npt.NDArray[np.float32],
        k: int = 10,
    ) -> list[Tag]:
        """Return up to `k` words for one image, best first.

        A class's probability also counts for its ancestors. The joint embedding adds words that name no class.

        Args:
            joint: float32[dim], the image's joint embedding.
            classes: int[m], its most probable classes.
            probabilities: float32[m], theirs.
        """
        likely = self._lexicon.covers[:, classes] @ probabilities
        value = likely * self._lexicon.specific**SPECIFICITY_EXPONENT
        scores: dict[str, float] = {}
        for node in np.flatnonzero(value >= MIN_TAG_SCORE):
            if word := self._tag_words[node]:
                scores[word] = max(scores.get(word, 0), float(value[node]))
        vocabulary, directions = self._others
        pointed = (directions @ joint - MIN_WORD_FIT) / (1 - MIN_WORD_FIT)
        for i in np.flatnonzero(pointed >= MIN_TAG_SCORE):
            scores.setdefault(vocabulary[i], float(pointed[i]))
        least = max(scores.values(), default=0) / 10
        best = [word for word in sorted(scores, key=lambda word: (-scores[word], word)) if scores[word] >= least][:k]
        return [Tag(word, round(min(1, scores[word]), 3)) for word in best]

    @cached_property
    def _tag_words(self) -> list[str | None]:
        """Return a word for each node: a class's usual name, or a node's name that is similar to its classes."""
        vectors = node_vectors(self._words, self._lexicon)
        centres = normalised(self._lexicon.covers.astype(np.float32) @ vectors[:CLASSES])
        names = [name for kind in self._lexicon.names for name in kind]
        rows = iter(self._words.rows(names))
        directions = iter(self._words.directions(names)[0])
        found: list[str | None] = []
        for node, kind in enumerate(self._lexicon.names):
            fitting = [
                name
                for name, row, direction in zip(kind, rows, directions, strict=False)
                if 0 <= row < FREQUENT and direction @ centres[node] >= MIN_CATEGORY_FIT
            ]
            found.append(kind[0] if node < CLASSES else next(iter(fitting), None))
        return found

    @cached_property
    def _others(self) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Return common nouns for visible things that name no node, and their directions."""
        known = {name.lower() for names in self._lexicon.names for name in names}
        nouns = [noun for noun in self._lexicon.visible_nouns() if noun not in known and len(noun) > 2]
        rows = self._words.rows(nouns)
        common = [
            noun for noun, row in zip(nouns, rows, strict=True) if 0 <= row < FREQUENT and self._mostly_seen(noun)
        ]
        return common, self._words.directions(common)[0]

    def _mostly_seen(self, noun: str) -> bool:
        return sum(sense.share for sense in self._lexicon.senses(noun)) > 0.5
