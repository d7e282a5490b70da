"""Scripts that an operator can add to those of rapidocr's wheel, each with a recognition model of its own.

The models are official ones of PP-OCRv5, from the address and with the SHA-256 of rapidocr's list of models. They know
Latin letters and digits besides their script. No figures are known for them, because the tests have no access to the
server.
"""

import hashlib
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from findimg.errors import ModelError, SettingsError
from findimg.models.artefacts import Artefact, ArtefactKind, Download, register_artefact
from findimg.models.store import ModelStore

_FOLDER = "https://www.modelscope.cn/models/RapidAI/RapidOCR/resolve/v3.10.0/onnx/PP-OCRv5/rec"
_LEAST_LETTERS = 10  # of a script, which its model must know


@dataclass(frozen=True, slots=True)
class Script:
    """A script with its official model."""

    model: str  # its name in rapidocr's list
    sha256: str
    unicode_name: str  # with which the Unicode names of its letters begin

    def count(self, text: str) -> int:
        """Return the number of a text's characters that are letters of this script."""
        return sum(c.isalpha() and unicodedata.name(c, "").startswith(f"{self.unicode_name} ") for c in text)


SCRIPTS = {
    "cyrillic": Script(
        "cyrillic_PP-OCRv5_rec_mobile",
        "90f761b4bfcce0c8c561c0cb5c887b0971d3ec01c32164bdf7374a35b0982711",
        "CYRILLIC",
    ),
    "devanagari": Script(
        "devanagari_PP-OCRv5_rec_mobile",
        "d6f0a906580e3fa6b324a318718f1f31f268b6ea8ef985f91c2012a37f52c91e",
        "DEVANAGARI",
    ),
    "greek": Script(
        "el_PP-OCRv5_rec_mobile",
        "b4368bccd557123c702b7549fee6cd1e94b581337d1c9b65310f109131542b7f",
        "GREEK",
    ),
    "korean": Script(
        "korean_PP-OCRv5_rec_mobile",
        "cd6e2ea50f6943ca7271eb8c56a877a5a90720b7047fe9c41a2e541a25773c9b",
        "HANGUL",
    ),
    "tamil": Script(
        "ta_PP-OCRv5_rec_mobile",
        "a42448808b7dea87597336f12438935f40353f1949e8360acd9e06b4da21bfe1",
        "TAMIL",
    ),
    "telugu": Script(
        "te_PP-OCRv5_rec_mobile",
        "a3690451b50028a09a3316a1274f7c05728151ea3f8fd392696397a7fefcbd92",
        "TELUGU",
    ),
    "thai": Script(
        "th_PP-OCRv5_rec_mobile",
        "de541dd83161c241ff426f7ecfd602a0ba77d686cf3ab9a6c255ea82fd08006e",
        "THAI",
    ),
}


def is_in_script(text: str, script: Script) -> bool:
    """Return whether at least half of a text's letters, and at least one, are of a script."""
    return 2 * script.count(text) >= max(2, sum(map(str.isalpha, text)))


@dataclass(frozen=True, slots=True)
class ScriptModel:
    """A recognition model on this machine."""

    script: str  # key of `SCRIPTS`
    path: Path


def script_models(scripts: Collection[str], store: ModelStore) -> tuple[ScriptModel, ...]:
    """Return the models of some scripts, in alphabetical order. Those that are not on this machine are downloaded.

    Raises:
        SettingsError: a script is unknown.
        ModelError: a model cannot be had, or is damaged.
    """
    if unknown := sorted(set(scripts) - SCRIPTS.keys()):
        raise SettingsError(f"There is no script {unknown[0]!r} for text_scripts. Use some of {', '.join(SCRIPTS)}.")
    return tuple(ScriptModel(script, store.pull(_artefact_name(script))) for script in sorted(set(scripts)))


@cache
def model_digest(model: ScriptModel) -> bytes:
    """Return the SHA-256 of a model."""
    return hashlib.sha256(model.path.read_bytes()).digest()


def _artefact_name(script: str) -> str:
    return f"ocr-{script}"


def _check(name: str, file: Path, _: Path) -> Path:
    """Return a file if it is a recognition model that knows the letters of its script; see `ArtefactKind.prepare`."""
    try:
        from onnxruntime import InferenceSession
    except ImportError as error:
        raise ModelError("Models that read text need the extra ocr. Install it with pip install 'findimg[ocr]'.") from (
            error
        )
    try:
        described = InferenceSession(str(file), providers=["CPUExecutionProvider"]).get_modelmeta()
    except Exception as error:  # ONNX Runtime raises classes of its own
        raise ModelError(f"{file} is not an ONNX model. Name the .onnx file of a recognition model.") from error
    script = name.removeprefix("ocr-")
    if SCRIPTS[script].count(described.custom_metadata_map.get("character", "")) < _LEAST_LETTERS:
        raise ModelError(f"{file} is not a recognition model for {script}. Name one that rapidocr lists for it.")
    return file


_RECOGNISERS = ArtefactKind("recognisers", _check)

for _name, _script in SCRIPTS.items():
    register_artefact(
        Artefact(
            _artefact_name(_name),
            _RECOGNISERS,
            Download(f"{_FOLDER}/{_script.model}.onnx", None, f"sha256:{_script.sha256}"),
            f"reads {_name.capitalize()} text in images, for --text-scripts",
        )
    )
