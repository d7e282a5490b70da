"""Fit a DeViSE head: two layers from visual embeddings to word vectors, and the figures that guard them."""

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.runtimes.keras_model import start_tensorflow
from findimg.heads.conse import Conse
from findimg.heads.trained_head import centre, layer_input
from findimg.heads.weights import Weights
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors
from findimg.vectors import normalised
from findimg_jobs.training.examples import SEED, Examples

VALIDATION = 8  # one training image in VALIDATION decides when to stop
UNITS = 2000
DROPOUT = 0.5
BATCH = 128
MAX_EPOCHS = 50
PATIENCE = 2  # epochs without progress before training stops
MIN_PROGRESS = 0.005  # rise of the validation cosine that counts as progress
# The head turns an image towards its label. It stops at a cosine MARGIN above the quantile OTHERS of the images of
# other labels. The share STRANGE of a label's own images, those least similar to it, keeps the embedding of `conse`.
# BORDER is the width of the transition, in standard deviations.
#
# Precision@10 of the joint embedding with efficientnet-lite0: mean over six selections of 5 to 20 of 40 Caltech-101
# classes.
#
# | | labels trained on | never trained on |
# |---|---|---|
# | conse / layers only | 0.778 / 0.992 | 0.891 / 0.153 |
# | chosen values | 0.961 | 0.881 |
# | OTHERS 0.98 / 1 | 0.953 / 0.966 | 0.881 / 0.879 |
# | MARGIN 0.05 / 0.2 | 0.953 / 0.968 | 0.882 / 0.861 |
# | STRANGE 0 / 0.01 / 0.05 | 0.977 / 0.970 / 0.942 | 0.763 / 0.875 / 0.887 |
# | BORDER 0.05 / 0.3 | 0.963 / 0.948 | 0.879 / 0.885 |
# | mean of conse and layers instead of turning | 0.958 | 0.862 |
OTHERS = 0.995
MARGIN = 0.1
STRANGE = 0.02
BORDER = 0.1


def fit(
    name: str, examples: Examples, fingerprint: str, words: WordVectors, calibration: tuple[float, float] = (0, 0)
) -> tuple[Weights, int]:
    """Train the two layers and compute the other fields of `Weights`. Equal examples give equal weights.

    Args:
        calibration: see `Weights`.

    Returns:
        The weights and the number of epochs.
    """
    directions, _ = words.directions(list(examples.labels))
    mean = normalised(examples.visual).mean(axis=0)
    centred = centre(examples.visual, mean)
    (hidden, hidden_bias, out, out_bias), epochs = _fit_layers(layer_input(centred), directions[examples.label])
    sums = np.zeros((len(examples.labels), centred.shape[1]), np.float32)
    np.add.at(sums, examples.label, centred)
    # Compare each image with the other images of its label, as a new image will be.
    similarity = np.einsum("nd,nd->n", centred, normalised(sums[examples.label] - centred))
    membership = float(np.quantile(similarity, STRANGE)), max(BORDER * float(similarity.std()), 1e-4)
    target_cosines = np.ones(len(examples.labels))
    if examples.classes.shape[1]:
        cosines = examples.embed(Conse(words, open_lexicon())) @ directions.T
        others = [np.quantile(cosines[examples.label != each, each], OTHERS) for each in range(len(target_cosines))]
        target_cosines = np.minimum(np.array(others) + MARGIN, 1)
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
        centroids=normalised(sums),
        target_cosines=np.asarray(target_cosines, np.float32),
        membership=np.array(membership, np.float32),
        calibration=np.array(calibration, np.float32),
    )
    return weights, epochs


def calibrate(own: NDArray[np.float32], strange: NDArray[np.float32]) -> tuple[float, float]:
    """Return slope and offset of the log odds that an image shows one of the head's labels, given a cosine.

    Args:
        own: float32[n], `TrainedHead.centroid_cosine` of images with a known label.
        strange: float32[m], `TrainedHead.centroid_cosine` of images with an unknown label.

    Source: linear discriminant analysis in one dimension, with equal variances and equal priors.
    """
    variance = max((float(own.var()) + float(strange.var())) / 2, 1e-6)
    slope = max(float(own.mean()) - float(strange.mean()), 0) / variance
    return slope, -slope * (float(own.mean()) + float(strange.mean())) / 2


def _fit_layers(features: NDArray[np.float32], targets: NDArray[np.float32]) -> tuple[list[NDArray[np.float32]], int]:
    """Return the fitted layers [hidden, hidden_bias, out, out_bias], see `Weights`, and the number of epochs."""
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
    # XLA is slower on CPUs.
    model.compile("adam", keras.losses.CosineSimilarity(), jit_compile=False)
    history = model.fit(
        features[~validating],
        targets[~validating],
        validation_data=(features[validating], targets[validating]),
        batch_size=BATCH,
        epochs=MAX_EPOCHS,
        callbacks=[keras.callbacks.EarlyStopping(patience=PATIENCE, min_delta=MIN_PROGRESS, restore_best_weights=True)],
        verbose=0,
    )
    return model.get_weights(), len(history.epoch)
