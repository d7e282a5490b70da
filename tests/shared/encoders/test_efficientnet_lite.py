from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image

from findimg.encoders.base import ENCODER_FILE, ImageEncoder
from findimg.encoders.efficientnet_lite import EPSILON, EfficientNetLite, _folded
from findimg.encoders.efficientnet_lite0 import EfficientNetLite0
from findimg.encoders.efficientnet_lite2 import EfficientNetLite2
from findimg.encoders.registry import build_encoder, fingerprint, open_portable
from findimg.encoders.runtimes.litert import convert_to_litert
from findimg.errors import ModelError
from findimg.models.store import ModelStore

PHOTOS = Path(__file__).parents[4] / "shared" / "photos"
# What ImageNet calls the things in a folder of photographs; folders without such a class are left out. Lite0 names
# 0.78 right on average, from 0.44 (butterfly), 0.55 (panda) and 0.58 (pizza) to 0.98 (lamp) and 1.00 (starfish).
CLASSES: dict[str, set[int]] = {
    "labelled/airplane": {404},
    "labelled/butterfly": set(range(321, 327)),
    "labelled/camera": {732, 759},
    "labelled/chair": {423, 559, 765, 857},
    "labelled/crab": {118, 119, 120, 121},
    "labelled/cup": {504, 647, 968, 969},
    "labelled/electric_guitar": {546},
    "labelled/elephant": {101, 385, 386},
    "labelled/kangaroo": {104},
    "labelled/lamp": {619, 846},
    "labelled/laptop": {620, 681},
    "labelled/leopard": {288, 289, 290},
    "labelled/motorbike": {665, 670},
    "labelled/pizza": {963},
    "labelled/sunflower": {985},
    "labelled/umbrella": {879},
    "unseen/accordion": {401},
    "unseen/barrel": {427, 756},
    "unseen/cannon": {471},
    "unseen/crocodile": {49, 50},
    "unseen/dalmatian": {251},
    "unseen/flamingo": {130},
    "unseen/grand_piano": {579},
    "unseen/lobster": {122, 123},
    "unseen/panda": {388},
    "unseen/rooster": {7},
    "unseen/saxophone": {776},
    "unseen/starfish": {327},
    "unseen/strawberry": {949},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return ModelStore(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def encoder(store: ModelStore) -> ImageEncoder:
    return build_encoder("efficientnet-lite0", store)


@pytest.fixture(scope="module")
def lite2(store: ModelStore) -> ImageEncoder:
    return build_encoder("efficientnet-lite2", store)


def photographs() -> list[Image.Image]:
    arrays = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.astronaut(), load_sample_image("flower.jpg")]
    return [Image.fromarray(array) for array in arrays]


@pytest.mark.parametrize(
    ("pixels", "right"),
    [
        (skimage.data.chelsea, {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
        (skimage.data.coffee, {504, 967, 968}),  # coffee mug, espresso, cup
        (lambda: np.stack([skimage.data.camera()] * 3, axis=-1), {872}),  # tripod
        (lambda: load_sample_image("flower.jpg"), {985}),  # daisy
    ],
)
def test_photograph_gets_its_class(encoder: ImageEncoder, pixels: object, right: set[int]) -> None:
    assert callable(pixels)
    features = encoder.embed(encoder.preprocess(Image.fromarray(pixels()))[None])
    assert features.probabilities is not None
    assert int(features.probabilities[0].argmax()) in right


def test_lite2_has_a_larger_input_and_names_photographs(lite2: ImageEncoder) -> None:
    pixels = np.stack([lite2.preprocess(image) for image in photographs()])
    assert pixels.shape == (4, 260, 260, 3)
    features = lite2.embed(pixels)
    assert features.probabilities is not None
    best = features.probabilities.argmax(axis=1)
    assert best[0] in {281, 282, 285}  # tabby, tiger cat, Egyptian cat
    assert best[1] in {504, 967, 968}  # coffee mug, espresso, cup


def test_embeddings_have_the_documented_shapes_and_probabilities_sum_to_one(encoder: ImageEncoder) -> None:
    batch = np.stack([encoder.preprocess(image) for image in photographs()])
    features = encoder.embed(batch)
    assert batch.shape == (4, 224, 224, 3)
    assert batch.dtype == np.uint8
    assert features.visual.shape == (4, encoder.dim)
    assert features.visual.dtype == np.float32
    assert features.probabilities is not None
    assert features.probabilities.shape == (4, encoder.classes)
    np.testing.assert_allclose(features.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 8, 9, 33])
def test_embedding_does_not_depend_on_its_batch(encoder: ImageEncoder, count: int) -> None:
    images = [encoder.preprocess(image) for image in photographs()]
    batch = np.stack([images[position % len(images)] for position in range(count)])
    alone = np.concatenate([encoder.embed(image[None]).visual for image in images])
    together = encoder.embed(batch).visual
    assert together.shape == (count, encoder.dim)
    np.testing.assert_array_equal(together, alone[np.arange(count) % len(images)])


@pytest.mark.parametrize("kind", [EfficientNetLite0, EfficientNetLite2])
def test_outputs_equal_those_of_keras(store: ModelStore, kind: type[EfficientNetLite]) -> None:
    encoder = build_encoder(kind.name, store)
    batch = np.stack([encoder.preprocess(image) for image in photographs()])
    model = kind.build(kind.read_tensors(store.path(kind.name)))
    visual, probabilities, regions = model.predict(batch, verbose=0)
    features = encoder.embed(batch)
    np.testing.assert_allclose(features.visual, visual, atol=1e-3)
    np.testing.assert_allclose(features.probabilities, probabilities, atol=1e-4)
    np.testing.assert_allclose(features.regions, regions, atol=1e-4)


def test_regions_show_both_things_of_a_collage(encoder: ImageEncoder) -> None:
    cat, cup = (Image.fromarray(array).resize((300, 300)) for array in (skimage.data.chelsea(), skimage.data.coffee()))
    collage = Image.new("RGB", (600, 300))
    collage.paste(cat, (0, 0))
    collage.paste(cup, (300, 0))
    features = encoder.embed(encoder.preprocess(collage)[None])
    assert features.probabilities is not None
    assert features.regions is not None
    whole, regions = (
        [float(array[0, classes].sum()) for classes in ([281, 282, 285], [504, 967, 968])]
        for array in (features.probabilities, features.regions)
    )
    assert min(regions) > 0.5
    assert min(regions) > 3 * min(whole)


def test_model_without_regions_from_an_older_library_opens(encoder: ImageEncoder, tmp_path: Path) -> None:
    import keras

    model = EfficientNetLite0.build(EfficientNetLite0.read_tensors(ModelStore(Path()).path("efficientnet-lite0")))
    (tmp_path / ENCODER_FILE).write_bytes(convert_to_litert(keras.Model(model.input, model.outputs[:2])))
    batch = np.stack([encoder.preprocess(image) for image in photographs()])
    features = open_portable("efficientnet-lite0", tmp_path, encoder.fingerprint).embed(batch)
    assert features.regions is None
    np.testing.assert_allclose(features.visual, encoder.embed(batch).visual, atol=1e-3)


def test_several_threads_can_embed_at_the_same_time(encoder: ImageEncoder) -> None:
    batch = np.stack([encoder.preprocess(image) for image in photographs()])
    expected = encoder.embed(batch).visual
    with ThreadPoolExecutor(8) as pool:
        for visual in pool.map(lambda _: encoder.embed(batch).visual, range(24)):
            np.testing.assert_array_equal(visual, expected)


def test_class_weights_reproduce_the_probabilities(encoder: ImageEncoder) -> None:
    features = encoder.embed(np.stack([encoder.preprocess(image) for image in photographs()]))
    assert features.probabilities is not None
    # What the weights leave of the log probabilities is the bias of a class and the normalisation of an image.
    rest = np.log(features.probabilities) - features.visual @ encoder.class_weights()
    per_class = rest - rest.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(per_class, np.broadcast_to(per_class[:1], per_class.shape), atol=1e-2)


def test_folded_batch_norm_equals_a_separate_one() -> None:
    random = np.random.default_rng(2)
    kernel, weight, bias, mean = (random.normal(size=size).astype(np.float32) for size in ((5, 3, 1, 1), 5, 5, 5))
    variance = random.uniform(0.1, 2, 5).astype(np.float32)
    tensors = {
        "c.weight": kernel,
        "n.weight": weight,
        "n.bias": bias,
        "n.running_mean": mean,
        "n.running_var": variance,
    }
    pixel = random.normal(size=3).astype(np.float32)
    folded_kernel, folded_bias = _folded(tensors, "c", "n")
    unfolded = (kernel[:, :, 0, 0] @ pixel - mean) / np.sqrt(variance + EPSILON) * weight + bias
    np.testing.assert_allclose(folded_kernel[:, :, 0, 0] @ pixel + folded_bias, unfolded, rtol=1e-4, atol=1e-5)


def test_other_weights_are_refused_before_unpickling(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    changed = bytearray(store.path("efficientnet-lite0").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "changed.pth").write_bytes(changed)
    for name, weights in (
        ("efficientnet-lite0", tmp_path / "changed.pth"),
        ("efficientnet-lite2", store.path("efficientnet-lite0")),
    ):
        with pytest.raises(ModelError, match=f"not the weights file of {name}: its SHA-256"):
            build_encoder(name, store, str(weights))


def test_damaged_converted_model_is_named(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    kept = tmp_path / "made" / f"efficientnet-lite0-{fingerprint('efficientnet-lite0', store)}-regions.tflite"
    kept.parent.mkdir()
    kept.write_bytes(b"no model")
    with pytest.raises(ModelError, match=rf"{kept}.*delete it"):
        build_encoder("efficientnet-lite0", store)


@pytest.mark.long
@pytest.mark.parametrize(("name", "least"), [("efficientnet-lite0", 0.76), ("efficientnet-lite2", 0.79)])
def test_photographs_of_imagenet_classes_get_the_right_class(store: ModelStore, name: str, least: float) -> None:
    if not PHOTOS.is_dir():
        pytest.skip(f"The photographs of the handbook are not at {PHOTOS}.")
    encoder = build_encoder(name, store)
    right: dict[str, float] = {}
    for folder, classes in CLASSES.items():
        images = [Image.open(path).convert("RGB") for path in sorted((PHOTOS / folder).glob("*.jpg"))]
        features = encoder.embed(np.stack([encoder.preprocess(image) for image in images]))
        assert features.probabilities is not None
        right[folder] = float(np.isin(features.probabilities.argmax(axis=1), list(classes)).mean())
    assert sum(right.values()) / len(right) >= least, right
