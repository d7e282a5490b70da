import subprocess
import sys
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders import registry
from findimg.encoders.base import Features
from findimg.encoders.clip_presets import PRESETS
from findimg.encoders.registry import (
    RegisteredEncoder,
    backbone_names,
    build_encoder,
    fingerprint,
    near_duplicate_cosine,
    open_portable,
    open_portable_texts,
    register_encoder,
    worker_memory,
)
from findimg.errors import ModelError, SettingsError
from findimg.models.store import ModelStore


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    prelude = (
        "import sys\nfrom pathlib import Path\nfrom findimg.encoders.registry import fingerprint, build_encoder\n"
        f"from findimg.models.store import ModelStore\nstore = ModelStore(Path({str(folder)!r}))\n"
    )
    root = Path(__file__).parents[3]
    return subprocess.run([sys.executable, "-c", prelude + code], cwd=root, capture_output=True, text=True, check=False)


def test_registry_has_the_documented_encoders() -> None:
    efficientnets = {"efficientnet-lite0", "efficientnet-lite0-int8", "efficientnet-lite2"}
    assert set(backbone_names()) == efficientnets | {"vgg16", "vgg16-gap", "onnx-clip", *PRESETS}


def test_only_measured_encoders_have_a_lower_limit_of_near_duplicates() -> None:
    assert near_duplicate_cosine("efficientnet-lite0-int8") == near_duplicate_cosine("efficientnet-lite0") == 0.92
    assert near_duplicate_cosine("efficientnet-lite0") < near_duplicate_cosine("vgg16")
    assert near_duplicate_cosine("vgg16") == near_duplicate_cosine("an encoder of another release")


def test_encoder_declares_the_memory_of_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry._find("efficientnet-lite0"), "memory", 10**9)
    assert worker_memory("efficientnet-lite0@label") == 10**9
    assert worker_memory("vgg16") == worker_memory("an encoder of another release") == 3_200_000_000


@pytest.mark.long
def test_default_encoder_needs_tensorflow_only_for_its_conversion(tmp_path: Path) -> None:
    code = (
        "import numpy as np\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "encoder = build_encoder('efficientnet-lite0', store, threads=1)\n"
        "assert encoder.fingerprint == fingerprint('efficientnet-lite0', store)\n"
        "print(encoder.embed(np.full((3, 224, 224, 3), 99, np.uint8)).visual.sum(), 'tensorflow' in sys.modules)\n"
    )
    first, second = run(code, tmp_path), run(code, tmp_path)
    assert (first.stderr, second.stderr) == ("", ""), "a person would see the libraries' own messages"
    (embedded, converted), (again, converted_again) = first.stdout.split(), second.stdout.split()
    assert embedded == again
    assert (converted, converted_again) == ("True", "False")


def test_number_of_tensorflow_threads_cannot_change(tmp_path: Path) -> None:
    done = run(
        "from findimg.encoders.runtimes.keras_model import start_tensorflow\n"
        "tensorflow = start_tensorflow(1)\n"
        "assert tensorflow.config.threading.get_intra_op_parallelism_threads() == 1\n"
        "start_tensorflow(1)\n"
        "try:\n    start_tensorflow(2)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n",
        tmp_path,
    )
    assert done.stdout.startswith("SettingsError TensorFlow runs in this process with 1 threads"), done.stdout
    assert done.stderr == "", "a person would see TensorFlow's own messages"


def test_unknown_backbone_is_refused_with_the_known_names(tmp_path: Path) -> None:
    for ask in (build_encoder, fingerprint):
        with pytest.raises(SettingsError, match=r"'resnet'.*vgg16-gap"):
            ask("resnet", ModelStore(tmp_path))


def test_fingerprint_depends_on_the_weights(tmp_path: Path) -> None:
    one, other, copy = (tmp_path / name for name in ("one.h5", "other.h5", "copy.h5"))
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    copy.write_bytes(b"1")
    store = ModelStore(tmp_path)
    assert fingerprint("vgg16", store, str(one)) == fingerprint("vgg16", store, str(copy))
    assert fingerprint("vgg16", store, str(one)) != fingerprint("vgg16", store, str(other))
    assert fingerprint("vgg16", store, str(one)) != fingerprint("vgg16-gap", store, str(one))
    int(fingerprint("vgg16", store, str(one)), 16)


def test_fingerprint_depends_on_the_preprocessing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from findimg.encoders.efficientnet_lite0 import EfficientNetLite0

    before = fingerprint("efficientnet-lite0", ModelStore(tmp_path))
    monkeypatch.setattr(EfficientNetLite0, "preprocessing", EfficientNetLite0.preprocessing + 1)
    assert fingerprint("efficientnet-lite0", ModelStore(tmp_path)) != before


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no file '.*gone\.h5'"):
        fingerprint("vgg16", ModelStore(tmp_path), str(tmp_path / "gone.h5"))


def test_encoder_is_added_with_one_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_encoders", dict(registry._encoders))

    @register_encoder
    class Mean(RegisteredEncoder):
        name, dim, classes, preprocessing = "mean", 3, 0, 1
        weights_help = "Name a file with --weights."

        def __init__(self, fingerprint: str):
            self.fingerprint = fingerprint

        @classmethod
        def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
            return cls(fingerprint)

        def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
            return np.asarray(image.resize((1, 1)))

        def embed(self, pixels: NDArray[np.uint8]) -> Features:
            return Features(pixels[:, 0, 0].astype(np.float32), None)

    assert "mean" in backbone_names()
    with pytest.raises(ModelError, match=r"^Name a file with --weights\.$"):
        build_encoder("mean", ModelStore(tmp_path))
    (tmp_path / "weights").write_bytes(b"1")
    encoder = build_encoder("mean", ModelStore(tmp_path), str(tmp_path / "weights"))
    pixels = encoder.preprocess(Image.new("RGB", (5, 5), (1, 2, 3)))
    assert encoder.embed(pixels[None]).visual.tolist() == [[1, 2, 3]]
    assert encoder.portable_files() == {}
    with pytest.raises(ModelError, match="mean has no portable model"):
        open_portable("mean", tmp_path, encoder.fingerprint)
    with pytest.raises(ModelError, match="mean has no text tower"):
        open_portable_texts("mean", tmp_path)
    with pytest.raises(ModelError, match="mean has no classes"):
        encoder.class_weights()
