"""Image–text models in ONNX: images and texts become vectors of one space, so whole sentences find images.

The operator brings the weights: a folder in the layout that immich publishes on Hugging Face for dozens of models of
open_clip, CLIP's and SigLIP's kind. Preprocessing follows open_clip.

No weights could be had where findimg is developed. Tests prove with small models of their own that the embeddings are
right. No search quality was measured.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.base import Features
from findimg.encoders.registry import RegisteredEncoder, register_encoder
from findimg.encoders.runtimes.clip_folder import (
    CLIP_WEIGHTS,
    ClipConfig,
    PixelConfig,
    check_folder,
    read_config,
)
from findimg.encoders.runtimes.clip_text import ClipTokenizer
from findimg.encoders.runtimes.onnx import OnnxModel
from findimg.errors import ModelError
from findimg.models.store import ModelStore

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "random": Image.Resampling.BICUBIC,  # training draws one of both, and open_clip then uses bicubic
}
_LONGEST = 16  # times the shorter side, more of an image is cut off before it is resized


@register_encoder
class OnnxClip(RegisteredEncoder):
    """An image–text model of the operator's."""

    name = "onnx-clip"
    classes = 0
    preprocessing = 1
    weights_kind = CLIP_WEIGHTS
    weights_help = (
        "onnx-clip needs a model. Name its folder with --weights, or use a preset of findimg-jobs models list."
    )

    def __init__(
        self, fingerprint: str, visual: OnnxModel, pixels: PixelConfig, textual: OnnxModel, tokenizer: ClipTokenizer
    ):
        self.fingerprint = fingerprint
        self.dim = visual.dim
        self._visual = visual
        self._pixels = pixels
        self._textual = textual
        self._tokenizer = tokenizer

    @classmethod
    def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
        check_folder(weights)
        config = read_config(weights, "config.json", ClipConfig)
        pixels = read_config(weights, "visual/preprocess_cfg.json", PixelConfig)
        image = {"image": (3, pixels.side, pixels.side)}
        visual = OnnxModel(weights / "visual" / "model.onnx", image, (), threads)
        tokenizer = ClipTokenizer(weights, config.text_cfg)
        length = (config.text_cfg.context_length,)
        texts = {"text": length, "input_ids": length, "attention_mask": length}
        textual = OnnxModel(weights / "textual" / "model.onnx", texts, tuple(texts), threads)
        for tower, model in (("visual", visual), ("textual", textual)):
            if model.dim != config.embed_dim:
                raise ModelError(
                    f"{weights / tower / 'model.onnx'} returns {model.dim} numbers, and config.json says "
                    f"{config.embed_dim}. Both towers and the settings must be of one model."
                )
        return cls(fingerprint, visual, pixels, textual, tokenizer)

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

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder`."""
        items = []
        for text in texts:
            ids, mask = self._tokenizer(self._addressed(text))
            items.append({"text": ids, "input_ids": ids, "attention_mask": mask})
        return self._textual(items)

    def _addressed(self, text: str) -> str:
        """Return a text as this model's tokenizer wants it."""
        return text


def _without_far_ends(image: Image.Image) -> Image.Image:
    """Return a panorama's middle. Only a square of it is seen, and resizing all of it could take gigabytes."""
    width, height = image.size
    longest = _LONGEST * min(width, height)
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, width - left, height - top))
