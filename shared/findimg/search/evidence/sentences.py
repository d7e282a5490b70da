"""Evidence from an image–text encoder: the cosine between an image and a text, calibrated on the library itself.

A cosine of such encoders has no fixed meaning. It depends on the model, on the image and on the text, so a flat cut-off
fails (https://github.com/immich-app/immich/pull/21537). Instead, each cosine is compared with those of a background
vocabulary:

- An image's cosines to some hundred common nouns give its usual cosine and their spread. A text's distance from the
  usual cosine is counted in spreads.
- A text may be near to all images, or far from all. Its bias is the lower quartile of its distances, limited to the
  usual biases of common nouns. The score is the distance minus the bias.
- Two scores of the library's own images become fixed relevances: the score of an image's best noun is a clear match.
  Chance is the score of its tenth best noun, or that of nouns for invisible things, if it is higher.
  Relevance is a logistic curve through both.

The weights of published models could not be downloaded for these measurements. The scores were chosen on a made
encoder: the classes of efficientnet-lite0 on 1,400 photographs, the vectors of their names, an offset between images
and texts, and noise. How well a score separates images of a label from the others, as area under the curve, with
little, medium and much noise:

| score | area |
|---|---|
| cosine | 0.903 / 0.907 / 0.774 |
| distance from the usual cosine, in spreads (chosen) | 0.915 / 0.928 / 0.837 |
| the same, relative to the image's best noun | 0.911 / 0.927 / 0.824 |

In libraries of 20 of the 40 labels, 0.92 of their names count as shown with little noise and 0.80 with much. Of 15
nouns for invisible things, 0.07 and 0.11 do. With _CHANCE at 0.5 it would be 0.95 and 0.92, and 0.18 and 0.42. Of the
images with at least NOISE_RELEVANCE, 0.72 and 0.84 have the label. Without the bias it would be 0.62 and 0.82.
"""

from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from threading import Lock

import numpy as np
from cachetools import LRUCache, cachedmethod
from numpy.typing import NDArray

from findimg.index.segmented import SegmentedMatrix
from findimg.search.class_tags import Tag
from findimg.search.sentences.text_vectors import TextVectors
from findimg.search.sentences.vocabulary import BackgroundVocabulary
from findimg.search.terms.expansion import ExpandedTerm
from findimg.vectors import normalised

Floats = NDArray[np.float32]

BACKGROUND = 300  # nouns that an image is compared with
NOISE_RELEVANCE = 0.1  # relevance of the score that chance reaches
_CLEAR_RELEVANCE = 0.9  # relevance of the score of a clear match
_CHANCE = 0.85  # quantile of the invisible things' best scores
_TENTH = 10  # an image's best nouns, which are chance from this place on
_LEAST_GAP = 0.5  # minimum difference of the two scores
_MOST = 0.25  # quantile over the images: a text that most images are near to is near to any image
_USUAL = (0.05, 0.95)  # quantiles of the nouns' biases. More may mean that most images show the text.
_SAMPLE = 1000  # images that biases are measured on
_FEW = 30  # images that say little about a bias
_CHUNK = 4096  # images that are compared with all nouns at a time
_KEPT = 8  # relevances that are kept, 4 bytes for each image
_LEAST_SPREAD = 0.2  # of the median spread, so that no image divides by nearly zero
_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Calibration:
    usual: Floats  # float32[images], usual cosine of each image
    spread: Floats  # float32[images], above 0
    sample: NDArray[np.int64]  # items that the bias of a text is measured on
    trust: float  # 0 to 1, less in small samples
    low: float  # lowest bias
    high: float  # highest bias
    nouns: Floats  # float32[nouns], biases
    middle: float  # score with a relevance of one half
    width: float  # scale of the logistic curve

    def bias(self, distances: Floats) -> np.float32:
        """Return how near a text is to any image.

        Args:
            distances: float32[n], of the images of the sample.
        """
        return np.float32(np.clip(self.trust * float(_common(distances)), self.low, self.high))


