import numpy as np
import pytest

from findimg.heads.weights import Weights
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

LABELS = ("pizza", "elephant", "grand piano")
VISUAL = 8  # dimension of the visual embeddings


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def weights(words: WordVectors) -> Weights:
    """Return a head for which feature i shows label i. It knows nothing about the other features."""
    directions, _ = words.directions(list(LABELS))
    out = np.zeros((VISUAL, words.dim), np.float32)
    out[: len(LABELS)] = directions
    out[len(LABELS) :] = directions[0] / 10
    return Weights(
        name="devise:test",
        labels=LABELS,
        fingerprint="f1",
        words=words.name,
        directions=directions,
        mean=np.zeros(VISUAL, np.float32),
        hidden=np.eye(VISUAL, dtype=np.float32),
        hidden_bias=np.zeros(VISUAL, np.float32),
        out=out,
        out_bias=np.zeros(words.dim, np.float32),
        centroids=np.eye(len(LABELS), VISUAL, dtype=np.float32),
        target_cosines=np.full(len(LABELS), 0.9, np.float32),
        membership=np.array([0.5, 0.05], np.float32),
        calibration=np.array([20, -10], np.float32),
    )
