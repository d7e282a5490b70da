"""Test that models of further scripts are downloaded, checked, and used for lines in their script only."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from findimg.errors import ModelError, SettingsError
from findimg.models.artefacts import Download, known_artefacts
from findimg.models.store import ModelStore
from findimg.ocr.engine import model_files, text_fingerprint
from findimg.ocr.reader import TextReader
from findimg.ocr.scripts import SCRIPTS, ScriptModel, is_in_script, script_models
from findimg.settings import Settings
from tests.shared.models.test_store import Handler
from tests.shared.ocr.drawn_text import draw_lines
from tests.shared.ocr.made_recogniser import make_recogniser


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve the wheel's recognition model, which also knows Greek letters, as if it were the one for Greek."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, {"/el.onnx": _wheel()})) as http:  # type: ignore[arg-type]
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def _wheel() -> bytes:
    return model_files()["Rec"].read_bytes()


def store_with(folder: Path, url: str, digest: str = "") -> ModelStore:
    """Return a store whose official download for Greek is at `url`. Its size is unknown, as that of the real ones."""
    origin = Download(url, None, f"sha256:{digest or hashlib.sha256(_wheel()).hexdigest()}")
    known = known_artefacts()
    return ModelStore(folder, [replace(each, origin=origin) if each.name == "ocr-greek" else each for each in known])


def test_addresses_and_hashes_are_those_of_rapidocr() -> None:
    spec = find_spec("rapidocr")
    assert spec
    assert spec.origin
    listed = yaml.safe_load(Path(spec.origin).with_name("default_models.yaml").read_text())["onnxruntime"]["PP-OCRv5"]
    origins = {each.name: each.origin for each in known_artefacts()}
    for name, script in SCRIPTS.items():
        official = listed["rec"][script.model]
        assert origins[f"ocr-{name}"] == Download(official["model_dir"], None, f"sha256:{official['SHA256']}")


def test_model_is_downloaded_once(tmp_path: Path, server: str) -> None:
    (model,) = script_models(["greek"], store_with(tmp_path, f"{server}/el.onnx"))
    assert model == ScriptModel("greek", tmp_path / "recognisers" / "ocr-greek")
    assert model.path.read_bytes() == _wheel()
    assert script_models(["greek"], store_with(tmp_path, "http://127.0.0.1:9/el.onnx")) == (model,)


@pytest.mark.parametrize(
    ("path", "digest", "message"),
    [
        ("el.onnx", "0" * 64, "gave a file with the sha256 [0-9a-f]{64} instead of 0{64}, so nothing is kept"),
        ("gone.onnx", "", "^ocr-greek is not on this machine and cannot be downloaded .* models pull ocr-greek --from"),
    ],
)
def test_other_or_missing_download_is_refused(
    tmp_path: Path, server: str, path: str, digest: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        script_models(["greek"], store_with(tmp_path, f"{server}/{path}", digest))
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_own_file_is_checked(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "store")
    assert store.pull("ocr-greek", str(model_files()["Rec"])).read_bytes() == _wheel()
    with pytest.raises(ModelError, match="is not a recognition model for cyrillic"):
        store.pull("ocr-cyrillic", str(model_files()["Rec"]))
    with pytest.raises(ModelError, match="is not a recognition model for greek"):
        store.pull("ocr-greek", str(model_files()["Det"]))
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match=r"is not an ONNX model\. Name the \.onnx file of a recognition model\.$"):
        store.pull("ocr-greek", str(tmp_path / "text.onnx"))


def test_unknown_script_is_one_sentence_with_the_known_ones(tmp_path: Path) -> None:
    scripts = Settings(text_scripts="Klingon, greek,greek").scripts
    assert scripts == ("greek", "klingon")
    with pytest.raises(SettingsError, match=r"^There is no script 'klingon' for text_scripts\. Use some of cyrillic, "):
        script_models(scripts, ModelStore(tmp_path))


def test_fingerprint_depends_on_scripts_and_their_models(tmp_path: Path) -> None:
    models = [
        (),
        (ScriptModel("greek", make_recogniser(tmp_path / "1", "α", 0.9)),),
        (ScriptModel("greek", make_recogniser(tmp_path / "2", "β", 0.9)),),
        (ScriptModel("cyrillic", tmp_path / "2"),),
    ]
    assert len({text_fingerprint(each) for each in models}) == 4


@pytest.mark.slow
@pytest.mark.parametrize(("confidence", "text"), [(0.999, "δρομος"), (0.9, "Hamburg")])
def test_line_is_read_by_the_model_that_is_more_certain(tmp_path: Path, confidence: float, text: str) -> None:
    greek = ScriptModel("greek", make_recogniser(tmp_path / "greek", "δρομος", confidence))
    reader = TextReader(threads=1, scripts=[greek])
    assert [line.text for line in reader.read(draw_lines("Hamburg"))] == [text]


@pytest.mark.slow
def test_model_of_a_script_changes_no_line_in_another_one(tmp_path: Path) -> None:
    page = draw_lines("Quarterly report", "Revenue 4,200 EUR", "")
    latin = ScriptModel("greek", make_recogniser(tmp_path / "latin", "abc", 1.0, letters="abcdef"))
    wheel = ScriptModel("greek", model_files()["Rec"])
    assert TextReader(1, [wheel, latin]).read(page) == TextReader(1).read(page)


@pytest.mark.parametrize(
    ("text", "script", "expected"),
    [
        ("ΕΞΟΔΟΣ B2", "greek", True),
        ("Δt = 5 seconds", "greek", False),
        ("2024", "greek", False),
        ("", "cyrillic", False),
        ("Касса № 5", "cyrillic", True),
        ("출구 Exit", "korean", False),
        ("비상 출구", "korean", True),
    ],
)
def test_letters_say_in_which_script_a_line_is(text: str, script: str, expected: bool) -> None:
    assert is_in_script(text, SCRIPTS[script]) is expected
