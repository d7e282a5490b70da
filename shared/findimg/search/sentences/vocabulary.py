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
from findimg.search.expansion import unrelated_terms
from findimg.text.lexicon import Lexicon
from findimg.text.vectors import FREQUENT, WordVectors

VISIBLE = 1000  # visible nouns, the most frequent ones. They are also the tags.
_MOSTLY = 0.5  # share of a noun's uses that must be visible
_LEAST_LETTERS = 3


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
        vectors = {"visible": self.visible.astype(np.float16), "unrelated": self.unrelated.astype(np.float16)}
        np.savez(buffer, nouns=np.asarray(self.nouns), **vectors)
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
    """Return the VISIBLE most frequent nouns that usually name a visible thing, the most frequent first."""
    nouns = [noun for noun in lexicon.visible_nouns() if noun.isalpha() and len(noun) >= _LEAST_LETTERS]
    ranked = sorted((row, noun) for noun, row in zip(nouns, words.rows(nouns).tolist(), strict=True) if row >= 0)
    frequent = [noun for row, noun in ranked if row < FREQUENT]
    seen = (noun for noun in frequent if sum(sense.share for sense in lexicon.senses(noun)) > _MOSTLY)
    return [noun for noun, _ in zip(seen, range(VISIBLE), strict=False)]


def read_vocabulary(path: Path, dim: int) -> BackgroundVocabulary:
    """Read a vocabulary file.

    Args:
        path: the file.
        dim: dimension of the encoder's vectors.

    Raises:
        LibraryError: the file is damaged, or belongs to another encoder.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
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
