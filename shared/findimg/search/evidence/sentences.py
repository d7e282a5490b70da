"""Evidence from an image–text encoder: the cosine between an image and a text, calibrated on the library itself.

A cosine of such encoders has no fixed meaning. It depends on the model, on the image and on the text, so a flat cut-off
fails (https://github.com/immich-app/immich/pull/21537). Instead, each cosine is compared with those of a background
vocabulary:

- An image's cosines to some hundred common nouns give its usual cosine and their spread. The score of a text is its
  distance from the usual cosine, in spreads.
- A whole text may be near to all images, or far from all. If its mean over the images is beyond that of nearly all
  nouns, the difference is taken away.
- Two scores of the library's own images become fixed relevances: the score of an image's best noun is a clear match.
  The score of its tenth best noun is chance, or the score that nouns for invisible things reach, whichever is higher.
  Relevance is a logistic curve through both.

The weights of published models could not be had where findimg is developed. The scores were chosen on a made encoder:
the classes of efficientnet-lite0 on 1,400 photographs, the vectors of their names, an offset between images and texts,
and noise. How well a score separates images of a label from the others, as area under the curve, with little, medium
and much noise:

| score | area |
|---|---|
| cosine | 0.903 / 0.907 / 0.774 |
| distance from the usual cosine, in spreads (chosen) | 0.915 / 0.928 / 0.837 |
| the same, relative to the image's best noun | 0.911 / 0.927 / 0.824 |

In libraries of 20 of the 40 labels, 0.93 of their names count as shown with little noise and 0.80 with much. Of 15 nouns
for invisible things, 0.00 and 0.27 do. Without the nouns for invisible
things it would be 0.95 / 0.97 and 0.20 / 0.56.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from findimg.index.float16 import Float16Matrix
from findimg.search.expansion import ExpandedTerm
from findimg.search.sentences.vocabulary import BackgroundVocabulary

Floats = NDArray[np.float32]

BACKGROUND = 300  # nouns that an image is compared with
NOISE_RELEVANCE = 0.1  # relevance of the score that chance reaches
_CLEAR_RELEVANCE = 0.9  # relevance of the score of a clear match
_CHANCE = 0.85  # quantile of the invisible things' best scores
_TENTH = 10  # an image's best nouns, which are chance from this place on
_LEAST_GAP = 0.5  # the two scores differ at least so much
_USUAL = (0.05, 0.95)  # quantiles of the nouns' means over all images, between which a text's mean counts
_SAMPLE = 1000  # images that means over images are measured on
_CHUNK = 4096  # images that are compared with all nouns at a time
_KEPT = 8  # relevances that are kept, 4 bytes for each image
_LEAST_SPREAD = 0.2  # of the median spread, so that no image divides by nearly zero
_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Calibration:
    usual: Floats  # float32[images], usual cosine of each image
    spread: Floats  # float32[images], above 0
    sample: NDArray[np.int64]  # items that means over images are measured on
    low: float  # a text whose mean cosine is below is compared as if it were this one
    high: float  # likewise above
    middle: float  # score with a relevance of one half
    width: float  # scale of the logistic curve


class SentenceEvidence:
    """Knows every text. Several threads may use it at the same time."""

    def __init__(
        self, visual: Float16Matrix, vocabulary: BackgroundVocabulary, vector_of: Callable[[str], Floats]
    ):
        """Use a version's visual embeddings. They are calibrated when the first text comes.

        Args:
            visual: float16[images, dim].
            vocabulary: of the encoder.
            vector_of: returns the vector of a text, float32[dim] of length 1.
        """
        self._visual = visual
        self._vocabulary = vocabulary
        self._vector_of = vector_of
        self._relevances: OrderedDict[str, Floats] = OrderedDict()
        self._lock = Lock()
        self._calibrating = Lock()

    def knows(self, term: ExpandedTerm) -> bool:
        """See `Evidence.knows`."""
        return True

    def relevance(self, term: ExpandedTerm) -> Floats:
        """See `Evidence.relevance`. The result must not be changed."""
        with self._lock:
            if term.term in self._relevances:
                self._relevances.move_to_end(term.term)
                return self._relevances[term.term]
        found = self._relevance(self._vector_of(term.term))
        found.flags.writeable = False
        with self._lock:
            self._relevances[term.term] = found
            while len(self._relevances) > _KEPT:
                self._relevances.popitem(last=False)
        return found

    def relevance_in_regions(self, term: ExpandedTerm) -> None:
        """See `Evidence.relevance_in_regions`. The encoder sees whole images only."""

    def noun_relevance(self, visual: Floats) -> Floats:
        """Return how well each noun of the vocabulary describes an image, float32[nouns], 0 to 1.

        Args:
            visual: float32[dim], the features of an image, in the library or not.
        """
        unit = visual / max(float(np.linalg.norm(visual)), np.finfo(np.float32).tiny)
        calibration = self._calibration
        cosines = self._vocabulary.visible @ unit
        spread = max(float(cosines[:BACKGROUND].std()), float(calibration.spread.min()))
        corrections = _beyond(self._noun_means, calibration.low, calibration.high)
        scores = (cosines - cosines[:BACKGROUND].mean() - corrections) / spread
        return _logistic(scores, calibration)

    def _relevance(self, vector: Floats) -> Floats:
        calibration = self._calibration
        cosines = self._visual.cosines(vector)
        mean = cosines[calibration.sample].mean(keepdims=True)
        correction = _beyond(mean, calibration.low, calibration.high)
        return _logistic((cosines - calibration.usual - correction) / calibration.spread, calibration)

    @property
    def _calibration(self) -> _Calibration:
        with self._calibrating:
            return self._measured

    @cached_property
    def _sample(self) -> tuple[NDArray[np.int64], Floats]:
        """Return some images, and their features with length 1."""
        items = np.arange(0, len(self._visual), -(-len(self._visual) // _SAMPLE))
        return items, _unit_rows(self._visual[items])

    @cached_property
    def _noun_means(self) -> Floats:
        """Return the mean cosine of each noun over the images, float32[nouns]."""
        return np.asarray(self._vocabulary.visible @ self._sample[1].mean(axis=0), np.float32)

    @cached_property
    def _measured(self) -> _Calibration:
        background, unrelated = self._vocabulary.visible[:BACKGROUND], self._vocabulary.unrelated
        texts = np.concatenate([background, unrelated])
        count = len(self._visual)
        usual, spread = np.empty(count, np.float32), np.empty(count, np.float32)
        low, high = (float(each) for each in np.quantile(self._noun_means[:BACKGROUND], _USUAL))
        corrections = _beyond(unrelated @ self._sample[1].mean(axis=0), low, high)
        nouns = self._sample[1] @ self._vocabulary.visible.T
        least = max(_LEAST_SPREAD * float(np.median(nouns[:, :BACKGROUND].std(axis=1))), _SMALLEST)
        peaks = np.full(len(unrelated), -np.inf, np.float32)
        for start in range(0, count, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            cosines, others = np.split(_unit_rows(self._visual[chunk]) @ texts.T, [len(background)], axis=1)
            usual[chunk] = cosines.mean(axis=1)
            spread[chunk] = np.maximum(cosines.std(axis=1), least)
            peaks = np.maximum(peaks, ((others - usual[chunk, None] - corrections) / spread[chunk, None]).max(axis=0))
        items = self._sample[0]
        scores = nouns - usual[items, None] - _beyond(self._noun_means, low, high)
        tenth, best = _best_and_tenth(scores / spread[items, None])
        chance = max(float(np.quantile(peaks, _CHANCE)), tenth)
        clear = max(best, chance + _LEAST_GAP)
        # The curve passes through NOISE_RELEVANCE at `chance` and _CLEAR_RELEVANCE at `clear`.
        noise, certain = (float(np.log(each / (1 - each))) for each in (NOISE_RELEVANCE, _CLEAR_RELEVANCE))
        width = (clear - chance) / (certain - noise)
        return _Calibration(usual, spread, items, low, high, chance - noise * width, width)


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


def _beyond(means: NDArray[np.floating], low: float, high: float) -> Floats:
    """Return how far means are outside the usual range, negative below it."""
    return np.asarray(means - np.clip(means, low, high), np.float32)


def _unit_rows(vectors: Floats) -> Floats:
    lengths = np.sqrt(np.vecdot(vectors, vectors))[:, None]
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
