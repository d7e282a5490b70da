"""Training a head on a team's own labels: folders of images that the library holds already."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.artefacts import ModelStore
from findimg.encoders.keras_model import start_tensorflow
from findimg.errors import HeadError, LibraryError
from findimg.heads.conse import Conse, Head
from findimg.heads.devise import Devise, Weights, centre, head_key, head_name, pack, scaled
from findimg.library.library import Library, Manifest
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors, did_you_mean, normalised, open_words
from findimg_jobs.build.assemble import find_embedded
from findimg_jobs.evaluation.measure import read_labels
from findimg_jobs.evaluation.metrics import TOP, precision_by_k
from findimg_jobs.indexing.plan import read_images
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.shards import read_committed, read_vectors

SEED = 20
TEST = 0.2  # share of each label's images that is kept for testing
FEWEST_IMAGES = 5  # of a label
FEWEST_LABELS = 3
HELD_OUT = 4  # one label in so many is left out of a first training, to see what the head does to others
VALIDATION = 8  # one training image in so many says when to stop
UNITS = 2000
DROPOUT = 0.5
BATCH = 128
MOST_EPOCHS = 50
# Training stops after so many epochs in which the validation's cosine did not rise by so much.
PATIENCE = 2
RISE = 0.005
# An image is turned towards its label until, as a cosine, it is by MARGIN nearer than all but the rest of OTHERS of the
# other labels' images. A share of STRANGE of a label's own images is left to `conse`, with a border as soft as BORDER
# deviations.
#
# Precision@10 by the joint embedding, mean of six choices of 5 to 20 out of 40 Caltech-101 classes, efficientnet-lite0:
#
# | | labels trained on | never trained on |
# |---|---|---|
# | conse / the layers alone | 0.778 / 0.992 | 0.891 / 0.153 |
# | as it is here | 0.961 | 0.881 |
# | OTHERS 0.98 / 1 | 0.953 / 0.966 | 0.881 / 0.879 |
# | MARGIN 0.05 / 0.2 | 0.953 / 0.968 | 0.882 / 0.861 |
# | STRANGE 0 / 0.01 / 0.05 | 0.977 / 0.970 / 0.942 | 0.763 / 0.875 / 0.887 |
# | BORDER 0.05 / 0.3 | 0.963 / 0.948 | 0.879 / 0.885 |
# | half conse, half layers, instead of turning | 0.958 | 0.862 |
OTHERS = 0.995
MARGIN = 0.1
STRANGE = 0.02
BORDER = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled images as the embedding store knows them."""

    labels: tuple[str, ...]  # in alphabetical order
    label: NDArray[np.int64]  # int64[n], place in `labels`
    visual: NDArray[np.float32]  # float32[n, dim]
    classes: NDArray[np.integer]  # int[n, m]; [n, 0] for a backbone without classes
    probabilities: NDArray[np.float32]  # float32[n, m]

    def of(self, chosen: NDArray[np.bool_]) -> "Examples":
        """Those that are chosen, with the labels that they have."""
        kept, label = np.unique(self.label[chosen], return_inverse=True)
        labels = tuple(self.labels[each] for each in kept)
        return Examples(labels, label, self.visual[chosen], self.classes[chosen], self.probabilities[chosen])

    def by(self, head: Head) -> NDArray[np.float32]:
        """Their joint embeddings."""
        return head.embed(self.visual, self.classes, self.probabilities)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Precision@10 of labels as queries, images in the order of their joint embeddings' cosines to the label."""

    labels: int  # queries
    images: int  # none of them trained on
    head: float
    conse: float | None  # None for a backbone without classes


