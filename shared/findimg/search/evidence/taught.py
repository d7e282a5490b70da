"""Evidence from examples: how similar an image is to the images that a team gave for a name.

A name's direction is the mean of its examples in the space of the visual index. Negative examples turn it away from
themselves by ridge regression. The cosine to the direction becomes a relevance from 0 to 1 by a logistic curve. Its
threshold rises with the number of examples, because a mean of several images is closer to all images of its kind.

The classes of a word count as a few examples that were there before, so that one wrong example of `dog` changes little:
relevance = (PSEUDO × classes + examples × similarity) / (PSEUDO + examples). If one example shows nothing of the
classes, the classes count twice, because the example may be a mistake. If several examples show nothing of them, the
team means something else (`jaguar` is a car), and the classes count less. Of 2,340 wrong examples for 30 names of
classes, 2 cost more than 0.05 of precision@10, and 7 without the double count. With one right example for each of 40
names, precision@10 is 0.976, and 0.973 without.

Words that name no class, but are written in images or their names, are answered by text without examples. There the
text counts as one example. With one wrong example for each of 40 names that are also folders, precision@10 is 1.0, and
0.75 without text. For other words that name no class, one wrong example costs everything. The certainty of a guess by
word vectors does not predict whether the guess is right: of 28 words, the guess for `lotus` finds nothing and is as
certain as that for `ferry`, which finds ten of ten. So one example always outweighs the guess. This alternative was
tried: if the most probable class of the only example has at least 0.5 and does not belong to the guess, the guess
counts as two examples. Then 15 words keep 0.43 of 0.81 after a wrong example, but one right example for 19 other words
finds 0.86 instead of 0.95.

Precision@10 of the direction alone, on 1,400 photographs in 40 categories, 10 random choices of examples, without the
examples themselves. Constants were chosen on 20 of the categories. The columns show both halves.

| examples | 1 | 2 | 3 | 5 |
|---|---|---|---|---|
| projected to 128 dimensions, mean (chosen) | 0.946, 0.903 | 0.977, 0.973 | 0.980, 0.979 | 0.989, 0.978 |
| the same, nearest example | 0.946, 0.903 | 0.967, 0.950 | 0.970, 0.945 | 0.978, 0.953 |
| 1,280 dimensions, mean | 0.935, 0.893 | 0.970, 0.966 | 0.973, 0.975 | 0.985, 0.974 |
| variances of the 128 dimensions to the power 0.75 | 0.941, 0.901 | 0.972, 0.971 | 0.976, 0.978 | 0.988, 0.980 |

With up to five wrong first hits as negative examples, one example finds 0.960, 0.947 without them, 0.968, 0.963 with
RIDGE 1, 0.973, 0.971 with RIDGE 3, and 0.964, 0.958 with half the mean of the negative examples subtracted.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from threading import Lock

import numpy as np
from cachetools import LRUCache, cachedmethod
from numpy.typing import NDArray

from findimg.library.manifest import Manifest
from findimg.library.version_catalog import VersionCatalog
from findimg.search.similarity import VisualSimilarity
from findimg.taught.events import Example
from findimg.taught.state import NOTHING_TAUGHT, TaughtName, TaughtState
from findimg.vectors import normalised

Floats = NDArray[np.float32]
VectorOf = Callable[[Example], NDArray[np.floating] | None]

PSEUDO_NAMED = 4.0  # examples that the classes of a word count as, if the word names classes
PSEUDO_GUESSED = 0.25  # the same for a word that names no class
PSEUDO_WRITTEN = 1.0  # the same for such a word if it is written in images or their names
PSEUDO_CERTAIN = 5.0  # the same for a word that a source is certain about, such as a label of a trained head
RIDGE = 3.0  # larger values turn a direction less away from negative examples
SHOWN = 0.3  # relevance that an image needs to count as showing a taught name
_TAGGED = 0.5  # relevance at which an image gets a name as its tag
# The logistic curve: threshold for very many examples, how much lower it is for one, and scale. Thresholds were
# fitted on the 40 categories, in the projected space and in the full one. A steeper curve orders the best images less.
_PROJECTED, _FULL = (0.34, 0.09, 0.09), (0.28, 0.09, 0.065)
_SPREADS = 3.0  # a threshold is at least this many spreads of all images' cosines
_DOUBT = 1.5  # how fast classes lose weight to further examples that show nothing of them
_AGREES = 0.2  # relevance by classes from which an example agrees with them
_LEAST = 0.01  # relevance below this counts as none
_OPPOSED = 32  # negative examples that are compared one by one, the newest
_DEPTH = 500  # images that they are compared with
_KEPT_NAMES, _KEPT_RELEVANCES = 2048, 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Direction:
    """What a name looks like, in the space of the visual index."""

    vector: Floats | None  # float32[dim] of length 1, None without positive examples
    least: float  # cosine at which the relevance is one half
    scale: float
    positives: float  # weights of the examples
    negatives: float
    opposed: Floats  # float32[n, dim], the newest negative examples
    shown: NDArray[np.int64]  # items of the positive examples that are indexed
    not_shown: NDArray[np.int64]  # of the negative examples
    nearest: NDArray[np.int64]  # items of the positive examples, or the ones that are most similar to them

    def class_examples(self, classes: Floats, pseudo: float) -> float:
        """Return the number of examples that classes count as.

        They count twice against one example that shows nothing of them, which may be a mistake. Several such examples
        give the word another meaning.
        """
        disagreeing = float((1 - np.clip(classes[self.nearest] / _AGREES, 0, 1)).sum())
        return pseudo * (1 + min(1.0, disagreeing)) / (1 + _DOUBT * max(0.0, disagreeing - 1))

    def relevance(self, cosines: Floats) -> Floats:
        """Return the relevance of images by their cosines to the direction, float32[n], 0 to 1."""
        found = 1 / (1 + np.exp(np.clip((self.least - cosines) / self.scale, -50, 50)))
        return np.asarray(np.where(found < _LEAST, 0, found), np.float32)


class TaughtEvidence:
    """Knows the names that a team taught. Several threads may use it at the same time."""

    def __init__(self, similarity: VisualSimilarity, catalog: VersionCatalog, manifest: Manifest):
        """Know nothing yet. `use` sets what is taught."""
        self._similarity = similarity
        self._catalog = catalog
        self._manifest = manifest
        self._state = NOTHING_TAUGHT
        self._vector_of: VectorOf = lambda _: None
        self._lock = Lock()
        self._directions: LRUCache[object, _Direction] = LRUCache(_KEPT_NAMES)
        self._relevances: LRUCache[object, tuple[Floats, float]] = LRUCache(_KEPT_RELEVANCES)
        self._warned: set[str] = set()

    @property
    def state(self) -> TaughtState:
        """Return what is taught."""
        return self._state

    def use(self, state: TaughtState, vector_of: VectorOf | None = None) -> None:
        """Answer from a state from now on.

        Args:
            state: what is taught.
            vector_of: returns the visual features of an example that another encoder embedded and that is not indexed,
                None where they cannot be had.
        """
        if vector_of is not None:
            self._vector_of = vector_of
        self._state = state

    @cachedmethod(
        attrgetter("_relevances"),
        key=lambda _, name, classes, pseudo, term="": (term, _identity(name)),
        lock=attrgetter("_lock"),
    )
    def relevance(
        self, name: TaughtName, classes: Floats | None, pseudo: float, term: str = ""
    ) -> tuple[Floats, float]:
        """Return the relevance of every image for a taught name, and the share of the classes in it.

        Args:
            name: of the state.
            classes: float32[images], 0 to 1, what other sources say about the word; None if they do not know it.
            pseudo: number of examples that `classes` counts as.
            term: the word that `classes` is about.

        Returns:
            float32[images], 0 to 1, which must not be changed, and the share, 0 to 1.
        """
        direction = self._direction(name)
        found = np.zeros(self._manifest.images, np.float32)
        counted = direction.class_examples(classes, pseudo) if classes is not None else 0.0
        share = counted / (counted + direction.positives) if counted else 0.0
        if classes is not None and share:
            found += classes * np.float32(share)
            self._oppose(found, direction)
        if direction.vector is not None:
            items, cosines = self._similarity.cosines(direction.vector)
            similar = direction.relevance(cosines)
            is_shown = np.zeros(self._manifest.images, np.bool_)
            is_shown[direction.shown] = True
            similar[is_shown[items]] = 1
            found[items] += similar * np.float32(1 - share)
        found[direction.not_shown] = 0
        found.flags.writeable = False
        return found, share

    def tags(self, visual: Floats) -> dict[str, float]:
        """Return the taught names that an image shows, and their relevance, 0 to 1.

        Args:
            visual: float32[dim], its visual features.
        """
        names = list(self._state.names.values())
        if not names or not np.any(visual):
            return {}
        point = normalised(self._similarity.projected(visual))
        found = {}
        for name in names:
            direction = self._direction(name)
            if direction.vector is not None:
                relevance = float(direction.relevance(np.asarray([direction.vector @ point], np.float32))[0])
                if relevance >= _TAGGED:
                    found[name.name] = round(relevance, 3)
        return found

    def _oppose(self, classes: Floats, direction: _Direction) -> None:
        """Lower the relevance by classes of images that are more similar to negative examples than to positive ones."""
        if not len(direction.opposed):
            return
        items = np.argpartition(-classes, min(_DEPTH, len(classes)) - 1)[:_DEPTH]
        items = np.sort(items[classes[items] > 0]).astype(np.int64)
        if not len(items):
            return
        against = np.max([self._similarity.similarities(each, items) for each in direction.opposed], axis=0)
        for_it = np.zeros(len(items), np.float32)
        if direction.vector is not None:
            for_it = self._similarity.similarities(direction.vector, items)
        opposed = direction.relevance(np.where(against > for_it, against, -1).astype(np.float32))
        classes[items] *= 1 - opposed * np.float32(direction.negatives / (1 + direction.negatives))

    @cachedmethod(attrgetter("_directions"), key=lambda _, name: _identity(name), lock=attrgetter("_lock"))
    def _direction(self, name: TaughtName) -> _Direction:
        positive: list[Floats] = []
        negative: list[Floats] = []
        weights: list[float] = []
        shown: list[int] = []
        not_shown: list[int] = []
        nearest: list[int] = []
        for each in name.examples:
            item = self._item(each.example)
            vector = self._visual(each.example, item)
            if vector is None:
                continue
            point = normalised(self._similarity.projected(vector))
            if each.shows:
                positive.append(point)
                weights.append(each.weight)
                if item is None:
                    visual = np.asarray(vector, np.float32)
                    nearest.append(int(self._similarity.nearest(visual, 1, 1, None)[0][0]))
                else:
                    nearest.append(item)
            else:
                negative.append(point)
            if item is not None and each.weight == 1:
                (shown if each.shows else not_shown).append(item)
        opposed = np.stack(negative) if negative else np.zeros((0, self._similarity.background.shape[1]), np.float32)
        vector = None
        if positive:
            vector = _steered_away(np.stack(positive), np.asarray(weights, np.float32), opposed)
        low, lower, scale = _PROJECTED if self._similarity.is_projected else _FULL
        threshold = low - lower / max(1.0, sum(weights))
        direction = vector if vector is not None else normalised(opposed.sum(axis=0))
        centre, spread = self._similarity.usual_cosine(direction)
        threshold = max(threshold, _SPREADS * spread / (1 - centre))
        return _Direction(
            vector=vector,
            least=centre + (1 - centre) * threshold,
            scale=scale * (1 - centre),
            positives=float(sum(weights)),
            negatives=float(len(negative)),
            opposed=opposed[-_OPPOSED:],
            shown=np.asarray(shown, np.int64),
            not_shown=np.asarray(not_shown, np.int64),
            nearest=np.asarray(nearest, np.int64),
        )

    def _item(self, example: Example) -> int | None:
        """Return the item of an example that is indexed with the same content."""
        item = self._catalog.item(example.uri) if example.uri else None
        return item if item is not None and self._catalog.row(item).sha256 == example.sha256 else None

    def _visual(self, example: Example, item: int | None) -> NDArray[np.floating] | None:
        """Return an example's visual features by the version's encoder, None where they cannot be had."""
        vector: NDArray[np.floating] | None = example.vector
        if example.fingerprint != self._manifest.fingerprint:
            vector = self._similarity.visual[item] if item is not None else self._vector_of(example)
        if vector is not None and vector.shape == (self._manifest.dim,) and np.any(vector):
            return vector
        if example.sha256 not in self._warned:
            self._warned.add(example.sha256)
            problem = "is not available" if vector is None else f"has {len(vector)} dimensions"
            _log.warning(
                "The example %s is ignored: its vector %s. The library's encoder has %d dimensions.",
                (example.uri or example.sha256)[:300],
                problem,
                self._manifest.dim,
            )
        return None


def _identity(name: TaughtName) -> object:
    return name.key, tuple((each.example.sha256, each.shows, each.weight) for each in name.examples)


def _steered_away(positive: Floats, weights: Floats, negative: Floats) -> Floats:
    """Return the mean of positive examples, turned away from negative ones, with length 1.

    It is the vector nearest to the mean whose product with each negative example is near to 0, while the products with
    the positive examples stay (ridge regression).
    """
    mean = normalised(weights @ positive)
    if not len(negative):
        return mean
    rows = np.concatenate([positive, negative])
    wanted = np.concatenate([positive @ mean, np.zeros(len(negative), np.float32)])
    system = rows @ rows.T + RIDGE * np.eye(len(rows), dtype=np.float32)
    return normalised(mean + rows.T @ np.linalg.solve(system, wanted - rows @ mean))
