"""Finds and recognises lines of text with rapidocr, whose models are part of its wheel.

rapidocr downloads models that it does not find, logs to standard error and resizes pictures as it likes. Here it gets
the paths of its own models, so it never uses the network. It gets a log handler before it adds one, and pictures of the
size that the network is to see.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.errors import ImageError, ModelError
from findimg.ocr.scripts import SCRIPTS, Script, ScriptModel, is_in_script, model_digest

LINE_HEIGHT = 48  # pixels of a line in the recogniser
_LOGGER = "RapidOCR"
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
_PIPELINE = 2  # increased when findimg reads the same picture differently
_NARROWEST = 96  # pixels of a line in the recogniser. rapidocr would widen short words to 320, which takes longer.
_ANY_SIDE = 1_000_000  # pixels, beyond all pictures: rapidocr never resizes them
_UPSIDE_DOWN = "180"
# A line of another script counts although its confidence is this much lower than that of the wheel's model. That model
# reads the Greek `ΤΑΜΕΙΟ` as Latin letters with a confidence of 0.999. The model of a script knows Latin letters too.
_DOUBT = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class FoundLines:
    """The regions of a picture that look like lines of text."""

    corners: NDArray[np.float32]  # float32[n, 4, 2], pixels, x before y, clockwise from the top left
    scores: NDArray[np.float32]  # float32[n], 0 to 1


class TextEngine:
    """The three models, and those of further scripts. Several threads may use it at the same time."""

    def __init__(self, threads: int, scripts: Sequence[ScriptModel] = ()):
        """Load the models.

        Args:
            threads: number of cores that one call uses.
            scripts: recognition models of further scripts.

        Raises:
            ModelError: rapidocr is not installed, or its models are missing.
        """
        models = model_files()
        # rapidocr adds a handler that writes to standard error only if its logger has none.
        log = logging.getLogger(_LOGGER)
        if not log.handlers:
            log.addHandler(logging.NullHandler())
        from rapidocr import RapidOCR

        params: dict[str, Any] = {
            "Global.log_level": "critical",
            "Global.use_preprocess_img": False,
            "Global.use_vertical_padding": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.limit_type": "max",
            "Det.limit_side_len": _ANY_SIDE,
            "Rec.rec_img_shape": [3, LINE_HEIGHT, _NARROWEST],
        } | {f"{stage}.model_path": str(path) for stage, path in models.items()}
        # Calling RapidOCR itself would also crop every region, and read its configuration for 2 ms.
        finder: Any = RapidOCR(params=params)
        self._detector = finder._load_det_model()
        self._recogniser = RapidOCR(params=params | {"Global.use_det": False})
        alone = params | {"Global.use_det": False, "Global.use_cls": False}
        self._others: list[tuple[Script, Any]] = [
            (SCRIPTS[each.script], RapidOCR(params=alone | {"Rec.model_path": str(each.path)})) for each in scripts
        ]

    def find(self, picture: NDArray[np.uint8]) -> FoundLines:
        """Return the regions that look like lines of text.

        Args:
            picture: uint8[height, width, 3], blue before red. Both sides are multiples of 32.

        Raises:
            ImageError: the models fail.
        """
        found: Any = self._call(self._detector, picture)
        if found.boxes is None:
            return FoundLines(np.empty((0, 4, 2), np.float32), np.empty(0, np.float32))
        return FoundLines(np.asarray(found.boxes, np.float32), np.asarray(found.scores, np.float32))

    def recognise(self, crops: list[NDArray[np.uint8]]) -> list[tuple[str, float]]:
        """Return the text of cropped lines and its confidence, 0 to 1, by the model that is most certain.

        Args:
            crops: uint8[height, width, 3] each, blue before red, upright.

        Raises:
            ImageError: the models fail.
        """
        best = self._recognise(self._recogniser, crops)
        for script, recogniser in self._others:
            for place, (text, confidence) in enumerate(self._recognise(recogniser, crops)):
                least = best[place][1] - _DOUBT if best[place][0].strip() else 0
                if is_in_script(text, script) and confidence >= least:
                    best[place] = text, confidence
        return best

    def _recognise(self, recogniser: Any, crops: list[NDArray[np.uint8]]) -> list[tuple[str, float]]:
        read: Any = self._call(recogniser.recognize_txt, crops)
        return list(zip(read.txts, map(float, read.scores), strict=True))

    def upside_down(self, crops: list[NDArray[np.uint8]]) -> list[bool]:
        """Return which cropped lines stand on their head."""
        _, judged = self._call(self._recogniser.cls_and_rotate, crops)
        return [label == _UPSIDE_DOWN for label, _ in judged.cls_res]

    def _call(self, function: Callable[..., Any], pixels: object) -> Any:
        try:
            return function(pixels)
        except Exception as error:  # rapidocr, OpenCV and ONNX Runtime raise classes of their own
            raise ImageError(f"Its text cannot be read: {type(error).__name__}.") from error


def model_files() -> dict[str, Path]:
    """Return the paths of the models by rapidocr's name of their stage.

    Raises:
        ModelError: rapidocr is not installed, or it comes without these models.
    """
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise ModelError("Reading text needs the extra ocr. Install it with pip install 'findimg[ocr]'.")
    files = {stage: Path(spec.origin).parent / "models" / name for stage, name in _MODELS.items()}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        raise ModelError(
            f"The installed rapidocr has no {missing[0]}, and findimg downloads no model for reading text. "
            "Install the version in constraints.txt."
        )
    return files


@cache
def text_fingerprint(scripts: tuple[ScriptModel, ...] = ()) -> str:
    """Return a name for everything that decides how text is read: the models, and findimg's use of them.

    Args:
        scripts: recognition models of further scripts.

    Raises:
        ModelError: see `model_files`.
    """
    digest = hashlib.sha256(f"rapidocr {_PIPELINE}".encode())
    for path in model_files().values():
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for each in scripts:
        digest.update(each.script.encode() + model_digest(each))
    return f"rapidocr-{digest.hexdigest()[:12]}"