@dataclass(frozen=True, slots=True)
class TrainReport:
    """A finished training."""

    head: str
    sha256: str  # of the head; written into the report, so that the two can be seen to belong together
    backbone: str
    fingerprint: str
    words: str
    labels: dict[str, int]  # images of each
    seed: int
    train: int  # images
    test: int
    epochs: int
    seconds: float  # reading, both trainings and measuring
    seen: Comparison  # the test images of the labels trained on
    held_out: Comparison  # labels that a training of its own left out, among its own test images
    left_out: list[str]  # these labels

    def lines(self, library: str) -> list[str]:
        """The report for a person, a line each."""
        told = [
            f"Trained {self.head} on {self.train} images of {len(self.labels)} labels in {self.seconds:.1f} s "
            f"({self.epochs} epochs); {self.test} more images tested it.",
            f"precision@{TOP}".ljust(44) + f"{self.head:>20}{'conse':>10}",
        ]
        parts = [
            ("Labels trained on", self.seen),
            (f"Labels never trained on ({len(self.left_out)} left out)", self.held_out),
        ]
        for name, part in parts:
            conse = "–" if part.conse is None else f"{part.conse:.3f}"
            told.append(f"{name.ljust(44)}{part.head:>20.3f}{conse:>10}")
        told.append(
            f"For the second line, {', '.join(self.left_out)} were left out of a training of their own; "
            f"{self.head} itself knows them."
        )
        told += [
            f"{self.head} is worse than conse on {name[0].lower()}{name[1:]}."
            for name, part in parts
            if part.conse is not None and part.head < part.conse
        ]
        return [*told, f"To use it: findimg-jobs merge --library {library} --head {self.head}"]


def train(settings: Settings, labelled: str) -> TrainReport:
    """Trains a head on the labelled images of a library and keeps it there.

    Args:
        settings: name the library, the head (`devise:NAME`) and perhaps word vectors.
        labelled: a folder or s3:// prefix that the library holds; a sub-folder's name is the label of its images.

    Returns:
        The training report, which is also in the library.

    Raises:
        HeadError: the head's name is none, or there are labels that cannot be learnt; nothing was trained.
        LibraryError: nothing is published, or labelled images are not in the live version.
        SettingsError: there is no labelled image.
        LockedError: another run writes to the library.
    """
    start = time.perf_counter()
    name = head_name(settings.head)
    library = Library(settings.library, settings.cache)
    version = library.current()
    if version is None:
        raise LibraryError(f"Nothing is published in {library.uri}; run findimg-jobs index first.")
    manifest = library.manifest(version)
    words_name = settings.words or manifest.words
    words = open_words(words_name, ModelStore(settings.cache / "models").words(words_name))
    labels = read_labels([labelled], library.uri)
    _check_labels(labels, words)
    with hold_lock(library.storage) as lock:
        examples = read_examples(library.storage, manifest, labels)
        testing = _chosen_for_testing(examples.label)
        # First without some of the labels: what the head makes of their images tells strangers from its own.
        left_out = np.arange(len(examples.labels)) % HELD_OUT == 0
        stranger = left_out[examples.label]
        weights, _ = fit(name, examples.of(~stranger & ~testing), manifest.fingerprint, words)
        first = Devise(weights, words)
        chance = _calibrated(
            first.nearness(examples.visual[~stranger & testing]), first.nearness(examples.visual[stranger])
        )
        untrained = tuple(label for label, out in zip(examples.labels, left_out, strict=True) if out)
        held_out = compare(first, examples.of(stranger | testing), untrained, words)
        weights, epochs = fit(name, examples.of(~testing), manifest.fingerprint, words, chance)
        head = Devise(weights, words)
        report = TrainReport(
            head=name,
            sha256=head.sha256,
            backbone=manifest.backbone,
            fingerprint=manifest.fingerprint,
            words=words.name,
            labels=dict(zip(examples.labels, np.bincount(examples.label).tolist(), strict=True)),
            seed=SEED,
            train=int((~testing).sum()),
            test=int(testing.sum()),
            epochs=epochs,
            seconds=round(time.perf_counter() - start, 2),
            seen=compare(head, examples.of(testing), examples.labels, words),
            held_out=held_out,
            left_out=list(untrained),
        )
        lock.check()
        # The weights come last: with them the head is there.
        library.storage.write(head_key(name, "report.json"), json.dumps(asdict(report), indent=1).encode())
        library.storage.write(head_key(name, "weights.npz"), pack(weights))
    return report