class SentenceEvidence:
    """Knows every text. Several threads may use it at the same time."""

    is_certain = False

    def __init__(self, visual: SegmentedMatrix, vocabulary: BackgroundVocabulary, text_tower: TextVectors):
        """Use a version's visual embeddings. They are calibrated when the first text comes.

        Args:
            visual: float16[images, dim].
            vocabulary: of the encoder.
            text_tower: returns the vector of a text, float32[dim] of length 1.
        """
        self._visual = visual
        self._vocabulary = vocabulary
        self.text_tower = text_tower
        self._relevances: LRUCache[object, Floats] = LRUCache(_KEPT)
        self._lock = Lock()
        self._calibrating = Lock()

    def knows(self, term: ExpandedTerm) -> bool:
        """See `VisualEvidence.knows`."""
        return True

    @cachedmethod(attrgetter("_relevances"), key=lambda _, term: term.term, lock=attrgetter("_lock"))
    def relevance(self, term: ExpandedTerm) -> Floats:
        """See `VisualEvidence.relevance`. The result must not be changed."""
        found = self._relevance(self.text_tower(term.term))
        found.flags.writeable = False
        return found

    def relevance_in_regions(self, term: ExpandedTerm) -> None:
        """See `VisualEvidence.relevance_in_regions`. The encoder sees whole images only."""

    def tags(self, visual: Floats, k: int) -> list[Tag]:
        """Return up to `k` nouns of the vocabulary that describe an image, best first.

        Args:
            visual: float32[dim], the features of an image, in the library or not.
        """
        relevance = self._noun_relevance(visual)
        best = np.argsort(-relevance, kind="stable")[:k]
        return [
            Tag(self._vocabulary.nouns[place], round(float(relevance[place]), 3))
            for place in best
            if relevance[place] >= NOISE_RELEVANCE
        ]

    def _noun_relevance(self, visual: Floats) -> Floats:
        unit = normalised(visual[None])[0]
        calibration = self._calibration
        cosines = self._vocabulary.visible @ unit
        background = cosines[:BACKGROUND]
        spread = max(float(background.std()), float(calibration.spread.min()))
        return _logistic((cosines - background.mean()) / spread - calibration.nouns, calibration)

    def _relevance(self, vector: Floats) -> Floats:
        calibration = self._calibration
        distances = (self._visual.cosines(vector) - calibration.usual) / calibration.spread
        return _logistic(distances - calibration.bias(distances[calibration.sample]), calibration)

    @property
    def _calibration(self) -> _Calibration:
        with self._calibrating:
            return self._measured

    @cached_property
    def _measured(self) -> _Calibration:
        background, count = self._vocabulary.visible[:BACKGROUND], len(self._visual)
        sample = np.arange(0, count, -(-count // _SAMPLE))
        few = normalised(self._visual[sample])
        least = max(_LEAST_SPREAD * float(np.median((few @ background.T).std(axis=1))), _SMALLEST)
        usual, spread = _usual(few, background, least)
        nouns, unrelated = (
            (few @ texts.T - usual[:, None]) / spread[:, None]
            for texts in (self._vocabulary.visible, self._vocabulary.unrelated)
        )
        trust = len(sample) / (len(sample) + _FEW)
        low, high = (trust * float(each) for each in np.quantile(_common(nouns), _USUAL))
        biases = [np.clip(trust * _common(distances), low, high) for distances in (nouns, unrelated)]
        scores = nouns - biases[0]
        usual, spread = np.empty(count, np.float32), np.empty(count, np.float32)
        peaks = np.full(len(self._vocabulary.unrelated), -np.inf, np.float32)
        for start in range(0, count, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            images = normalised(self._visual[chunk])
            usual[chunk], spread[chunk] = _usual(images, background, least)
            distances = (images @ self._vocabulary.unrelated.T - usual[chunk, None]) / spread[chunk, None]
            peaks = np.maximum(peaks, distances.max(axis=0))
        tenth, best = _best_and_tenth(scores)
        chance = max(float(np.quantile(peaks - biases[1], _CHANCE)), tenth)
        clear = max(best, chance + _LEAST_GAP)
        # The curve passes through NOISE_RELEVANCE at `chance` and _CLEAR_RELEVANCE at `clear`.
        noise, certain = (float(np.log(each / (1 - each))) for each in (NOISE_RELEVANCE, _CLEAR_RELEVANCE))
        width = (clear - chance) / (certain - noise)
        return _Calibration(usual, spread, sample, trust, low, high, biases[0], chance - noise * width, width)


def _usual(images: Floats, background: Floats, least: float) -> tuple[Floats, Floats]:
    """Return the mean and the spread of images' cosines to the background, float32[images] each."""
    cosines = images @ background.T
    return cosines.mean(axis=1), np.maximum(cosines.std(axis=1), np.float32(least))


def _common(distances: Floats) -> Floats:
    """Return the distance that most images exceed, along the first axis."""
    return np.asarray(np.quantile(distances, _MOST, axis=0), np.float32)


def _best_and_tenth(scores: Floats) -> tuple[float, float]:
    """Return the median over the images of the _TENTH best noun's score and of the best one's.

    Args:
        scores: float32[images, nouns].
    """
    place = min(_TENTH, scores.shape[1]) - 1
    tenth = -np.partition(-scores, place, axis=1)[:, place]
    return float(np.median(tenth)), float(np.median(scores.max(axis=1)))


def _logistic(scores: Floats, calibration: _Calibration) -> Floats:
    return np.asarray(1 / (1 + np.exp(np.clip((calibration.middle - scores) / calibration.width, -50, 50))), np.float32)
