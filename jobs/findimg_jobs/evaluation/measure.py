"""Measure a library's live version on labelled images. The name of a sub-folder is the label of its images."""

import time
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError, QueryError, SettingsError
from findimg.heads.conse import Conse
from findimg.heads.loading import open_version_head
from findimg.index.base import VectorIndex, VectorRows
from findimg.index.exact import measure_recall
from findimg.index.version_files import (
    indexed_vectors,
    open_items,
    open_joint,
    open_joint_index,
    open_visual_index,
)
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library, Version
from findimg.library.manifest import IndexEntry
from findimg.models.store import ModelStore
from findimg.search.answers.results import Hit
from findimg.search.group_ranking import MAX_HITS
from findimg.search.image_features import ImageFeatures
from findimg.search.query import Query, Term
from findimg.search.searcher import Searcher
from findimg.search.sentences.text_vectors import text_vectors
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.vectors import WordVectors, open_words
from findimg_jobs.evaluation.metrics import (
    TOP,
    EncoderFigures,
    Evaluation,
    HeadFigures,
    IndexRecall,
    JudgedAnswer,
    LabelFigures,
    TagHits,
    average_precision,
    precision_by_k,
    rank,
)
from findimg_jobs.evaluation.teaching import measure_teaching
from findimg_jobs.indexing.sources import list_sources

MAX_QUERY_IMAGES = 2000  # images used as queries and tagged; of more images an even selection is used
MAX_RECALL_QUERIES = 500  # queries for the recall of an index, besides the labels
_NO_WORDS = "the backbone has no classes and no head was trained, so the library cannot be searched by words."
DEPTH = 10_000  # hits of a text query for its average precision
TAGS = 5
# Least `Lexicon.specific` of a correct tag. "animal" is specific enough, "artifact" and "organism" are not.
MIN_SPECIFIC = 0.25

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class _QueryImage:
    """A labelled image that is used as a query."""

    uri: str
    label: str
    item: int
    features: ImageFeatures


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
            _QueryImage(uri, labels[uri], items[uri], searcher.look_up(uri)[1])
            for uri in _evenly(list(items), MAX_QUERY_IMAGES)
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
    heads = _compare_heads(version.for_words, words, asked, notes)
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
        indexes=_recalls(version, words, asked, list(sizes), searcher.lexicon),
        heads=heads,
        labels=tuple(sorted(figures, key=_text_precision)),
        notes=tuple(notes),
        seconds=round(time.perf_counter() - start, 2),
        taught=taught,
    )


def read_labels(labelled: Sequence[str], library: str) -> dict[str, str]:
    """Return the label of each labelled image, by URI.

    Args:
        labelled: folders and s3:// prefixes. Where they overlap, the first one decides the label.
        library: the library's address. Files inside the library are left out.

    Raises:
        SettingsError: one of `labelled` is not a folder, or no sub-folder holds an image.
    """
    labels: dict[str, str] = {}
    for source in labelled:
        root = open_storage(source).root
        for image in list_sources([source], library).images:
            folder, _, rest = image.uri[len(root) :].lstrip("/").partition("/")
            if rest and (label := label_of_folder(folder)):
                labels.setdefault(image.uri, label)
    if not labels:
        raise SettingsError(
            f"No sub-folder of {', '.join(labelled)} holds an image. Sort the images into sub-folders "
            "and name each one after what its images show."
        )
    return labels


def label_of_folder(folder: str) -> str:
    """Return the label for a folder's name: `grand piano` for `grand_piano`."""
    composed = unicodedata.normalize("NFKC", folder).replace("_", " ")
    return " ".join("".join(char if char.isprintable() else " " for char in composed).split())


def correct_tags(label: str, lexicon: Lexicon) -> set[str]:
    """Return the correct tags for an image with this label, in lower case.

    These are the label and the names of its lexicon nodes and their ancestors, as far as they are specific enough
    (MIN_SPECIFIC). For a phrase that the lexicon does not know, the last word is looked up.
    """
    senses = lexicon.senses(label) or lexicon.senses(label.rpartition(" ")[2])
    nodes = {above for sense in senses for node, _ in sense.places for above in lexicon.above(node)}
    names = [name for node in nodes if lexicon.specific[node] >= MIN_SPECIFIC for name in lexicon.names[node]]
    return {word.lower() for word in (label, lexicon.singular(label) or label, *names)}


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