def read_examples(storage: Storage, manifest: Manifest, labels: Mapping[str, str]) -> Examples:
    """Reads what the embedding store has of labelled images; equal images count once, broken ones not at all.

    Args:
        labels: URI → label.

    Raises:
        LibraryError: some of the images are not in the version.
        HeadError: a label has too few images, or there are too few labels.
    """
    known = read_committed(storage, manifest.fingerprint)
    planned = [image for image in read_images(storage, manifest.run) if image.uri in labels]
    live = find_embedded(planned, known)
    missing = (
        labels.keys() - {image.uri for image in live.images} - {each.uri for each in known.failures_among(planned)}
    )
    if missing:
        raise LibraryError(
            f"{len(missing)} of the {len(labels)} labelled images, such as {min(missing)}, are not in the live version "
            f"of {storage.root}; index them with findimg-jobs index first."
        )
    found = []
    for shard, items in live.places():
        wanted = {live.sha256[item]: live.images[item].uri for item in reversed(items)}
        for sha256, content in read_vectors(storage, manifest.fingerprint, shard):
            if uri := wanted.get(sha256):
                found.append((labels[uri], uri, content))
    found.sort(key=lambda each: each[:2])
    images = Counter(label for label, _, _ in found)
    few = [label for label in sorted(set(labels.values())) if images[label] < FEWEST_IMAGES]
    if few:
        raise HeadError(
            f"A label needs {FEWEST_IMAGES} different images at least; these have fewer: {', '.join(few)}. "
            "Add images and index them, or take these folders away."
        )
    if len(images) < FEWEST_LABELS:
        raise HeadError(
            f"A head learns what tells {FEWEST_LABELS} labels at least apart; name a folder with more sub-folders. "
            f"Received: {', '.join(images)}."
        )
    contents = [content for _, _, content in found]
    classes = [content.classes for content in contents if content.classes is not None]
    probabilities = [content.probabilities for content in contents if content.probabilities is not None]
    nothing = np.empty((len(found), 0))
    kept, label = np.unique([label for label, _, _ in found], return_inverse=True)
    return Examples(
        labels=tuple(str(each) for each in kept),
        label=label,
        visual=np.stack([content.visual for content in contents]).astype(np.float32),
        classes=np.stack(classes).astype(np.int64) if classes else nothing.astype(np.int64),
        probabilities=np.stack(probabilities) if probabilities else nothing.astype(np.float32),
    )


def fit(
    name: str, examples: Examples, fingerprint: str, words: WordVectors, chance: tuple[float, float] = (0, 0)
) -> tuple[Weights, int]:
    """Trains the two layers and measures what `Devise` needs beside them; the same examples give the same weights.

    Args:
        chance: see `Weights`.

    Returns:
        The weights, and after how many epochs the training stopped.
    """
    directions, _ = words.directions(list(examples.labels))
    mean = normalised(examples.visual).mean(axis=0)
    centred = centre(examples.visual, mean)
    (hidden, hidden_bias, out, out_bias), epochs = _fit_layers(scaled(centred), directions[examples.label])
    sums = np.zeros((len(examples.labels), centred.shape[1]), np.float32)
    np.add.at(sums, examples.label, centred)
    # Each image is compared with the others of its label, as a new one will be.
    alike = np.einsum("nd,nd->n", centred, normalised(sums[examples.label] - centred))
    familiar = float(np.quantile(alike, STRANGE)), max(BORDER * float(alike.std()), 1e-4)
    reach = np.ones(len(examples.labels))
    if examples.classes.shape[1]:
        cosines = examples.by(Conse(words, open_lexicon())) @ directions.T
        others = [np.quantile(cosines[examples.label != each, each], OTHERS) for each in range(len(reach))]
        reach = np.minimum(np.array(others) + MARGIN, 1)
    weights = Weights(
        name=name,
        labels=examples.labels,
        fingerprint=fingerprint,
        words=words.name,
        directions=directions,
        mean=mean,
        hidden=hidden,
        hidden_bias=hidden_bias,
        out=out,
        out_bias=out_bias,
        looks=normalised(sums),
        reach=np.asarray(reach, np.float32),
        familiar=np.array(familiar, np.float32),
        chance=np.array(chance, np.float32),
    )
    return weights, epochs


