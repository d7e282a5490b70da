"""Conversion of GloVe files into the memory-mapped form of `WordVectors`."""

from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from findimg.errors import ModelError
from findimg.text.vocabulary import Vocabulary

_BATCH = 8192  # lines converted at a time


def convert_glove(source: Path, folder: Path) -> None:
    """Convert a GloVe file into a folder for `open_words`. If it fails, the folder is incomplete.

    Args:
        source: GloVe's text format (on each line a word and its numbers, separated by spaces), or a `.npy` file of
            float[n, dim] with its vocabulary in a `.txt` file of the same name, one word per line.
        folder: a new folder for `vectors.npy`, `vocabulary.txt` and `order.npy`.

    Raises:
        ModelError: the file is missing, empty or malformed. The message names the line.
    """
    folder.mkdir()
    try:
        words = _convert_npy(source, folder) if source.suffix == ".npy" else _convert_text(source, folder)
    except OSError as error:
        raise ModelError(f"{source} cannot be read: {error.strerror or error}.") from error
    lines = b"".join(word + b"\n" for word in words)
    (folder / "vocabulary.txt").write_bytes(lines)
    np.save(folder / "order.npy", Vocabulary(lines).order)


def _convert_text(source: Path, folder: Path) -> list[bytes]:
    words: dict[bytes, int] = {}
    dim = 0
    with source.open("rb") as file, (folder / "raw").open("wb") as raw:
        number = 0
        while batch := list(islice(file, _BATCH)):
            rows = []
            for line in batch:
                number += 1
                word, values = _parse(line, dim, source, number)
                dim = dim or len(values)
                if word in words:
                    raise ModelError(
                        f"{source}, line {number}: the word {word.decode(errors='replace')!r} was already on "
                        f"line {words[word]}. Each word may occur only once."
                    )
                words[word] = number
                rows.append(values)
            raw.write(np.array(rows, dtype=np.float32).tobytes())
    if not words:
        raise ModelError(f"{source} is empty. A GloVe file has a word and its numbers on every line.")
    vectors = np.memmap(folder / "raw", dtype=np.float32, mode="r", shape=(len(words), dim))
    np.save(folder / "vectors.npy", vectors)
    (folder / "raw").unlink()
    return list(words)


def _parse(line: bytes, dim: int, source: Path, number: int) -> tuple[bytes, npt.NDArray[np.float32]]:
    fields = line.rstrip(b"\r\n").split(b" ")
    # Some words in GloVe's 840B file contain spaces. Once the dimension is known, count the numbers from the end.
    split = len(fields) - dim if dim else 1
    word = b" ".join(fields[:split])
    if split < 1 or len(fields) < 2 or not word or (_is_number(fields[split - 1]) and split > 1):
        raise ModelError(
            f"{source}, line {number}: expected a word and {dim or 'some'} numbers, separated by single spaces. "
            f"Received {len(fields)} columns: {_excerpt(line)}."
        )
    try:
        values = np.array(fields[split:], dtype=np.bytes_).astype(np.float32)
    except ValueError:
        values = np.array([np.nan], dtype=np.float32)
    if not np.isfinite(values).all():
        raise ModelError(f"{source}, line {number}: not all columns after the word are numbers: {_excerpt(line)}.")
    return word, values


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _excerpt(line: bytes) -> str:
    text = line[:60].decode(errors="replace").rstrip()
    return repr(text if len(line) <= 60 else text + "…")


def _convert_npy(source: Path, folder: Path) -> list[bytes]:
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
            raise ModelError(f"{listed}, line {number}: {what}. Every line must have a different word.")
    whole = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float32, shape=vectors.shape)
    for start in range(0, len(vectors), _BATCH):
        block = np.asarray(vectors[start : start + _BATCH], dtype=np.float32)
        broken = ~np.isfinite(block).all(axis=1)
        if broken.any():
            raise ModelError(f"{source}, row {start + int(broken.argmax())}: not all values are finite numbers.")
        whole[start : start + _BATCH] = block
    whole.flush()
    return words
