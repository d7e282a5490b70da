"""The folder of an image–text model, in the layout that immich publishes on Hugging Face.

`config.json` and `visual/preprocess_cfg.json` are those of open_clip, `textual/tokenizer.json` and
`textual/tokenizer_config.json` those of Hugging Face's tokenizers. `visual/model.onnx` and `textual/model.onnx` may
have external data in `model.onnx.data` beside them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from findimg.errors import ModelError
from findimg.models.artefacts import ArtefactKind

CONFIG = "config.json"
VISUAL = ("visual/model.onnx", "visual/preprocess_cfg.json")
TEXTUAL = ("textual/model.onnx", "textual/tokenizer.json", "textual/tokenizer_config.json")
REQUIRED = (CONFIG, *VISUAL, *TEXTUAL)
EXTERNAL_DATA = ("visual/model.onnx.data", "textual/model.onnx.data")
_LARGEST_CONFIG = 1 << 20  # bytes

_Side = Annotated[int, Field(ge=8, le=2048)]
_Three = tuple[float, float, float]


class _Lenient(BaseModel):
    """Other software's settings: what findimg does not use is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class TokenizerOptions(_Lenient):
    """How open_clip cleans a text before it is tokenised."""

    clean: Literal["canonicalize", "lower", "whitespace"] = "whitespace"


class TextConfig(_Lenient):
    """The text tower."""

    context_length: Annotated[int, Field(ge=4, le=4096)] = 77
    tokenizer_kwargs: TokenizerOptions = TokenizerOptions()


class ClipConfig(_Lenient):
    """`config.json`."""

    embed_dim: Annotated[int, Field(ge=1, le=16384)]
    text_cfg: TextConfig = TextConfig()

    def check_dim(self, tower: Path, dim: int) -> None:
        """Check the dimension of a tower's vectors.

        Raises:
            ModelError: it is another one than the settings say.
        """
        if dim != self.embed_dim:
            raise ModelError(
                f"{tower} returns {dim} numbers, and config.json says {self.embed_dim}. Both towers and the settings "
                "must be of one model."
            )


class PixelConfig(_Lenient):
    """`visual/preprocess_cfg.json`."""

    size: _Side | tuple[_Side, _Side] = 224
    mode: Literal["RGB"] = "RGB"
    mean: _Three = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (
        0.26862954,
        0.26130258,
        0.27577711,
    )
    interpolation: Literal["bicubic", "bilinear", "random"] = "bicubic"
    resize_mode: Literal["shortest", "squash"] = "shortest"

    @property
    def side(self) -> int:
        """Pixels per side of the square input."""
        return self.size if isinstance(self.size, int) else self.size[0]


class AddedToken(_Lenient):
    """A special token with its options."""

    content: str


class TokenizerConfig(_Lenient):
    """`textual/tokenizer_config.json`."""

    pad_token: str | AddedToken

    @property
    def padding(self) -> str:
        """The token that fills a text up to the context's length."""
        return self.pad_token if isinstance(self.pad_token, str) else self.pad_token.content


_Config = TypeVar("_Config", bound=_Lenient)


def check_folder(folder: Path, files: Sequence[str] = REQUIRED) -> None:
    """Check that a folder has files of an image–text model, and no link out of it.

    Raises:
        ModelError: a file is missing, or a link leads out of the folder.
    """
    root = folder.resolve()
    for name in (*files, *EXTERNAL_DATA):
        path = folder / name
        if name in files and not path.is_file():
            raise ModelError(f"{folder} is not an image–text model, because {name} is missing.")
        if path.exists() and not path.resolve().is_relative_to(root):
            raise ModelError(f"{path} is a link that leads out of the model's folder. Copy the file.")


def _prepare(_: str, folder: Path, __: Path) -> Path:
    check_folder(folder)
    kinds: tuple[tuple[str, type[_Lenient]], ...] = (
        ("config.json", ClipConfig),
        ("visual/preprocess_cfg.json", PixelConfig),
        ("textual/tokenizer_config.json", TokenizerConfig),
    )
    for name, kind in kinds:
        read_config(folder, name, kind)
    return folder


def read_config(folder: Path, name: str, kind: type[_Config]) -> _Config:
    """Return one of the folder's settings files.

    Raises:
        ModelError: the file is too large, is not JSON, or has values that findimg does not support.
    """
    path = folder / name
    try:
        if path.stat().st_size > _LARGEST_CONFIG:
            raise ModelError(f"{path} is larger than {_LARGEST_CONFIG} bytes, so it is not a settings file.")
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelError(f"{path} cannot be used ({': '.join(filter(None, [place, first['msg']]))}).") from error


CLIP_WEIGHTS = ArtefactKind("weights", _prepare, files=REQUIRED, optional_files=EXTERNAL_DATA)