def compare(head: Devise, examples: Examples, queries: Sequence[str], words: WordVectors) -> Comparison:
    """Measures a head and `conse` on examples that `head` was not trained on, with some of their labels as queries."""
    figures = {head.name: _precision(examples.by(head), examples, queries, words)}
    if examples.classes.shape[1]:
        figures["conse"] = _precision(examples.by(Conse(words, open_lexicon())), examples, queries, words)
    return Comparison(len(queries), len(examples.label), figures[head.name], figures.get("conse"))


def _precision(joint: NDArray[np.float32], examples: Examples, queries: Sequence[str], words: WordVectors) -> float:
    directions, _ = words.directions(list(queries))
    precisions = []
    for query, direction in zip(queries, directions, strict=True):
        right = examples.label == examples.labels.index(query)
        ranked = right[np.argsort(-(joint @ direction), kind="stable")]
        precisions.append(precision_by_k(ranked, int(right.sum()))[-1])
    return round(float(np.mean(precisions)), 4)


def _check_labels(labels: Mapping[str, str], words: WordVectors) -> None:
    """Every word of every label must be known: a label of which half is unknown would be learnt as something else."""
    names = sorted(set(labels.values()))
    parts = sorted({part for name in names for part in name.replace("-", " ").split()})
    unknown = [part for part, row in zip(parts, words.rows(parts), strict=True) if row < 0]
    unknown += [name for name in names if not name.replace("-", " ").split()]
    if unknown:
        hint = did_you_mean(words.suggest(unknown[0])) if len(unknown) == 1 else " Rename these folders."
        raise HeadError(f"{words.name} does not know these words of the labels: {', '.join(unknown)}.{hint}")


def _chosen_for_testing(label: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Chooses TEST of each label's images, one at least, bool[n]."""
    random = np.random.default_rng(SEED)
    testing = np.zeros(len(label), np.bool_)
    for each in range(label.max() + 1):
        own = np.flatnonzero(label == each)
        testing[random.choice(own, max(1, round(len(own) * TEST)), replace=False)] = True
    return testing


def _calibrated(own: NDArray[np.float32], strange: NDArray[np.float32]) -> tuple[float, float]:
    """Returns slope and offset of the log odds that an image is an own one, by its nearness, at even odds beforehand.

    Source: linear discriminant analysis in one dimension: two normal distributions of one variance.
    """
    variance = max((float(own.var()) + float(strange.var())) / 2, 1e-6)
    slope = max(float(own.mean()) - float(strange.mean()), 0) / variance
    return slope, -slope * (float(own.mean()) + float(strange.mean())) / 2


def _fit_layers(features: NDArray[np.float32], targets: NDArray[np.float32]) -> tuple[list[Any], int]:
    """Fits the two layers: [hidden, hidden_bias, out, out_bias] as in `Weights`, and the epochs that it took."""
    start_tensorflow(None)
    import keras

    validating = np.arange(len(features)) % VALIDATION == 0
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential(
        [
            keras.Input((features.shape[1],)),
            keras.layers.Dense(UNITS, "relu"),
            keras.layers.Dropout(DROPOUT),
            keras.layers.Dense(targets.shape[1]),
        ]
    )
    # XLA makes each step slower on CPUs.
    model.compile("adam", keras.losses.CosineSimilarity(), jit_compile=False)
    history = model.fit(
        features[~validating],
        targets[~validating],
        validation_data=(features[validating], targets[validating]),
        batch_size=BATCH,
        epochs=MOST_EPOCHS,
        callbacks=[keras.callbacks.EarlyStopping(patience=PATIENCE, min_delta=RISE, restore_best_weights=True)],
        verbose=0,
    )
    return model.get_weights(), len(history.epoch)
