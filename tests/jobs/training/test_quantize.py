import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from findimg.encoders.registry import build_encoder
from findimg.errors import ModelError, SettingsError
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.cli.root import app
from findimg_jobs.indexing.run import index
from findimg_jobs.training.quantize import quantize


@pytest.fixture(scope="module")
def weights(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model in int8, calibrated on the sample photographs."""
    path = tmp_path_factory.mktemp("quantized") / "folder that is new" / "int8.tflite"
    done = CliRunner().invoke(app, ["quantize", str(samples), "--weights", str(path), "--cache", str(cache), "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["weights"] == str(path)
    assert result["least_cosine"] >= 0.95
    assert result["mean_cosine"] >= 0.98
    assert [each.name for each in path.parent.iterdir()] == ["int8.tflite"]
    return path


def test_int8_backbone_is_close_to_float32(weights: Path, samples: Path, cache: Path) -> None:
    store = ModelStore(cache / "models")
    exact = build_encoder("efficientnet-lite0", store)
    near = build_encoder("efficientnet-lite0-int8", store, str(weights))
    image = Image.open(samples / "cat.png").convert("RGB")
    batch = exact.preprocess(image)[None]
    some, other = exact.embed(batch), near.embed(batch)
    assert near.fingerprint != exact.fingerprint
    assert not np.array_equal(some.visual, other.visual)
    assert other.probabilities is not None
    assert int(other.probabilities.argmax()) in {281, 282, 285}
    np.testing.assert_array_equal(near.class_weights(), exact.class_weights())


def test_library_can_be_indexed_and_searched_with_int8(
    weights: Path, samples: Path, cache: Path, tmp_path: Path
) -> None:
    settings = Settings(
        library=str(tmp_path), backbone="efficientnet-lite0-int8", weights=str(weights), cache=cache, engine="local"
    )
    index(settings, [str(samples)])
    searcher = Searcher(Library(settings.library, cache).open(), open_words(EMBEDDED))
    assert searcher.manifest.backbone == "efficientnet-lite0-int8"
    assert Path(searcher.find(parse("cat"), 1).hits[0].uri).name == "cat.png"


def test_missing_int8_weights_error_explains_quantize(cache: Path) -> None:
    with pytest.raises(ModelError, match="findimg-jobs quantize"):
        build_encoder("efficientnet-lite0-int8", ModelStore(cache / "models"))


def test_other_weights_are_rejected(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.tflite").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"odd\.tflite is not what findimg-jobs quantize makes"):
        build_encoder("efficientnet-lite0-int8", ModelStore(cache / "models"), str(tmp_path / "odd.tflite"))


def test_too_few_readable_photographs_are_rejected(tmp_path: Path, cache: Path) -> None:
    for number in range(5):
        Image.new("RGB", (50, 50), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    weights = tmp_path / "int8.tflite"
    with pytest.raises(SettingsError, match=r"5 photographs can be read\. Calibration needs at least 20"):
        quantize(Settings(cache=cache), [str(tmp_path)], weights)
    assert not weights.exists()
