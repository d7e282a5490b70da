"""The text tower of an image–text model: texts become token ids, as in open_clip, and then vectors."""

import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.runtimes.clip_folder import TEXTUAL, ClipConfig, TextConfig, TokenizerConfig, read_config
from findimg.encoders.runtimes.onnx import OnnxModel
from findimg.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_LARGEST = 1 << 26  # bytes of a tokenizer file; the largest published ones have 34 MB


# What CLIP's and SigLIP's authors write a name into before they compare it with images.
_PROMPT, _PROMPT_OF_SIGLIP = "a photo of {}.", "This is a photo of {}."


class ClipTextTower:
    """A `TextEncoder`. Several threads may use it at the same time."""

    def __init__(self, folder: Path, config: ClipConfig, threads: int | None, multilingual: bool):
        """Open the tokenizer and the model.

        Args:
            folder: of the whole model.
            config: its settings.
            threads: texts computed at the same time. None is one per core.
            multilingual: see `TextEncoder`.

        Raises:
            ModelError: a file is damaged, or the vectors have another dimension than the settings say.
        """
        self.multilingual = multilingual
        self.prompt = _PROMPT_OF_SIGLIP if config.text_cfg.tokenizer_kwargs.clean == "canonicalize" else _PROMPT
        self._tokenizer = ClipTokenizer(folder, config.text_cfg)
        shape = (config.text_cfg.context_length,)
        inputs = {"text": shape, "input_ids": shape, "attention_mask": shape}
        path = folder / TEXTUAL[0]
        self._model = OnnxModel(path, inputs, tuple(inputs), threads)
        config.check_dim(path, self._model.dim)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder`."""
        encoded = [self._tokenizer(self._addressed(text)) for text in texts]
        return self._model([{"text": ids, "input_ids": ids, "attention_mask": mask} for ids, mask in encoded])

    def _addressed(self, text: str) -> str:
        """Return a text as this model's tokenizer wants it."""
        return text


class ClipTokenizer:
    """Texts as token ids, padded to the context's length."""

    def __init__(self, folder: Path, config: TextConfig):
        """Read `textual/tokenizer.json`.

        Raises:
            ModelError: the library tokenizers is not installed, or the file is damaged.
        """
        path = folder / "textual" / "tokenizer.json"
        padding = read_config(folder, "textual/tokenizer_config.json", TokenizerConfig).padding
        self._clean = config.tokenizer_kwargs.clean
        self._tokenizer = _open(path)
        identifier = self._tokenizer.token_to_id(padding)
        if identifier is None:
            raise ModelError(f"{path} has no padding token {padding!r}, which tokenizer_config.json names.")
        self._tokenizer.enable_truncation(config.context_length)
        self._tokenizer.enable_padding(length=config.context_length, pad_token=padding, pad_id=identifier)

    def __call__(self, text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of a text and the mask of those that are not padding, int64[context length] each."""
        encoding = self._tokenizer.encode(clean_text(text, self._clean))
        return np.asarray(encoding.ids, np.int64), np.asarray(encoding.attention_mask, np.int64)


def clean_text(text: str, clean: str) -> str:
    """Return a text as open_clip's cleaning of that name leaves it.

    Args:
        text: any text.
        clean: `whitespace` joins runs of white space, `lower` also writes lower case, `canonicalize` also drops ASCII
            punctuation and reads an underscore as a blank.
    """
    if clean == "canonicalize":
        text = text.replace("_", " ").translate(str.maketrans("", "", string.punctuation))
    if clean in ("canonicalize", "lower"):
        text = text.lower()
    return " ".join(text.split())


def _open(path: Path) -> "Tokenizer":
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ModelError("tokenizers is not installed. Run pip install 'findimg[clip]'.") from error
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path} is larger than {_LARGEST >> 20} MB, so it is not a tokenizer.")
        return Tokenizer.from_str(path.read_text("utf-8"))
    except ModelError:
        raise
    except Exception as error:  # the library raises plain Exception
        raise ModelError(f"{path} is not a tokenizer: {' '.join(str(error).split())[:200]}.") from error
