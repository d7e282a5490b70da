"""A small image–text model of CLIP's shape, in the folder layout of published ones, and the same in plain numpy."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIDE, PATCH, WIDTH, HEADS, DIM, LENGTH = 32, 8, 16, 2, 12, 10
LONG = 24  # context length of the agreeing towers
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)
CORPUS = ["a photo of a cat", "a photo of a dog on the beach", "people at the beach", "sunset over the city", "red car"]
Weights = dict[str, NDArray[np.float32]]


def make_folder(folder: Path, seed: int = 1, clean: str = "lower", external: bool = False) -> tuple[Weights, Weights]:
    """Write a model with random weights. Return the weights of its visual and its textual tower."""
    for name in ("visual", "textual"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    tokenizer = make_tokenizer()
    visual = _tower_weights(random, (SIDE // PATCH) ** 2 + 1)
    visual["patch"] = _normal(random, WIDTH, 3, PATCH, PATCH)
    visual["class"] = _normal(random, 1, 1, WIDTH)
    textual = _tower_weights(random, LENGTH)
    textual["tokens"] = _normal(random, tokenizer.get_vocab_size(), WIDTH)
    _save(_visual_graph(visual), folder / "visual" / "model.onnx", external)
    _save(_textual_graph(textual), folder / "textual" / "model.onnx", external)
    tokenizer.save(str(folder / "textual" / "tokenizer.json"))
    settings: dict[str, Any] = {
        "config.json": {
            "embed_dim": DIM,
            "vision_cfg": {"image_size": SIDE, "patch_size": PATCH, "width": WIDTH, "layers": 1},
            "text_cfg": {"context_length": LENGTH, "tokenizer_kwargs": {"clean": clean}},
        },
        "visual/preprocess_cfg.json": {
            "size": [SIDE, SIDE],
            "mode": "RGB",
            "mean": MEAN,
            "std": STD,
            "interpolation": "bicubic",
            "resize_mode": "shortest",
            "fill_color": 0,
        },
        "textual/tokenizer_config.json": {
            "pad_token": {"content": "<pad>", "special": True},
            "model_max_length": LENGTH,
        },
    }
    for name, content in settings.items():
        (folder / name).write_text(json.dumps(content))
    return visual, textual


def make_tokenizer(corpus: list[str] = CORPUS) -> Tokenizer:
    """A byte-level BPE tokenizer that puts each text between a start and an end token, as CLIP's does."""
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<start>"]
    trainer = trainers.BpeTrainer(
        vocab_size=330 if corpus is CORPUS else 500,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens(["<end>"])  # the largest id, so that CLIP's argmax finds it
    ends = [(token, tokenizer.token_to_id(token)) for token in ("<start>", "<end>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<start> $A <end>", special_tokens=ends)
    return tokenizer


def embed_image(pixels: NDArray[np.uint8], weights: Weights) -> NDArray[np.float64]:
    """The visual tower in plain numpy. `pixels` is uint8[SIDE, SIDE, 3]. Returns a vector of length 1."""
    x = (pixels / 255 - np.array(MEAN)) / np.array(STD)
    tokens = [weights["class"][0, 0].astype(np.float64)]
    for top in range(0, SIDE, PATCH):
        for left in range(0, SIDE, PATCH):
            patch = x[top : top + PATCH, left : left + PATCH].transpose(2, 0, 1)
            tokens.append(np.tensordot(weights["patch"], patch, axes=3))
    out = _block(np.stack(tokens) + weights["positions"], weights, causal=False)
    return _projected(out[0], weights)


def embed_text(ids: list[int], weights: Weights) -> NDArray[np.float64]:
    """The textual tower in plain numpy, for the padded ids of one text. Returns a vector of length 1."""
    out = _block(weights["tokens"][ids] + weights["positions"], weights, causal=True)
    return _projected(out[int(np.argmax(ids))], weights)


def _block(x: NDArray[Any], weights: Weights, causal: bool) -> NDArray[np.float64]:
    x = x.astype(np.float64)
    n, size = len(x), WIDTH // HEADS
    y = _layer_norm(x, weights["norm1"])
    heads = []
    for head in range(HEADS):
        query, key, value = (
            y @ weights[name][:, head * size : (head + 1) * size] for name in ("query", "key", "value")
        )
        logits = query @ key.T / np.sqrt(size)
        if causal:
            logits = np.where(np.tril(np.ones((n, n), bool)), logits, -np.inf)
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        heads.append(exp / exp.sum(axis=1, keepdims=True) @ value)
    x = x + np.concatenate(heads, axis=1) @ weights["out"]
    y = _layer_norm(x, weights["norm2"]) @ weights["up"]
    return np.asarray(x + (y / (1 + np.exp(-1.702 * y))) @ weights["down"])


def _layer_norm(x: NDArray[np.float64], scale: NDArray[np.float32]) -> NDArray[np.float64]:
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * scale)


def _projected(x: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    vector = _layer_norm(x, weights["norm3"]) @ weights["projection"]
    return np.asarray(vector / np.linalg.norm(vector))


def _normal(random: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return (random.normal(size=shape) / 4).astype(np.float32)


def _tower_weights(random: np.random.Generator, positions: int) -> Weights:
    weights = {name: _normal(random, WIDTH, WIDTH) for name in ("query", "key", "value", "out")}
    weights |= {"up": _normal(random, WIDTH, 4 * WIDTH), "down": _normal(random, 4 * WIDTH, WIDTH)}
    weights |= {name: 1 + _normal(random, WIDTH) for name in ("norm1", "norm2", "norm3")}
    return weights | {"positions": _normal(random, positions, WIDTH), "projection": _normal(random, WIDTH, DIM)}


class _Graph:
    """Collects the nodes of an ONNX graph."""

    def __init__(self, weights: Weights):
        self.nodes: list[onnx.NodeProto] = []
        self.tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: Any, dtype: type = np.int64) -> str:
        name = f"constant_{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def block(self, x: str, tokens: int, causal: bool) -> str:
        y = self.add("LayerNormalization", x, "norm1", epsilon=1e-5)
        split = self.constant([1, tokens, HEADS, WIDTH // HEADS])
        query, key, value = (
            self.add("Transpose", self.add("Reshape", self.add("MatMul", y, name), split), perm=[0, 2, 1, 3])
            for name in ("query", "key", "value")
        )
        logits = self.add("MatMul", query, self.add("Transpose", key, perm=[0, 1, 3, 2]))
        logits = self.add("Mul", logits, self.constant(1 / np.sqrt(WIDTH // HEADS), np.float32))
        if causal:
            mask = np.triu(np.full((tokens, tokens), -1e9), 1)
            logits = self.add("Add", logits, self.constant(mask, np.float32))
        mixed = self.add(
            "Transpose", self.add("MatMul", self.add("Softmax", logits, axis=-1), value), perm=[0, 2, 1, 3]
        )
        mixed = self.add("Reshape", mixed, self.constant([1, tokens, WIDTH]))
        x = self.add("Add", x, self.add("MatMul", mixed, "out"))
        y = self.add("MatMul", self.add("LayerNormalization", x, "norm2", epsilon=1e-5), "up")
        gate = self.add("Sigmoid", self.add("Mul", y, self.constant(1.702, np.float32)))
        return self.add("Add", x, self.add("MatMul", self.add("Mul", y, gate), "down"))

    def model(self, embedded: str, input_name: str, shape: list[int], element: int) -> onnx.ModelProto:
        vector = self.add("MatMul", self.add("LayerNormalization", embedded, "norm3", epsilon=1e-5), "projection")
        return self.normalised(vector, input_name, shape, element, DIM)

    def normalised(self, vector: str, input_name: str, shape: list[int], element: int, dim: int) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("LpNormalization", [vector], ["embedding"], axis=-1))
        graph = helper.make_graph(
            self.nodes,
            "tower",
            [helper.make_tensor_value_info(input_name, element, shape)],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dim])],
            self.tensors,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _visual_graph(weights: Weights) -> onnx.ModelProto:
    graph = _Graph(weights)
    count = (SIDE // PATCH) ** 2
    patches = graph.add("Conv", "image", "patch", strides=[PATCH, PATCH])
    patches = graph.add("Reshape", patches, graph.constant([1, WIDTH, count]))
    tokens = graph.add("Concat", "class", graph.add("Transpose", patches, perm=[0, 2, 1]), axis=1)
    out = graph.block(graph.add("Add", tokens, "positions"), count + 1, causal=False)
    first = graph.add("Gather", out, graph.constant(0), axis=1)
    return graph.model(first, "image", [1, 3, SIDE, SIDE], TensorProto.FLOAT)


def _textual_graph(weights: Weights) -> onnx.ModelProto:
    graph = _Graph(weights)
    tokens = graph.add("Gather", "tokens", "text", axis=0)
    out = graph.block(graph.add("Add", tokens, "positions"), LENGTH, causal=True)
    end = graph.add("ArgMax", "text", axis=1, keepdims=0)
    last = graph.add("Squeeze", graph.add("Gather", out, end, axis=1), graph.constant([1]))
    return graph.model(last, "text", [1, LENGTH], TensorProto.INT32)


def _save(model: onnx.ModelProto, path: Path, external: bool) -> None:
    if external:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=1024)
    else:
        onnx.save(model, path)


# Things that the agreeing towers know by their colour: how much of an RGB pixel is each one, as weights and bias.
COLOURS = {
    "roses": ((1, -1, -1), 0),
    "grass": ((-1, 1, -1), 0),
    "sea": ((-1, -1, 1), 0),
    "snow": ((1, 1, 1), -2),
    "sand": ((1, 1, -2), -1),
}


def make_agreeing_folder(folder: Path, seed: int = 1, dim: int = 24) -> None:
    """Write a model whose image and text spaces agree by construction: it knows five things by their colour.

    An image's vector is the sum of the things' directions, by their share of the area. A text's vector is the sum of
    its tokens' directions: that of the thing for its name, and a shorter random one for everything else. Images and
    texts also have offsets of their own, as in published models.
    """
    make_folder(folder)
    random = np.random.default_rng(seed)
    directions = np.linalg.qr(random.normal(size=(dim, dim)))[0][: len(COLOURS) + 2].astype(np.float32)
    colours, (of_images, of_texts) = directions[:-2], directions[-2:]
    tokenizer = make_tokenizer(CORPUS + [f"{name} {name} a {name}" for name in COLOURS])
    tokenizer.save(str(folder / "textual" / "tokenizer.json"))
    count = tokenizer.get_vocab_size()
    tokens = random.normal(size=(count, dim)).astype(np.float32) / np.float32(6 * np.sqrt(dim))
    tokens[[tokenizer.token_to_id(name) for name in ("<pad>", "<start>", "<end>")]] = 0
    for name, direction in zip(COLOURS, colours, strict=True):
        (token,) = tokenizer.encode(f" {name}", add_special_tokens=False).ids
        tokens[token] = direction
    kernel = np.array([weights for weights, _ in COLOURS.values()], np.float32)[:, :, None, None]
    bias = np.array([bias for _, bias in COLOURS.values()], np.float32)
    image = _Graph({"kernel": kernel, "bias": bias, "colours": colours, "offset": of_images[None]})
    shares = image.add(
        "ReduceMean", image.add("Relu", image.add("Conv", "image", "kernel", "bias")), axes=[2, 3], keepdims=0
    )
    vector = image.add("Add", image.add("MatMul", shares, "colours"), "offset")
    _save(
        image.normalised(vector, "image", [1, 3, SIDE, SIDE], TensorProto.FLOAT, dim),
        folder / "visual" / "model.onnx",
        False,
    )
    text = _Graph({"tokens": tokens, "offset": of_texts[None]})
    total = text.add("ReduceSum", text.add("Gather", "tokens", "text", axis=0), text.constant([1]), keepdims=0)
    vector = text.add("Add", total, "offset")
    _save(text.normalised(vector, "text", [1, LONG], TensorProto.INT32, dim), folder / "textual" / "model.onnx", False)
    settings = {
        "config.json": {"embed_dim": dim, "text_cfg": {"context_length": LONG}},
        "visual/preprocess_cfg.json": {"size": SIDE, "mean": [0, 0, 0], "std": [1, 1, 1]},
    }
    for name, content in settings.items():
        (folder / name).write_text(json.dumps(content))


def evil_model(path: Path, input_name: str) -> None:
    """Write a model with an operator of its own."""
    shapes = (
        helper.make_tensor_value_info(input_name, 1, [1, 3, SIDE, SIDE]),
        helper.make_tensor_value_info("y", 1, [1, 4]),
    )
    node = helper.make_node("Steal", [input_name], ["y"], domain="com.example")
    graph = helper.make_graph([node], "g", [shapes[0]], [shapes[1]])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def model_with_data_at(path: Path, location: str, name: str = "projection") -> None:
    """Let a model read one of its tensors from a file, two folders above its own or at an absolute path."""
    model = onnx.load(path)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    size = len(tensor.raw_data)
    (path.parents[2] / "secret.bin").write_bytes(bytes(size))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("length", str(size))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path.write_bytes(model.SerializeToString())