def _query_image(searcher: Searcher, label_of: Mapping[int, str], relevant: int, image: _QueryImage) -> JudgedAnswer:
    hits = searcher.similar(image.features, Query(""), TOP, without=image.item).hits
    right = _right(hits, image.label, label_of)
    if len(right) < min(TOP, len(label_of) - 1):
        deeper = searcher.similar(image.features, Query(""), MAX_HITS, without=image.item).hits
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


def _tag(searcher: Searcher, asked: Sequence[_QueryImage], notes: list[str]) -> list[tuple[bool, bool]]:
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


def _recalls(
    version: Version, words: WordVectors, asked: Sequence[_QueryImage], labels: Sequence[str], lexicon: Lexicon
) -> tuple[IndexRecall, ...]:
    """Measure the visual index with images, and the joint index with labels and nouns."""
    manifest = version.manifest
    rows, _ = open_items(version)
    visual = indexed_vectors(version, rows)
    images = np.asarray(visual[np.array([image.item for image in _evenly(asked, MAX_RECALL_QUERIES)])], np.float32)
    with closing(open_visual_index(version, rows)) as index:
        measured = [_recall("visual", manifest.visual, index, visual, images)]
    for_words = version.for_words
    rows, _ = open_items(for_words)
    if for_words.manifest.joint and (joint := open_joint(for_words, rows)):
        nouns = _evenly(lexicon.visible_nouns(), MAX_RECALL_QUERIES)
        with closing(open_joint_index(for_words, rows)) as index:
            measured.append(
                _recall("joint", for_words.manifest.joint, index, joint, words.directions([*labels, *nouns])[0])
            )
    return tuple(measured)


def _recall(
    name: str, stated: IndexEntry, index: VectorIndex, vectors: VectorRows, queries: NDArray[np.float32]
) -> IndexRecall:
    queries = queries[np.any(queries, axis=1)]
    return IndexRecall(name, stated.recall, measure_recall(index, vectors, queries), len(queries))


def _compare_heads(
    version: Version, words: WordVectors, asked: Sequence[_QueryImage], notes: list[str]
) -> tuple[HeadFigures, ...]:
    """Measure the version's head, and `conse` beside a trained head."""
    manifest = version.manifest
    joint = open_joint(version, open_items(version)[0])
    if joint is None:
        return ()
    embedded = {manifest.head: joint[np.asarray([image.item for image in asked])]}
    seen = [image.features for image in asked]
    if manifest.head != "conse" and len(seen[0].classes):
        embedded["conse"] = Conse(words, open_lexicon()).embed(
            np.stack([each.visual for each in seen]),
            _filled([each.classes for each in seen]),
            _filled([each.probabilities for each in seen]),
        )
    trained = getattr(open_version_head(version, words), "labels", None)
    if trained is not None:
        notes.append(
            f"{manifest.head} may have been trained on some of these images. findimg-jobs train reports its figures on "
            "other images."
        )
    labels = [image.label for image in asked]
    return tuple(_head_figures(name, vectors, labels, words, trained) for name, vectors in embedded.items())


def _filled(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return rows as one array. Shorter ones end with zeros, because improbable classes of an image are not stored."""
    filled = np.zeros((len(rows), max(map(len, rows))), rows[0].dtype)
    for place, row in enumerate(rows):
        filled[place, : len(row)] = row
    return filled


def _head_figures(
    name: str, joint: NDArray[np.float32], labels: Sequence[str], words: WordVectors, trained: Collection[str] | None
) -> HeadFigures:
    answers = {}
    shown = np.asarray(labels, np.object_)
    for label, relevant in Counter(labels).items():
        direction = words.direction(label)
        right = np.zeros(0, np.bool_)
        if direction is not None:
            right = shown[np.argsort(-(joint @ direction), kind="stable")] == label
        answers[label] = JudgedAnswer(label, label, precision_by_k(right, relevant), average_precision(right, relevant))
    if trained is None:
        return HeadFigures(name, rank(list(answers.values())), None, None)
    return HeadFigures(
        name,
        rank(list(answers.values())),
        rank([answer for label, answer in answers.items() if label in trained]),
        rank([answer for label, answer in answers.items() if label not in trained]),
    )


def _evenly(sequence: Sequence[_Item], most: int) -> list[_Item]:
    """Return at most `most` items in even steps, from the first to the last."""
    places = np.linspace(0, len(sequence) - 1, min(len(sequence), most)).round().astype(int)
    return [sequence[place] for place in places]


def _text_precision(label: LabelFigures) -> tuple[float, float]:
    if label.text:
        return label.text.precision[-1], label.text.average or 0
    similar = rank(label.similar)
    return (similar.precision[-1] if similar else 1), 0
