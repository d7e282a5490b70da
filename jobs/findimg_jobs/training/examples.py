"""Labelled images of a library, read from the embedding store as training examples."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from findimg.errors import HeadError, LibraryError
from findimg.heads.base import Head
from findimg.library.manifest import Manifest
from findimg.storage.base import Storage
from findimg.text.spelling import did_you_mean
from findimg.text.vectors import WordVectors
from findimg_jobs.segments.version_images import find_version_images
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.plan import read_planned_images
from findimg_jobs.store.shards import read_vectors

SEED = 20
TEST_SHARE = 0.2  # share of each label's images that is kept for testing
MIN_IMAGES = 5  # different images of a label
MIN_LABELS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Features of labelled images, from the embedding store."""

    labels: tuple[str, ...]  # in alphabetical order
    label: NDArray[np.int64]  # int64[n], index into `labels`
    visual: NDArray[np.float32]  # float32[n, dim]
    classes: NDArray[np.integer]  # int[n, m]; [n, 0] for an encoder without classes
    probabilities: NDArray[np.float32]  # float32[n, m]

    def select(self, chosen: NDArray[np.bool_]) -> "Examples":
        """Return the chosen examples and their labels. `chosen` is bool[n]."""
        kept, label = np.unique(self.label[chosen], return_inverse=True)
        labels = tuple(self.labels[each] for each in kept)
        return Examples(labels, label, self.visual[chosen], self.classes[chosen], self.probabilities[chosen])

    def embed(self, head: Head) -> NDArray[np.float32]:
        """Return the joint embeddings by `head`, float32[n, joint dim]."""
        return head.embed(self.visual, self.classes, self.probabilities)


def read_examples(storage: Storage, manifest: Manifest, labels: Mapping[str, str]) -> Examples:
    """Read the features of labelled images from the embedding store. Copies count once, broken images are left out.

    Args:
        labels: label by URI.

    Raises:
        LibraryError: some of the images are not in the live version.
        HeadError: a label has too few images, or there are too few labels.
    """
    known = read_committed(storage, manifest.fingerprint)
    planned = read_planned_images(storage, manifest.run).with_uris(labels)
    live = find_version_images(planned, known)
    rows = list(live)
    missing = labels.keys() - {image.uri for image, _ in rows} - {each.uri for each in known.failures_among(planned)}
    if missing:
        raise LibraryError(
            f"{len(missing)} of the {len(labels)} labelled images, such as {min(missing)}, are not in the live version "
            f"of {storage.root}. Index them with findimg-jobs index first."
        )
    found = []
    for shard, items in live.items_by_shard():
        wanted = {rows[item][1]: rows[item][0].uri for item in reversed(items)}
        for sha256, content in read_vectors(storage, manifest.fingerprint, shard):
            if uri := wanted.get(sha256):
                found.append((labels[uri], uri, content))
    found.sort(key=lambda each: each[:2])
    images = Counter(label for label, _, _ in found)
    few = [label for label in sorted(set(labels.values())) if images[label] < MIN_IMAGES]
    if few:
        raise HeadError(
            f"A label needs at least {MIN_IMAGES} different images. These labels have fewer: {', '.join(few)}. "
            "Add images and index them, or remove these folders."
        )
    if len(images) < MIN_LABELS:
        raise HeadError(
            f"A head needs at least {MIN_LABELS} labels. Name a folder with more sub-folders. "
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


def check_labels(labels: Mapping[str, str], words: WordVectors) -> None:
    """Check that the word vectors know every word of every label.

    Raises:
        HeadError: a word is unknown. A label without one of its words would get a wrong target.
    """
    names = sorted(set(labels.values()))
    parts = sorted({part for name in names for part in name.replace("-", " ").split()})
    unknown = [part for part, row in zip(parts, words.rows(parts), strict=True) if row < 0]
    unknown += [name for name in names if not name.replace("-", " ").split()]
    if unknown:
        hint = did_you_mean(words.suggest(unknown[0])) if len(unknown) == 1 else " Rename these folders."
        raise HeadError(f"{words.name} does not contain these words of the labels: {', '.join(unknown)}.{hint}")


def choose_test_images(label: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Choose a share of TEST_SHARE of each label's images, at least one. Return bool[n]."""
    random = np.random.default_rng(SEED)
    testing = np.zeros(len(label), np.bool_)
    for each in range(label.max() + 1):
        own = np.flatnonzero(label == each)
        testing[random.choice(own, max(1, round(len(own) * TEST_SHARE)), replace=False)] = True
    return testing
