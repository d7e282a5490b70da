"""The background vocabulary of an image–text encoder: the vectors of common nouns, from which relevance is calibrated.

`index` computes them once for each encoder, so that readers calibrate and tag without the text tower.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.base import TextEncoder, embed_prompts
from findimg.errors import LibraryError
from findimg.heads.conse import class_vectors
from findimg.search.noise_floor import unrelated_terms
from findimg.text.lexicon import Lexicon
from findimg.text.vectors import FREQUENT, WordVectors

VISIBLE = 1000  # visible nouns, the most frequent ones. They are also the tags.
_MOSTLY = 0.5  # share of a noun's uses that must be visible
_LEAST_LETTERS = 3
_NEAR = 0.6  # cosine of a noun to the nearest class; the median of frequent nouns
# What photographs often show as a whole. ImageNet's classes and their ancestors have no word for it.
_SCENES = """
people crowd family team couple children face portrait street city village skyline river lake sea beach sunset sunrise
sky night snow rain fog forest mountain desert field grass flower garden party wedding concert meeting conference office
kitchen classroom kids sport food meal drink fire smoke fireworks sign text poster drawing painting map chart screenshot
document statue ruins harbour station airport stadium stage playground
"""


@dataclass(frozen=True, slots=True, eq=False)
class BackgroundVocabulary:
    """Common nouns and their vectors.

    Attributes:
        nouns: nouns for visible things, the most frequent first.
        visible: float32[nouns, dim], their vectors of length 1.
        unrelated: float32[n, dim], vectors of nouns for invisible things.
    """

    nouns: tuple[str, ...]
    visible: NDArray[np.float32]
    unrelated: NDArray[np.float32]

    def to_bytes(self) -> bytes:
        """Return the content of a vocabulary file. Equal vocabularies give equal bytes."""
        buffer = io.BytesIO()
        visible, unrelated = self.visible.astype(np.float16), self.unrelated.astype(np.float16)
        np.savez(buffer, nouns=np.asarray(self.nouns), visible=visible, unrelated=unrelated)
        return buffer.getvalue()


def make_vocabulary(encoder: TextEncoder, lexicon: Lexicon, words: WordVectors) -> BackgroundVocabulary:
    """Embed the background vocabulary, about 1,200 texts.

    Args:
        encoder: the text tower.
        lexicon: knows which nouns are visible.
        words: knows which nouns are frequent.

    Raises:
        ModelError: the text tower cannot compute a text.
    """
    nouns = common_nouns(lexicon, words)
    texts = [*nouns, *unrelated_terms(lexicon, words)]
    vectors = embed_prompts(encoder, texts)
    return BackgroundVocabulary(tuple(nouns), vectors[: len(nouns)], vectors[len(nouns) :])


def common_nouns(lexicon: Lexicon, words: WordVectors) -> list[str]:
    """Return VISIBLE nouns for what photographs show: the scenes, and the most frequent nouns for visible things.

    A noun is left out if people rarely mean its visible sense, or if no ImageNet class is near to it in the word
    vectors: `ordinary`, `opponent`.
    """
    scenes = _SCENES.split()
    nouns = [noun for noun in lexicon.visible_nouns() if noun.isalpha() and len(noun) >= _LEAST_LETTERS]
    ranked = sorted((row, noun) for noun, row in zip(nouns, words.rows(nouns).tolist(), strict=True) if row >= 0)
    frequent = [noun for row, noun in ranked if row < FREQUENT and noun not in scenes]
    seen = [noun for noun in frequent if sum(sense.share for sense in lexicon.senses(noun)) > _MOSTLY]
    nearest = (class_vectors(words, lexicon) @ words.directions(seen)[0].T).max(axis=0)
    return [*scenes, *(noun for noun, near in zip(seen, nearest, strict=True) if near >= _NEAR)][:VISIBLE]


def read_vocabulary(path: Path, dim: int) -> BackgroundVocabulary:
    """Read a vocabulary file.

    Args:
        path: the file.
        dim: dimension of the encoder's vectors.

    Raises:
        LibraryError: the file is damaged, or belongs to another encoder.
    """
    try:
        # np.load leaves a damaged file open if it opens the file itself.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            nouns, visible, unrelated = (file[name] for name in ("nouns", "visible", "unrelated"))
        if nouns.dtype.kind != "U" or {visible.dtype, unrelated.dtype} != {np.dtype(np.float16)}:
            raise ValueError("it holds values of other types")
        shapes = nouns.shape, visible.shape, unrelated.shape
        if shapes != ((len(nouns),), (len(nouns), dim), (len(unrelated), dim)) or not len(nouns) or not len(unrelated):
            raise ValueError(f"it holds arrays of the shapes {shapes}")
        if not (np.isfinite(visible).all() and np.isfinite(unrelated).all()):
            raise ValueError("it holds numbers that are not finite")
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile) as error:
        raise LibraryError(f"{path} cannot be opened as a vocabulary: {error}. Publish again with index.") from error
    return BackgroundVocabulary(tuple(nouns.tolist()), visible.astype(np.float32), unrelated.astype(np.float32))
