"""Combine the evidence for a query's terms, select the best images, and rerank them by their visual features."""

import numpy as np
import numpy.typing as npt

from findimg.text.vectors import normalised

Floats = npt.NDArray[np.float32]

FLOOR = 1e-4  # relevance of an image without any evidence for a term. The joint embedding orders such images.
RERANKED = 70  # images that are reranked by their visual features
RERANK_BY = 5  # best images that say what the others should look like
_SAMPLED = 20  # minimum number of sampled scores above the estimated cut-off


def combine(relevance: Floats, cosine: Floats, weights: Floats) -> Floats:
    """Return the relevance of images for a whole query.

    It is the weighted geometric mean of the wanted terms' relevances. Each unwanted term takes away its share.

    Args:
        relevance: float32[terms, n], 0 to 1.
        cosine: float32[terms, n], cosines of the joint embeddings to the terms' vectors, 0 for a term without one.
        weights: float32[terms], negative for unwanted terms.

    Returns:
        float32[n], 0 to 1.
    """
    wanted, unwanted = weights > 0, weights < 0
    total = np.ones(relevance.shape[1], dtype=np.float32)
    if wanted.any():
        share = weights[wanted] / weights[wanted].sum()
        total = np.exp(share @ np.log(relevance[wanted] + FLOOR * (1 + cosine[wanted])))
    for weight, shown in zip(weights[unwanted], relevance[unwanted], strict=True):
        total = total * (1 - shown) ** -weight
    return np.asarray(np.clip(total, 0, 1), dtype=np.float32)


def rerank(scores: Floats, visual: Floats) -> Floats:
    """Return new scores that also count the visual similarity to the best images.

    The best images of a word agree in their visual features more than wrong ones do. A score becomes the mean of itself
    and the mean best score times the cosine to the centroid of the best. The mean of all candidates is subtracted
    before.

    Args:
        scores: float32[n] of the best candidates.
        visual: float32[n, dim], their visual embeddings. The array is changed.

    Returns:
        float32[n], 0 to 1.
    """
    if len(scores) <= RERANK_BY:
        return scores
    best = best_first(scores)[:RERANK_BY]
    visual -= visual.mean(axis=0)
    centroid = normalised(scores[best] @ normalised(visual[best]))
    cosine = visual @ centroid / np.maximum(np.sqrt(np.vecdot(visual, visual)), np.finfo(np.float32).tiny)
    return np.asarray((scores + scores[best].mean() * np.clip(cosine, 0, 1)) / 2, dtype=np.float32)


def top_k(scores: Floats, count: int) -> npt.NDArray[np.int64]:
    """Return the places of the `count` best scores, int64[<= count], ascending. The first of equal scores win."""
    if len(scores) <= count or count == 0:
        return np.arange(min(len(scores), count))
    likely = np.arange(0)
    step = min(2 * count // _SAMPLED, len(scores) // (4 * count))
    if step > 1:
        # Estimate from a sample where about twice as many scores begin. This saves most of the sorting.
        place = 2 * count // step
        least = -np.partition(-scores[::step], place)[place]
        likely = np.flatnonzero(scores >= least)
    if len(likely) < count:
        likely = np.arange(len(scores))
    among = scores[likely]
    edge = -np.partition(-among, count - 1)[count - 1]
    above = likely[among > edge]
    level = likely[among == edge][: count - len(above)]
    return np.sort(np.concatenate([above, level]))


def best_first(scores: Floats) -> npt.NDArray[np.int64]:
    """Return the places of all scores, best first. Ties keep their order."""
    return np.argsort(-scores, kind="stable")
