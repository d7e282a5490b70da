"""The word vectors that findimg knows by name, and how a file becomes one of them."""

import shutil
import zipfile
from pathlib import Path

from findimg.errors import ModelError
from findimg.models.artefacts import Artefact, ArtefactKind, Download, register_artefact
from findimg.text.glove_import import convert_glove
from findimg.text.vectors import EMBEDDED, EMBEDDED_FOLDER

# SHA-256 as published by Embeddings.jl and others.
_GLOVE_ZIP = Download(
    "https://downloads.cs.stanford.edu/nlp/data/glove.6B.zip",
    862_182_613,
    "sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
)


def prepare_words(name: str, file: Path, folder: Path) -> Path:
    """Convert a file of word vectors into the form that `open_words` reads.

    Args:
        name: the word vectors, which is also the name of the text inside a zip.
        file: GloVe's text, a zip with the text `<name>.txt`, or a .npy with its vocabulary beside it as .txt.
        folder: an empty folder for the result.

    Returns:
        The converted word vectors, a folder inside `folder`.

    Raises:
        ModelError: the file is damaged or holds no word vectors.
    """
    converted = folder / name
    convert_glove(_unzipped(file, name, folder), converted)
    return converted


def _unzipped(file: Path, name: str, folder: Path) -> Path:
    if not zipfile.is_zipfile(file):
        return file
    text = folder / "unzipped.txt"
    try:
        with zipfile.ZipFile(file) as archive, archive.open(f"{name}.txt") as member, text.open("wb") as target:
            shutil.copyfileobj(member, target)
    except KeyError as error:
        raise ModelError(f"{file} holds no {name}.txt. Name the file with these word vectors.") from error
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{file} cannot be unzipped: {error}.") from error
    return text


WORDS = ArtefactKind("words", prepare_words, r"glove\.[A-Za-z0-9._-]+", "glove.…")

register_artefact(Artefact(EMBEDDED, WORDS, EMBEDDED_FOLDER))
for _name in ("glove.6B.100d", "glove.6B.200d", "glove.6B.300d"):
    register_artefact(Artefact(_name, WORDS, _GLOVE_ZIP))
