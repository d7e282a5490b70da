import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import skimage.data
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from findimg.encoders.base import TextEncoder
from findimg.encoders.clip_presets import PRESETS, NllbClip
from findimg.encoders.onnx_clip import OnnxClip
from findimg.encoders.registry import backbone_names, build_encoder, fingerprint
from findimg.encoders.runtimes.clip_text import clean_text
from findimg.encoders.runtimes.onnx import OnnxModel
from findimg.errors import ModelError
from findimg.models.store import ModelStore
from tests.shared.encoders import made_clip
from tests.shared.encoders.made_clip import (
    DIM,
    LENGTH,
    SIDE,
    Weights,
    evil_model,
    make_folder,
    model_with_data_at,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clip")


@pytest.fixture(scope="module")
def towers(folder: Path) -> tuple[Weights, Weights]:
    return make_folder(folder)


@pytest.fixture(scope="module")
def encoder(folder: Path, towers: tuple[Weights, Weights]) -> OnnxClip:
    return opened(folder)


def opened(folder: Path) -> OnnxClip:
    encoder = build_encoder("onnx-clip", ModelStore(folder / "store"), str(folder), threads=2)
    assert isinstance(encoder, OnnxClip)
    return encoder


def test_images_get_the_vectors_of_a_plain_computation(encoder: OnnxClip, towers: tuple[Weights, Weights]) -> None:
    images = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut()]
    pixels = np.stack([encoder.preprocess(Image.fromarray(image)) for image in images])
    features = encoder.embed(pixels)
    plain = np.stack([made_clip.embed_image(each, towers[0]) for each in pixels])
    assert (features.visual.shape, features.visual.dtype, features.probabilities) == ((3, DIM), np.float32, None)
    assert np.vecdot(features.visual, plain).min() >= 0.9999
    assert encoder.dim == DIM


def test_texts_get_the_vectors_of_a_plain_computation(encoder: OnnxClip, towers: tuple[Weights, Weights]) -> None:
    texts = [
        "a photo of a cat",
        "people at the beach",
        "A  RED\tcar ",
        "猫 🐈",
        "",
        "one two three four five six seven eight",
    ]
    tokenizer = made_clip.make_tokenizer()
    plain = []
    for text in texts:
        ids = tokenizer.encode(" ".join(text.split())).ids
        if len(ids) > LENGTH:  # a long text loses its middle, not its end token
            ids = [*ids[: LENGTH - 1], ids[-1]]
        plain.append(made_clip.embed_text(ids + [0] * (LENGTH - len(ids)), towers[1]))
    assert isinstance(encoder, TextEncoder)
    vectors = encoder.embed_texts(texts)
    assert (vectors.shape, vectors.dtype) == ((len(texts), DIM), np.float32)
    assert np.vecdot(vectors, np.stack(plain)).min() >= 0.9999
    assert len({vector.tobytes() for vector in vectors}) == len(texts)


def test_external_data_and_half_precision_are_read(tmp_path: Path, encoder: OnnxClip) -> None:
    pixels = encoder.preprocess(Image.fromarray(skimage.data.coffee()))[None]
    make_folder(tmp_path / "external", external=True)
    assert (tmp_path / "external" / "visual" / "model.onnx.data").stat().st_size > 1000
    np.testing.assert_array_equal(opened(tmp_path / "external").embed(pixels).visual, encoder.embed(pixels).visual)
    make_folder(tmp_path / "half")
    path = tmp_path / "half" / "visual" / "model.onnx"
    onnx.save(in_half_precision(onnx.load(path)), path)
    half = opened(tmp_path / "half").embed(pixels).visual
    assert half.dtype == np.float32
    assert np.vecdot(half, encoder.embed(pixels).visual).min() >= 0.999


def in_half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with float16 weights and input."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    return model


