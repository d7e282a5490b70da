"""Combine the evidence for a query's terms, select the best images, and rerank them by their visual features."""

import numpy as np
import numpy.typing as npt

from findimg.vectors import normalised

Floats = npt.NDArray[np.float32]

FLOOR = 1e-4  # relevance of an image without any evidence for a term. The joint embedding orders such images.
RERANKED = 70  # images that are reranked by their visual features
RERANK_BY = 5  # best images that say what the others should look like
_SORTED_AS_KEYS = 500  # number of scores from which on that is faster
_SAMPLED = 20  # minimum number of sampled scores above the estimated cut-off


def combine(relevance: Floats, weights: Floats, cosine: Floats | None = None) -> Floats:
    """Return the relevance of images for a whole query.

    It is the weighted geometric mean of the wanted terms' relevances. Each unwanted term takes away its share.

    Args:
        relevance: float32[terms, n], 0 to 1.
        weights: float32[terms], negative for unwanted terms.
        cosine: float32[terms, n], cosines of the joint embeddings to the terms' vectors, 0 for a term without one. They
            order images without evidence. None counts as 0.

    Returns:
        float32[n], 0 to 1.
    """
    wanted, unwanted = weights > 0, weights < 0
    total = np.ones(relevance.shape[1], dtype=np.float32)
    if wanted.any():
        shown = relevance[wanted] + (FLOOR if cosine is None else FLOOR * (1 + cosine[wanted]))
        share = weights[wanted] / weights[wanted].sum()
        total = shown[0] if len(shown) == 1 else np.exp(share @ np.log(shown))
    for weight, excluded in zip(weights[unwanted], relevance[unwanted], strict=True):
        total = total * (1 - excluded) ** -weight
    return np.asarray(np.clip(total, 0, 1), dtype=np.float32)


def rerank(scores: Floats, visual: Floats) -> Floats:
    """Return new scores that also count the visual similarity to the best images.

    The best images of a word agree in their visual features more than wrong ones do. A score becomes the mean of itself
    and the mean best score times the cosine to the centroid of the best. The mean of all candidates is subtracted
    before.

    Args:
        scores: float32[n] of the best candidates.
        visual: float32[n, dim], their visual embeddings.

    Returns:
        float32[n], 0 to 1.
    """
    if len(scores) <= RERANK_BY:
        return scores
    best = best_first(scores)[:RERANK_BY]
    mean = visual.sum(axis=0) / np.float32(len(visual))
    centroid = normalised(scores[best] @ normalised(visual[best] - mean))
    # The products with `visual - mean`, without computing that array.
    squares = np.vecdot(visual, visual) - 2 * (visual @ mean) + mean @ mean
    cosine = (visual @ centroid - mean @ centroid) / np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))
    return np.asarray((scores + scores[best].sum() / RERANK_BY * np.clip(cosine, 0, 1)) / 2, dtype=np.float32)


def top_k(scores: Floats, count: int) -> npt.NDArray[np.int64]:
    """Return the places of the `count` best scores, int64[<= count], ascending. The first of equal scores win."""
    if len(scores) <= count or count == 0:
        return np.arange(min(len(scores), count))
    likely = np.arange(0)
    step = min(2 * count // _SAMPLED, len(scores) // (2 * count))
    if step > 1:
        # Estimate from a sample where about twice as many scores begin. This saves most of the sorting.
        sample = scores[::step].copy()
        place = len(sample) - 1 - 2 * count // step
        sample.partition(place)
        likely = np.flatnonzero(scores > sample[place])
        if len(likely) < count:  # many scores are equal, for example because most images have no evidence
            equal = np.flatnonzero(scores == sample[place])[: count - len(likely)]
            likely = np.sort(np.concatenate([likely, equal]))
    if len(likely) < count:
        likely = np.arange(len(scores))
    among = scores[likely]
    edge = np.partition(among, len(among) - count)[len(among) - count]
    kept = among > edge
    kept[np.flatnonzero(among == edge)[: count - np.count_nonzero(kept)]] = True
    return np.asarray(likely[kept])


def best_first(scores: Floats) -> npt.NDArray[np.int64]:
    """Return the places of all scores, best first. Ties keep their order."""
    if len(scores) < _SORTED_AS_KEYS:
        return np.argsort(-scores, kind="stable")
    # Sorting numbers that hold a score and its place is several times as fast as a stable sort of the places.
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)  # adding 0 turns -0 into 0
    bits ^= (bits >> 31) & 0x7FFFFFFF  # in the order of the scores, also of negative ones
    keys = (~bits << 32) | np.arange(len(scores))
    keys.sort()
    return np.asarray(keys & 0xFFFFFFFF)
