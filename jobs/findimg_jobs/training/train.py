"""Train a head on a team's own labels: folders of images that the library already holds."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from findimg.heads.conse import Conse
from findimg.heads.loading import head_key, head_name
from findimg.heads.trained_head import TrainedHead
from findimg.heads.weights import pack
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors, open_words
from findimg_jobs.evaluation.labels import read_labels
from findimg_jobs.evaluation.metrics import TOP, precision_by_k
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.training.examples import SEED, Examples, check_labels, choose_test_images, read_examples
from findimg_jobs.training.fit import calibrate, fit

HELD_OUT = 4  # the first training leaves out one label in HELD_OUT, to measure the head on labels it does not know


@dataclass(frozen=True, slots=True)
class Comparison:
    """Precision@10 with labels as queries. Images are ranked by the cosine of their joint embedding to the label."""

    labels: int  # number of queries
    images: int  # images that were not used in training
    head: float
    conse: float | None  # None for an encoder without classes


@dataclass(frozen=True, slots=True)
class TrainReport:
    """Settings and results of a training."""

    head: str
    sha256: str  # of the head, hex
    backbone: str
    fingerprint: str
    words: str
    labels: dict[str, int]  # number of images by label
    seed: int
    train: int  # number of training images
    test: int  # number of test images
    epochs: int
    seconds: float  # wall time of reading, both trainings and measuring
    seen: Comparison  # test images, labels that the head was trained on
    held_out: Comparison  # labels that a first training left out
    left_out: list[str]  # the labels of `held_out`

    def lines(self, library: str) -> list[str]:
        """Return the report as lines of text for a person."""
        lines = [
            f"Trained {self.head} on {self.train} images of {len(self.labels)} labels in {self.seconds:.1f} s "
            f"({self.epochs} epochs) and tested it on {self.test} others.",
            f"precision@{TOP}".ljust(44) + f"{self.head:>20}{'conse':>10}",
        ]
        parts = [
            ("Labels trained on", self.seen),
            (f"Other labels ({len(self.left_out)} left out)", self.held_out),
        ]
        for name, part in parts:
            conse = "–" if part.conse is None else f"{part.conse:.3f}"
            lines.append(f"{name.ljust(44)}{part.head:>20.3f}{conse:>10}")
        lines.append(
            f"The second line comes from a separate training without {', '.join(self.left_out)}. "
            f"{self.head} itself was trained on these labels."
        )
        lines += [
            f"{self.head} is worse than conse on {name[0].lower()}{name[1:]}."
            for name, part in parts
            if part.conse is not None and part.head < part.conse
        ]
        return [*lines, f"Use it with: findimg-jobs merge --library {library} --head {self.head}"]


def train(settings: Settings, labelled: str) -> TrainReport:
    """Train a head on labelled images and store it in the library.

    Args:
        settings: the library, the head (`devise:NAME`) and optionally word vectors.
        labelled: an indexed folder or s3:// prefix. The name of a sub-folder is the label of its images.

    Returns:
        The training report. The library keeps a copy.

    Raises:
        HeadError: the head's name is invalid, or a label cannot be learnt. Nothing was trained.
        LibraryError: nothing is published, or labelled images are not in the live version.
        SettingsError: there is no labelled image.
        LockedError: another run is writing to the library.
    """
    start = time.perf_counter()
    name = head_name(settings.head)
    library = Library(settings.library, settings.cache)
    manifest = library.manifest(library.live_version()).for_words
    words_name = settings.words or manifest.words
    words = open_words(words_name, ModelStore(settings.cache / "models").words(words_name))
    labels = read_labels([labelled], library.uri)
    check_labels(labels, words)
    with hold_lock(library.storage) as lock:
        examples = read_examples(library.storage, manifest, labels)
        testing = choose_test_images(examples.label)
        # A first training without some labels measures how the head treats images of unknown labels.
        left_out = np.arange(len(examples.labels)) % HELD_OUT == 0
        stranger = left_out[examples.label]
        weights, _ = fit(name, examples.select(~stranger & ~testing), manifest.fingerprint, words)
        first = TrainedHead(weights, words)
        calibration = calibrate(
            first.centroid_cosine(examples.visual[~stranger & testing]),
            first.centroid_cosine(examples.visual[stranger]),
        )
        untrained = tuple(label for label, out in zip(examples.labels, left_out, strict=True) if out)
        held_out = compare(first, examples.select(stranger | testing), untrained, words)
        weights, epochs = fit(name, examples.select(~testing), manifest.fingerprint, words, calibration)
        head = TrainedHead(weights, words)
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
            seen=compare(head, examples.select(testing), examples.labels, words),
            held_out=held_out,
            left_out=list(untrained),
        )
        lock.check()
        # Write the weights last: they make the head visible.
        library.storage.write(head_key(name, "report.json"), json.dumps(asdict(report), indent=1).encode())
        library.storage.write(head_key(name, "weights.npz"), pack(weights))
    return report


def compare(head: TrainedHead, examples: Examples, queries: Sequence[str], words: WordVectors) -> Comparison:
    """Measure a head and `conse` on examples that were not used in training, with `queries` as labels."""
    figures = {head.name: _precision(examples.embed(head), examples, queries, words)}
    if examples.classes.shape[1]:
        figures["conse"] = _precision(examples.embed(Conse(words, open_lexicon())), examples, queries, words)
    return Comparison(len(queries), len(examples.label), figures[head.name], figures.get("conse"))


def _precision(joint: NDArray[np.float32], examples: Examples, queries: Sequence[str], words: WordVectors) -> float:
    directions, _ = words.directions(list(queries))
    precisions = []
    for query, direction in zip(queries, directions, strict=True):
        right = examples.label == examples.labels.index(query)
        ranked = right[np.argsort(-(joint @ direction), kind="stable")]
        precisions.append(precision_by_k(ranked, int(right.sum()))[-1])
    return round(float(np.mean(precisions)), 4)
