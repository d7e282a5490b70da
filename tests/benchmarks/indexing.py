"""Measure indexing, from files to committed shards, beside the bare model and a plain Keras loop over the files."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from findimg.encoders.base import ImageEncoder
from findimg.encoders.efficientnet_lite0 import EfficientNetLite0
from findimg.encoders.registry import fingerprint
from findimg.encoders.runtimes.keras_model import start_tensorflow
from findimg.encoders.vgg16 import MEAN, SIDE
from findimg.images import decode, thumbnail
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg_jobs.indexing.embed_worker import BATCH, Embedder, EmbedTask
from findimg_jobs.indexing.run import index
from findimg_jobs.listing.sources import list_sources
from findimg_jobs.store.planned_shards import PlannedShards
from findimg_jobs.training.quantize import FLOAT32, INT8, quantize
from tests.benchmarks.figures import Figure, Spent, in_turns, load
from tests.benchmarks.made_up import commit_made_up
from tests.benchmarks.onnx_peer import in_onnx_runtime

_SIZE = (500, 375)


def measure(folder: Path, photos: Path | None, weights: Path | None, short: bool) -> list[Figure]:
    """Index photographs with each backbone, then with and without Ray, then again without new images."""
    told: list[Figure] = []
    rounds = 1 if short else 3
    store = ModelStore(folder / "models")
    for name, images in ((FLOAT32, 512), (INT8, 512), ("vgg16-gap", 128), ("vgg16", 128)):
        if short and name in ("vgg16", INT8):
            continue  # writing the one's weights, or calibrating the other, takes longer than all the rest
        source = _photographs(folder, photos, 4 if short else images)
        if name == INT8:
            file = str(folder / "int8.tflite")
            quantized = quantize(Settings(cache=folder), [str(source)], Path(file))
            told.append(Figure(f"{name}: mean cosine to float32", quantized.mean_cosine, "", load=load()))
        else:
            file = _weights(folder, name, weights)
        told += _measure_encoder(folder, store, name, file, source, rounds)
    source = _photographs(folder, photos, 4 if short else 512)
    told += _engines(folder, source, rounds)
    told.append(_again(folder, 200 if short else 10_000))
    return told


def _measure_encoder(
    folder: Path, store: ModelStore, name: str, weights: str, source: Path, rounds: int
) -> list[Figure]:
    made_by = fingerprint(name, store, weights or None)
    library = Library(str(folder / f"library-{name}"), folder)
    images = list_sources([str(source)], library.uri).images
    (shard,) = PlannedShards(images, made_by, len(images))
    files = [Path(image.uri) for image in images]
    embedder = Embedder(EmbedTask(name, weights, store.folder, library.uri, made_by, frozenset()))
    encoder: ImageEncoder = embedder._encoder
    pixels = np.stack([encoder.preprocess(decode(path.read_bytes()).pixels) for path in files])
    peer = _keras(name, weights)
    onnx = in_onnx_runtime(peer)

    def bare() -> None:
        for start in range(0, len(pixels), BATCH):
            encoder.embed(pixels[start : start + BATCH])

    def decoded() -> None:
        def one(path: Path) -> None:
            picture = decode(path.read_bytes())
            encoder.preprocess(picture.pixels)
            thumbnail(picture)

        with ThreadPoolExecutor() as pool:
            list(pool.map(one, files))

    def in_onnx() -> None:
        for start in range(0, len(pixels), BATCH):
            onnx(pixels[start : start + BATCH])

    def keras() -> None:
        squares = [Image.open(path).convert("RGB").resize((SIDE, SIDE)) for path in files]
        peer.predict(np.stack([np.asarray(square) for square in squares]), batch_size=BATCH, verbose=0)

    runs = {
        "model": bare,
        "onnx": in_onnx,
        "decode": decoded,
        "indexing": lambda: embedder.work(shard),
        "keras": keras,
    }
    spent = in_turns(runs, rounds)
    both = Spent(spent["model"].wall + spent["decode"].wall, spent["model"].cpu + spent["decode"].cpu)
    speed = {run: len(files) / each.wall for run, each in spent.items()}
    peers = {
        "the bare model": spent["model"],
        "1 / (1/model + 1/decode)": both,
        "Keras float32 predict over the files": spent["keras"],
    }
    ours = spent["indexing"]
    beside_onnx = spent["onnx"].wall / spent["model"].wall, spent["onnx"].cpu / spent["model"].cpu
    bare_model = f"{name}: bare model"
    told = [Figure(bare_model, speed["model"], "images/s", "ONNX Runtime, float32", *beside_onnx, load())]
    told.append(Figure(f"{name}: ONNX Runtime, float32", speed["onnx"], "images/s", load=load()))
    told.append(Figure(f"{name}: decode, square, thumbnail", speed["decode"], "images/s", load=load()))
    told.append(Figure(f"{name}: Keras float32 predict over the files", speed["keras"], "images/s", load=load()))
    for beside, peer in peers.items():
        ratios = peer.wall / ours.wall, peer.cpu / ours.cpu
        told.append(Figure(f"{name}: indexing", speed["indexing"], "images/s", beside, *ratios, load()))
    return told


def _engines(folder: Path, source: Path, rounds: int) -> list[Figure]:
    """Measure a whole run on Ray and without it, each into a new library."""
    number = count()

    def run(engine: str) -> float:
        library = str(folder / f"{engine}-{next(number)}")
        settings = Settings(library=library, engine=engine, cache=folder / "cache")  # type: ignore[arg-type]
        return index(settings, [str(source)]).images_per_second

    speed: dict[str, list[float]] = {"ray": [], "local": []}
    for _ in range(rounds):
        for engine, seen in speed.items():
            seen.append(run(engine))
    ray, local = (float(np.median(seen)) for seen in speed.values())
    return [
        Figure("a run without Ray, while embedding", local, "images/s", load=load()),
        Figure("a run on Ray, its start included", ray, "images/s", "a run without Ray", ray / local, load=load()),
    ]


def _again(folder: Path, images: int) -> Figure:
    """Measure a second run that finds nothing new."""
    source = folder / "many"
    source.mkdir()
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    for number in range(images):
        (source / f"{number:06}.png").write_bytes(buffer.getvalue() + number.to_bytes(4, "big"))
    settings = Settings(library=str(folder / "again"), cache=folder / "cache")
    library = Library(settings.library, settings.cache)
    made_by = fingerprint("efficientnet-lite0", ModelStore(settings.cache / "models"))
    commit_made_up(library.storage, made_by, list(list_sources([str(source)], library.uri).images))
    index(settings, [str(source)])
    report = index(settings, [str(source)])
    assert (report.embedded, report.outcome) == (0, "unchanged")
    return Figure(f"a run on {images:,} unchanged images", report.seconds, "s", load=load())


def _photographs(folder: Path, photos: Path | None, images: int) -> Path:
    """Return a folder with images of 500 × 375 pixels: photographs, or noise that takes as long to decode."""
    place = folder / f"photographs-{images}"
    if place.exists():
        return place
    place.mkdir()
    given = sorted(path for path in photos.rglob("*.jpg")) if photos else []
    for number, picture in zip(range(images), _pictures(given, images), strict=False):
        picture.resize(_SIZE).save(place / f"{number:04}.jpg", quality=90)
    return place


def _pictures(given: list[Path], images: int) -> Iterator[Image.Image]:
    random = np.random.default_rng(0)
    for number in range(images):
        if given:
            # The number in a corner keeps copies apart: the same content would be embedded once.
            picture = Image.open(given[number * len(given) // images]).convert("RGB")
            picture.putpixel((0, 0), (number % 256, number // 256, 0))
            yield picture
        else:
            coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
            yield coarse.resize(_SIZE, Image.Resampling.BICUBIC)


def _weights(folder: Path, name: str, given: Path | None) -> str:
    """Return the path of the weights. Random ones take as much time as real ones."""
    if name == FLOAT32:
        return ""
    if name == "vgg16" and given:
        return str(given)
    path = folder / f"{name}.weights.h5"
    if not path.exists():
        _vgg(name, input_shape=(SIDE, SIDE, 3)).save_weights(path)
    return str(path)


def _vgg(name: str, **inputs: Any) -> Any:
    start_tensorflow(None)
    import keras

    if name == "vgg16":
        return keras.applications.VGG16(weights=None, **inputs)
    return keras.applications.VGG16(weights=None, include_top=False, pooling="avg", **inputs)


def _keras(name: str, weights: str) -> Any:
    """Return the model as a tutorial has it: Keras, float32, from arrays of pixels."""
    import keras

    if name in (FLOAT32, INT8):
        return EfficientNetLite0.build(EfficientNetLite0.read_tensors(ModelStore(Path()).path(FLOAT32)))
    pixels = keras.Input((SIDE, SIDE, 3))
    vgg = _vgg(name, input_tensor=keras.layers.Rescaling(1.0, offset=[-mean for mean in MEAN])(pixels))
    vgg.load_weights(weights)
    return keras.Model(pixels, vgg.get_layer("fc2").output) if name == "vgg16" else vgg
