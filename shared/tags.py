"""Tags: the words that an image's classes and joint embedding speak for."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.lexicon import CLASSES, Lexicon
from shared.words import Words


@dataclass(frozen=True, slots=True)
class Tag:
    """One word for an image."""

    word: str
    score: float  # 0 to 1, how likely the image shows it


class Tagger:
    """Names what images show."""

    def __init__(self, words: Words, lexicon: Lexicon):
        self._words = words
        self._lexicon = lexicon

    def tags(
        self,
        joint: npt.NDArray[np.float32],
        classes: npt.NDArray[np.integer],
        probabilities: npt.NDArray[np.float32],
        k: int = 10,
    ) -> list[Tag]:
        """Returns up to `k` words for one image, best first; fewer when only few fit.

        Args:
            joint: float32[dim], the image's joint embedding.
            classes: int[m], its likeliest classes.
            probabilities: float32[m], theirs.
        """
        covers = self._lexicon.covers[:, classes]
        likely = covers @ probabilities
        specific = np.log(self._lexicon.covers.sum(axis=1) / CLASSES) / np.log(1 / CLASSES)
        value = likely * specific
        found: list[Tag] = []
        for node in np.argsort(-value, kind="stable"):
            word = self._lexicon.label(int(node))
            if likely[node] < 0.05 or len(found) == k:
                break
            if specific[node] > 0.3 and all(word != tag.word for tag in found):
                found.append(Tag(word, float(min(1.0, likely[node]))))
        return found
