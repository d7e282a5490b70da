"""Measure a library's live version on labelled images. The name of a sub-folder is the label of its images."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError, QueryError
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library, Version
from findimg.models.store import ModelStore
from findimg.search.answers.results import Hit
from findimg.search.query import Query, Term
from findimg.search.ranking import MAX_HITS
from findimg.search.searcher import Searcher
from findimg.search.sentences.text_vectors import text_vectors
from findimg.settings import Settings
from findimg.text.vectors import open_words
from findimg_jobs.evaluation.figures import EncoderFigures, Evaluation, LabelFigures, TagHits
from findimg_jobs.evaluation.heads import measure_heads
from findimg_jobs.evaluation.labels import correct_tags, read_labels
from findimg_jobs.evaluation.metrics import TOP, JudgedAnswer, average_precision, precision_by_k, rank
from findimg_jobs.evaluation.query_images import QueryImage, evenly
from findimg_jobs.evaluation.recall import measure_recalls
from findimg_jobs.evaluation.teaching import measure_teaching

MAX_QUERY_IMAGES = 2000  # images used as queries and tagged; of more images an even selection is used
_NO_WORDS = "the backbone has no classes and no head was trained, so the library cannot be searched by words."
DEPTH = 10_000  # hits of a text query for its average precision
TAGS = 5


def evaluate(settings: Settings, labelled: Sequence[str], teach: int = 0) -> Evaluation:
    """Measure the live version of a library.

    Only labelled images are judged. Other hits are ignored. Text → image uses the labels as queries. Image → image uses
    the labelled images, each excluded from its own answer. A tag is correct if `correct_tags` has it. A head alone
    ranks the labelled images by the cosine of their joint embeddings to the label. File names, captions and written
    words do not count, because the name of a folder is the label.

    Args:
        settings: the library and the cache.
        labelled: folders and s3:// prefixes. The name of a sub-folder is the label of all images in it.
        teach: also measure labels as queries after up to this many random examples of each; 0 measures no teaching.
            Names that the team taught do not count in any figure.

    Raises:
        SettingsError: there is no labelled image.
        LibraryError: nothing is published, or none of the labelled images is indexed.
    """
    library = Library(settings.library, settings.cache)
    version = library.open(all_parts=True)
    task = _Task(library.uri, read_labels(labelled, library.uri), ModelStore(settings.cache / "models"))
    measured = _measure(version, task, teach)
    if not version.manifest.second:
        return measured
    # The first encoder alone is the version itself if it finds images by words, too.
    first, second = version.parts
    alone = [_measure(first, task) if version.manifest.words_by_second else measured, _measure(second, task)]
    figures = tuple(
        EncoderFigures(each.backbone, each.text, each.similar, each.tags, {label.label: label for label in each.labels})
        for each in alone
    )
    seconds = measured.seconds + sum(each.seconds for each in alone if each is not measured)
    return replace(measured, encoders=figures, seconds=round(seconds, 2))


@dataclass(frozen=True, slots=True)
class _Task:
    """What is measured."""

    library: str  # address
    labels: Mapping[str, str]  # label by URI
    models: ModelStore


def _measure(version: Version, task: _Task, teach: int = 0) -> Evaluation:
    """Measure a version. Parameters and errors as of `evaluate`."""
    start = time.perf_counter()
    manifest, labels = version.manifest, task.labels
    words = open_words(manifest.words, task.models.words(manifest.words))
    notes: list[str] = []
    with closing(Searcher(version, words, (), text_vectors(version, task.models))) as searcher:
        items = {uri: item for uri in sorted(labels) if (item := searcher.catalog.item(uri)) is not None}
        if not items:
            raise LibraryError(
                f"None of the {len(labels)} labelled images, such as {min(labels)}, is in {task.library}. "
                "Index them with findimg-jobs index first."
            )
        label_of = {item: labels[uri] for uri, item in items.items()}
        sizes = Counter(label_of.values())
        asked = [
            QueryImage(uri, labels[uri], items[uri], searcher.look_up(uri)[1])
            for uri in evenly(list(items), MAX_QUERY_IMAGES)
        ]
        if len(asked) < len(items):
            notes.append(f"{len(asked)} of {len(items)} images were used as queries and tagged, in even steps.")
        text = _query_labels(searcher, label_of, sizes, notes)
        similar = [
            (image.label, _query_image(searcher, label_of, sizes[image.label] - 1, image))
            for image in asked
            if sizes[image.label] > 1  # otherwise no hit can be correct
        ]
        tags = _tag(searcher, asked, notes)
        taught = measure_teaching(searcher, label_of, teach, notes) if teach and searcher.knows_words else ()
    heads = measure_heads(version.for_words, words, asked, notes)
    figures = [
        LabelFigures(
            label,
            images,
            text.get(label),
            tuple(answer for shown, answer in similar if shown == label),
            _share([right for image, right in zip(asked, tags, strict=False) if image.label == label]),
        )
        for label, images in sizes.items()
    ]
    backbone = manifest.backbone
    if manifest.words_by_second:
        backbone = f"{backbone} by image, {manifest.for_words.backbone} by words"
    return Evaluation(
        library=task.library,
        version=manifest.version,
        backbone=backbone,
        words=manifest.words,
        head=manifest.for_words.head,
        images=len(items),
        not_indexed=len(labels) - len(items),
        text=rank(list(text.values())),
        similar=rank([answer for _, answer in similar]),
        tags=_share(tags),
        indexes=measure_recalls(version, words, asked, list(sizes), searcher.lexicon),
        heads=heads,
        labels=tuple(sorted(figures, key=_text_precision)),
        notes=tuple(notes),
        seconds=round(time.perf_counter() - start, 2),
        taught=taught,
    )


def _query_labels(
    searcher: Searcher, label_of: Mapping[int, str], sizes: Mapping[str, int], notes: list[str]
) -> dict[str, JudgedAnswer]:
    if not searcher.knows_words:
        notes.append(f"Text → image was not measured: {_NO_WORDS}")
        return {}
    answers = {}
    for label, relevant in sizes.items():
        # Do not parse the label: a minus or a colon in a folder's name is not query syntax.
        query = Query(label, tuple(Term(word) for word in label.split()))
        try:
            hits = searcher.find(query, TOP).hits
            # Take the first hits from a normal search: a deeper one may order them differently.
            deeper = searcher.find(query, min(searcher.manifest.images, DEPTH)).hits
        except QueryError as error:
            notes.append(f"{label!r} finds nothing: {error}")
            hits, deeper = [], []
        right = _right([*hits, *deeper], label, label_of)
        answers[label] = JudgedAnswer(
            label, label, precision_by_k(right, relevant), average_precision(right, relevant), _labelled(hits, label_of)
        )
    return answers


def _query_image(searcher: Searcher, label_of: Mapping[int, str], relevant: int, image: QueryImage) -> JudgedAnswer:
    hits = searcher.similar(image.features, Query(""), TOP, excluded=image.item).hits
    right = _right(hits, image.label, label_of)
    if len(right) < min(TOP, len(label_of) - 1):
        deeper = searcher.similar(image.features, Query(""), MAX_HITS, excluded=image.item).hits
        right = _right([*hits, *deeper], image.label, label_of)
    return JudgedAnswer(
        image.uri,
        image.label,
        precision_by_k(right, relevant),
        None,
        _labelled(hits, label_of),
        thumbnail_key(searcher.catalog.row(image.item).sha256),
    )


def _right(hits: Sequence[Hit], label: str, label_of: Mapping[int, str]) -> NDArray[np.bool_]:
    """Return for each labelled image among the hits whether it is correct, in order of its first place."""
    items = dict.fromkeys(hit.item for hit in hits)
    return np.array([label_of[item] == label for item in items if item in label_of], np.bool_)


def _labelled(hits: Sequence[Hit], label_of: Mapping[int, str]) -> tuple[tuple[Hit, str | None], ...]:
    return tuple((hit, label_of.get(hit.item)) for hit in hits)


def _tag(searcher: Searcher, asked: Sequence[QueryImage], notes: list[str]) -> list[tuple[bool, bool]]:
    """Return for each image whether its first tag is correct, and whether one of the first TAGS is."""
    if not searcher.knows_words:
        notes.append(f"Tags were not measured: {_NO_WORDS}")
        return []
    right = {label: correct_tags(label, searcher.lexicon) for label in {image.label for image in asked}}
    found = []
    for image in asked:
        tags = [tag.word.lower() in right[image.label] for tag in searcher.tags(image.features, TAGS)]
        found.append((any(tags[:1]), any(tags)))
    return found


def _share(tags: Sequence[tuple[bool, bool]]) -> TagHits | None:
    if not tags:
        return None
    first, among = np.mean(tags, axis=0).tolist()
    return TagHits(len(tags), first, among)


def _text_precision(label: LabelFigures) -> tuple[float, float]:
    if label.text:
        return label.text.precision[-1], label.text.average or 0
    similar = rank(label.similar)
    return (similar.precision[-1] if similar else 1), 0