def image_model(path: Path, mixes: bool) -> OnnxModel:
    """A model that takes batches and returns its pixels. It may multiply them by the largest one of the batch."""
    nodes = [helper.make_node("Reshape", ["image", "shape"], ["pixels" if mixes else "embedding"])]
    if mixes:
        nodes.append(helper.make_node("ReduceMax", ["image"], ["largest"], keepdims=0))
        nodes.append(helper.make_node("Less", ["pixels", "largest"], ["others"]))
        nodes.append(helper.make_node("Cast", ["others"], ["embedding"], to=TensorProto.FLOAT))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 4, 4])
    vector = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 48])
    constants = [onnx.numpy_helper.from_array(np.array([-1, 48]), "shape")]
    graph = helper.make_graph(nodes, "g", [image], [vector], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return OnnxModel(path, {"image": (3, 4, 4)}, (), 2)


@pytest.mark.parametrize("mixes", [False, True])
def test_vector_does_not_depend_on_the_other_images_of_a_batch(
    tmp_path: Path, mixes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = image_model(tmp_path / "model.onnx", mixes)
    sizes: list[int] = []
    run = model._run

    def noted(items: Sequence[Mapping[str, NDArray[np.generic]]]) -> NDArray[np.generic]:
        sizes.append(len(items))
        return run(items)

    monkeypatch.setattr(model, "_run", noted)
    items = [{"image": image} for image in np.random.default_rng(1).random((21, 3, 4, 4), np.float32)]
    together = model(items)
    assert sorted(sizes) == ([1] * 21 if mixes else [5, 8, 8])
    np.testing.assert_allclose(together, np.concatenate([model([item]) for item in items]), atol=1e-6)
    sizes.clear()
    model(items[:4])
    assert sizes == ([1] * 4 if mixes else [2, 2])


@pytest.mark.parametrize(
    ("size", "mode", "resized", "box"),
    [
        ((64, 64), "shortest", (32, 32), (0, 0, 32, 32)),
        ((100, 60), "shortest", (53, 32), (10, 0, 42, 32)),  # (53 - 32) / 2 = 10.5, which rounds to the even 10
        ((60, 100), "shortest", (32, 53), (0, 10, 32, 42)),
        ((101, 33), "shortest", (97, 32), (32, 0, 64, 32)),  # (97 - 32) / 2 = 32.5
        ((20, 11), "shortest", (58, 32), (13, 0, 45, 32)),
        ((100, 60), "squash", (32, 32), (0, 0, 32, 32)),
    ],
)
def test_resizing_and_cropping_equal_the_published_definition(
    tmp_path: Path, size: tuple[int, int], mode: str, resized: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    make_folder(tmp_path)
    change(tmp_path / "visual" / "preprocess_cfg.json", resize_mode=mode)
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8))
    expected = image.resize(resized, Image.Resampling.BICUBIC).crop(box)
    np.testing.assert_array_equal(opened(tmp_path).preprocess(image), np.asarray(expected))


def test_panorama_takes_little_memory(encoder: OnnxClip) -> None:
    image = Image.new("RGB", (1_000_000, 1), (200, 10, 10))
    assert encoder.preprocess(image).shape == (SIDE, SIDE, 3)


@pytest.mark.parametrize(
    ("clean", "text", "cleaned"),
    [
        ("whitespace", "  A\tphoto,\n of_a  Cat!", "A photo, of_a Cat!"),
        ("lower", "  A\tphoto,\n of_a  Cat!", "a photo, of_a cat!"),
        ("canonicalize", "  A\tphoto,\n of_a  Cat!", "a photo of a cat"),
        ("canonicalize", "rock'n'roll -- 100%", "rocknroll 100"),
    ],
)
def test_texts_are_cleaned_as_open_clip_does(clean: str, text: str, cleaned: str) -> None:
    assert clean_text(text, clean) == cleaned


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a cat", "eng_Latn"),
        ("кошка на диване", "rus_Cyrl"),
        ("猫", "zho_Hans"),
        ("ソファの猫", "jpn_Jpan"),
        ("고양이", "kor_Hang"),
        ("γάτα 2024", "ell_Grek"),
        ("2024", "eng_Latn"),
        ("", "eng_Latn"),
    ],
)
def test_nllb_model_is_told_the_language(
    folder: Path, encoder: OnnxClip, text: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nllb = NllbClip.open(folder, "0", ModelStore(folder), 1)
    assert np.array_equal(nllb.embed_texts([text]), encoder.embed_texts([language + text]))


def test_fingerprint_depends_on_every_file(tmp_path: Path) -> None:
    make_folder(tmp_path)
    store = ModelStore(tmp_path / "store")
    seen = {fingerprint("onnx-clip", store, str(tmp_path))}
    for name in ("config.json", "textual/tokenizer.json", "visual/preprocess_cfg.json", "textual/model.onnx"):
        with (tmp_path / name).open("ab") as file:
            file.write(b" ")
        seen.add(fingerprint("onnx-clip", store, str(tmp_path)))
    (tmp_path / "visual" / "model.onnx.data").write_bytes(b"1")
    seen.add(fingerprint("onnx-clip", store, str(tmp_path)))
    assert len(seen) == 6


def test_presets_are_encoders_with_a_licence_and_a_size() -> None:
    assert set(PRESETS) <= set(backbone_names())
    assert all(preset.licence and preset.megabytes > 100 and preset.speed for preset in PRESETS.values())


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def link_out(folder: Path) -> None:
    (folder / "config.json").rename(folder.parent / "elsewhere.json")
    (folder / "config.json").symlink_to(folder.parent / "elsewhere.json")


BROKEN = {
    "no tokenizer": (lambda f: (f / "textual" / "tokenizer.json").unlink(), r"has no textual/tokenizer\.json"),
    "no model": (lambda f: (f / "visual" / "model.onnx").unlink(), r"has no visual/model\.onnx"),
    "cut model": (lambda f: os.truncate(f / "visual" / "model.onnx", 5000), r"model\.onnx cannot be opened"),
    "empty model": (
        lambda f: os.truncate(f / "textual" / "model.onnx", 0),
        r"model\.onnx cannot be opened|computes? its",
    ),
    "no JSON": (lambda f: (f / "config.json").write_text("{"), r"config\.json cannot be used"),
    "no dimension": (lambda f: (f / "config.json").write_text("{}"), r"config\.json cannot be used \(embed_dim"),
    "other dimension": (lambda f: change(f / "config.json", embed_dim=13), r"returns 12 numbers.*says\s+13"),
    "long context": (lambda f: change(f / "config.json", text_cfg={"context_length": 77}), r"cannot compute its input"),
    "huge context": (lambda f: change(f / "config.json", text_cfg={"context_length": 10**9}), r"context_length"),
    "other size": (lambda f: change(f / "visual" / "preprocess_cfg.json", size=64), r"cannot compute its input"),
    "huge size": (lambda f: change(f / "visual" / "preprocess_cfg.json", size=10**6), r"cannot be used \(size"),
    "zero deviation": (lambda f: change(f / "visual" / "preprocess_cfg.json", std=[1, 0, 1]), r"cannot be used \(std"),
    "infinite mean": (
        lambda f: (f / "visual" / "preprocess_cfg.json").write_text('{"mean": [Infinity, 0, 0]}'),
        r"cannot be used \(mean",
    ),
    "other mode": (lambda f: change(f / "visual" / "preprocess_cfg.json", mode="L"), r"cannot be used \(mode"),
    "other resizing": (
        lambda f: change(f / "visual" / "preprocess_cfg.json", resize_mode="longest"),
        r"cannot be used \(resize_mode",
    ),
    "no padding": (
        lambda f: (f / "textual" / "tokenizer_config.json").write_text('{"pad_token": "<none>"}'),
        r"no padding token '<none>'",
    ),
    "damaged tokenizer": (
        lambda f: (f / "textual" / "tokenizer.json").write_text('{"model": 1}'),
        r"tokenizer\.json is not a tokenizer",
    ),
    "binary tokenizer": (
        lambda f: (f / "textual" / "tokenizer.json").write_bytes(b"\xff\xfe\0"),
        r"tokenizer\.json is not a tokenizer",
    ),
    "custom operator": (
        lambda f: evil_model(f / "visual" / "model.onnx", "image"),
        r"cannot be opened: .*com\.example:Steal",
    ),
    "towers exchanged": (
        lambda f: (f / "visual" / "model.onnx").write_bytes((f / "textual" / "model.onnx").read_bytes()),
        r"has the inputs text, not image",
    ),
    "data outside": (
        lambda f: model_with_data_at(f / "visual" / "model.onnx", "../../secret.bin"),
        r"cannot be opened: .*escapes model directory",
    ),
    "data at an absolute path": (
        lambda f: model_with_data_at(f / "visual" / "model.onnx", str(f.parent / "secret.bin")),
        r"cannot be opened: .*[Aa]bsolute path",
    ),
    "link out of the folder": (link_out, r"link that leads out"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_or_hostile_folder_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    spoil, message = BROKEN[name]
    make_folder(tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(ModelError, match=message) as caught:
        opened(tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no folder '.*gone'"):
        build_encoder("onnx-clip", ModelStore(tmp_path), str(tmp_path / "gone"))
    with pytest.raises(ModelError, match=r"onnx-clip needs a model\. Name its folder"):
        build_encoder("onnx-clip", ModelStore(tmp_path))
