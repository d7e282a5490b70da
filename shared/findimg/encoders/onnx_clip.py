"""Image–text models in ONNX: images and texts become vectors of one space, so whole sentences find images.

The operator brings the weights: a folder in the layout that immich publishes on Hugging Face for dozens of models of
open_clip, CLIP's and SigLIP's kind. Preprocessing follows open_clip.

The published weights could not be downloaded for testing. Tests prove with small models of their own that the
embeddings are right. No search quality was measured.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.base import MODEL_FOLDER, Features
from findimg.encoders.registry import RegisteredImageTextEncoder, register_encoder
from findimg.encoders.runtimes.clip_folder import (
    CLIP_WEIGHTS,
    CONFIG,
    EXTERNAL_DATA,
    REQUIRED,
    TEXTUAL,
    VISUAL,
    ClipConfig,
    PixelConfig,
    check_folder,
    read_config,
)
from findimg.encoders.runtimes.clip_text import ClipTextTower
from findimg.encoders.runtimes.onnx import OnnxModel
from findimg.models.store import ModelStore

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "random": Image.Resampling.BICUBIC,  # training draws one of both, and open_clip then uses bicubic
}
_LONGEST = 16  # times the shorter side, more of an image is cut off before it is resized


@register_encoder
class OnnxClip(RegisteredImageTextEncoder):
    """An image–text model of the operator's."""

    name = "onnx-clip"
    classes = 0
    preprocessing = 1
    weights_kind = CLIP_WEIGHTS
    weights_help = (
        "onnx-clip needs a model. Name its folder with --weights, or use a preset of findimg-jobs models list."
    )

    text_files = tuple(f"{MODEL_FOLDER}/{file}" for file in (CONFIG, *TEXTUAL))
    multilingual = False

    def __init__(self, fingerprint: str, folder: Path, visual: OnnxModel, open_texts: Callable[[], ClipTextTower]):
        self.fingerprint = fingerprint
        self.dim = visual.dim
        self._folder = folder
        self._pixels = read_config(folder, VISUAL[1], PixelConfig)
        self._visual = visual
        self._open_texts = open_texts

    @classmethod
    def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
        check_folder(weights)
        visual = cls._open_visual(weights, threads)
        cls.open_texts(weights, threads)  # checks it. Workers do not need it, so it is not kept in memory.
        return cls(fingerprint, weights, visual, partial(cls.open_texts, weights, threads))

    @classmethod
    def open_portable(cls, folder: Path, fingerprint: str, threads: int | None) -> Self:
        folder = folder / MODEL_FOLDER
        check_folder(folder, (CONFIG, *VISUAL))
        return cls(fingerprint, folder, cls._open_visual(folder, threads), partial(cls.open_texts, folder, threads))

    @classmethod
    def open_portable_texts(cls, folder: Path, threads: int | None) -> ClipTextTower:
        return cls.open_texts(folder / MODEL_FOLDER, threads)

    @classmethod
    def open_texts(cls, folder: Path, threads: int | None) -> ClipTextTower:
        """Open the text tower of a model's folder.

        Raises:
            ModelError: a file is missing, damaged, or belongs to another model.
        """
        check_folder(folder, (CONFIG, *TEXTUAL))
        return ClipTextTower(folder, read_config(folder, CONFIG, ClipConfig), threads, cls.multilingual)

    @classmethod
    def _open_visual(cls, folder: Path, threads: int | None) -> OnnxModel:
        config, pixels = read_config(folder, CONFIG, ClipConfig), read_config(folder, VISUAL[1], PixelConfig)
        path = folder / VISUAL[0]
        visual = OnnxModel(path, {"image": (3, pixels.side, pixels.side)}, (), threads)
        config.check_dim(path, visual.dim)
        return visual

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        side, resampling = self._pixels.side, _RESAMPLING[self._pixels.interpolation]
        if self._pixels.resize_mode == "squash":
            return np.asarray(image.resize((side, side), resampling))
        image = _without_far_ends(image)
        width, height = image.size
        shorter = min(width, height)
        resized = image.resize((width * side // shorter, height * side // shorter), resampling)
        left, top = (round((length - side) / 2) for length in resized.size)
        return np.asarray(resized.crop((left, top, left + side, top + side)))

    def embed(self, pixels: NDArray[np.uint8]) -> Features:
        mean, std = (np.asarray(each, np.float32) for each in (self._pixels.mean, self._pixels.std))
        scaled = (pixels.astype(np.float32) / 255 - mean) / std
        return Features(self._visual([{"image": each} for each in scaled.transpose(0, 3, 1, 2)]), None)

    def portable_files(self) -> Mapping[str, bytes | Path]:
        found = {file: self._folder / file for file in (*REQUIRED, *EXTERNAL_DATA)}
        return {f"{MODEL_FOLDER}/{file}": path for file, path in found.items() if path.exists()}

    @cached_property
    def _texts(self) -> ClipTextTower:
        return self._open_texts()

    @property
    def prompt(self) -> str:
        return self._texts.prompt

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._texts.embed_texts(texts)


def _without_far_ends(image: Image.Image) -> Image.Image:
    """Return a panorama's middle. Only a square of it is seen, and resizing all of it could take gigabytes."""
    width, height = image.size
    longest = _LONGEST * min(width, height)
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, width - left, height - top))
