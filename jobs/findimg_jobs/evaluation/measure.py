"""Measuring a library's live version on labelled images: folders and prefixes whose sub-folders' names are labels."""

import time
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.artefacts import ModelStore
from findimg.errors import LibraryError, QueryError, SettingsError
from findimg.heads.conse import open_head
from findimg.heads.devise import open_version_head
from findimg.index.annoy import AnnoyPartitions, recall
from findimg.index.projection import open_projection
from findimg.library.library import (
    JOINT_FILE,
    PROJECTION_FILE,
    VISUAL_FILE,
    Index,
    Library,
    Version,
    index_files,
    thumbnail_key,
)
from findimg.search.query import Query, Term
from findimg.search.searcher import MOST_HITS, Hit, ImageFeatures, Searcher
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.text.lexicon import Lexicon
from findimg.text.vectors import WordVectors, open_words
from findimg_jobs.evaluation.metrics import (
    TOP,
    Answered,
    Evaluation,
    HeadFigures,
    IndexRecall,
    LabelFigures,
    TagHits,
    average_precision,
    precision_by_k,
    rank,
)
from findimg_jobs.indexing.sources import list_sources

MOST_ASKED = 2000  # images that are asked with and tagged; of more, as many are taken evenly
MOST_MEASURED = 500  # queries that the recall of an index is measured with, beside the labels
_WORDLESS = "the backbone names no classes and no head was trained, so the library knows no words."
DEPTH = 10_000  # hits of a text query that its average precision is computed from
TAGS = 5
# A word that says less than this (`Lexicon.specific`) is no right tag: "artifact" and "organism" are none, "animal" is.
SPECIFIC = 0.25

_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A labelled image that is asked with."""

    uri: str
    label: str
    item: int
    seen: ImageFeatures


def evaluate(settings: Settings, labelled: Sequence[str]) -> Evaluation:
    """Measures the live version of a library.

    Only labelled images are judged: another one among the hits is neither right nor wrong. Text → image asks with the
    labels, image → image with the labelled images, each left out of its own answer. A tag is right if it is one of
    `right_tags`. A head by itself ranks the labelled images by the cosine of their joint embeddings to the label.

    Args:
        settings: name the library and the cache.
        labelled: folders and s3:// prefixes; a sub-folder's name is the label of all images in it.

    Raises:
        SettingsError: there is no labelled image.
        LibraryError: nothing is published, or none of the labelled images is indexed.
    """
    start = time.perf_counter()
    library = Library(settings.library, settings.cache)
    version = library.open()
    manifest = version.manifest
    words = open_words(manifest.words, ModelStore(settings.cache / "models").words(manifest.words))
    labels = read_labels(labelled, library.uri)
    notes: list[str] = []
    with closing(Searcher(version, words)) as searcher:
        items = {uri: item for uri in sorted(labels) if (item := searcher.catalog.item(uri)) is not None}
        if not items:
            raise LibraryError(
                f"None of the {len(labels)} labelled images, such as {min(labels)}, is in {library.uri}; "
                "index them with findimg-jobs index first."
            )
        label_of = {item: labels[uri] for uri, item in items.items()}
        sizes = Counter(label_of.values())
        asked = [
            _Asked(uri, labels[uri], items[uri], searcher.look_up(uri)[1]) for uri in _evenly(list(items), MOST_ASKED)
        ]
        if len(asked) < len(items):
            notes.append(f"{len(asked)} of {len(items)} images, evenly taken, were asked with and tagged.")
        text = _ask_with_labels(searcher, label_of, sizes, notes)
        similar = [
            (image.label, _ask_with_image(searcher, label_of, sizes[image.label] - 1, image))
            for image in asked
            if sizes[image.label] > 1  # else no answer can be right
        ]
        tags = _tag(searcher, asked, notes)
    heads = _compare_heads(version, words, asked, notes)
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
    return Evaluation(
        library=library.uri,
        version=manifest.version,
        backbone=manifest.backbone,
        words=manifest.words,
        head=manifest.head,
        images=len(items),
        not_indexed=len(labels) - len(items),
        text=rank(list(text.values())),
        similar=rank([answer for _, answer in similar]),
        tags=_share(tags),
        indexes=_recalls(version, words, asked, list(sizes), searcher.lexicon),
        heads=heads,
        labels=tuple(sorted(figures, key=_worth)),
        notes=tuple(notes),
        seconds=round(time.perf_counter() - start, 2),
    )


def read_labels(labelled: Sequence[str], library: str) -> dict[str, str]:
    """Lists labelled images: URI → label.

    Args:
        labelled: folders and s3:// prefixes; where they overlap, the first that holds an image labels it.
        library: the library's own address; what lies in there is left out.

    Raises:
        SettingsError: one of `labelled` is no folder, or no sub-folder holds an image.
    """
    labels: dict[str, str] = {}
    for source in labelled:
        root = open_storage(source).root
        for image in list_sources([source], library).images:
            folder, _, rest = image.uri[len(root) :].lstrip("/").partition("/")
            if rest and (label := as_label(folder)):
                labels.setdefault(image.uri, label)
    if not labels:
        raise SettingsError(
            f"No sub-folder of {', '.join(labelled)} holds an image; sort the images into sub-folders that are named "
            "after what they show."
        )
    return labels


def as_label(folder: str) -> str:
    """Returns what a folder's name says its images show: `grand piano` for `grand_piano`."""
    composed = unicodedata.normalize("NFKC", folder).replace("_", " ")
    return " ".join("".join(char if char.isprintable() else " " for char in composed).split())


def right_tags(label: str, lexicon: Lexicon) -> set[str]:
    """Returns, in lower case, the words that are right for an image with this label.

    They are the label itself and every name of what it is: of the class nodes that any of its meanings names or hangs
    below, and of all nodes above those that say at least SPECIFIC. Of a phrase that the lexicon does not know, the last
    word says what it is.
    """
    senses = lexicon.senses(label) or lexicon.senses(label.rpartition(" ")[2])
    nodes = {above for sense in senses for node, _ in sense.places for above in lexicon.above(node)}
    names = [name for node in nodes if lexicon.specific[node] >= SPECIFIC for name in lexicon.names[node]]
    return {word.lower() for word in (label, lexicon.singular(label) or label, *names)}


def _ask_with_labels(
    searcher: Searcher, label_of: Mapping[int, str], sizes: Mapping[str, int], notes: list[str]
) -> dict[str, Answered]:
    if not searcher.manifest.joint:
        notes.append(f"Text → image was not measured: {_WORDLESS}")
        return {}
    answers = {}
    for label, relevant in sizes.items():
        # Not parsed: in the name of a folder a minus or a colon is no query language.
        query = Query(label, tuple(Term(word) for word in label.split()))
        try:
            hits = searcher.find(query, TOP).hits
            # The first hits as a person gets them: a deep search may order them otherwise.
            deeper = searcher.find(query, min(searcher.manifest.images, DEPTH)).hits
        except QueryError as error:
            notes.append(f"{label!r} finds nothing: {error}")
            hits, deeper = [], []
        right = _right([*hits, *deeper], label, label_of)
        answers[label] = Answered(
            label, label, precision_by_k(right, relevant), average_precision(right, relevant), _labelled(hits, label_of)
        )
    return answers


def _ask_with_image(searcher: Searcher, label_of: Mapping[int, str], relevant: int, image: _Asked) -> Answered:
    hits = searcher.similar(image.seen, Query(""), TOP, without=image.item).hits
    right = _right(hits, image.label, label_of)
    if len(right) < min(TOP, len(label_of) - 1):
        deeper = searcher.similar(image.seen, Query(""), MOST_HITS, without=image.item).hits
        right = _right([*hits, *deeper], image.label, label_of)
    return Answered(
        image.uri,
        image.label,
        precision_by_k(right, relevant),
        None,
        _labelled(hits, label_of),
        thumbnail_key(searcher.catalog.row(image.item).sha256),
    )


def _right(hits: Sequence[Hit], label: str, label_of: Mapping[int, str]) -> NDArray[np.bool_]:
    """Whether each labelled image among the hits is right; each counts where it first stands."""
    items = dict.fromkeys(hit.item for hit in hits)
    return np.array([label_of[item] == label for item in items if item in label_of], np.bool_)


def _labelled(hits: Sequence[Hit], label_of: Mapping[int, str]) -> tuple[tuple[Hit, str | None], ...]:
    return tuple((hit, label_of.get(hit.item)) for hit in hits)


def _tag(searcher: Searcher, asked: Sequence[_Asked], notes: list[str]) -> list[tuple[bool, bool]]:
    """For each image, whether its first tag is right, and whether one of the first TAGS is; empty if it cannot tag."""
    if not searcher.manifest.joint:
        notes.append(f"Tags were not measured: {_WORDLESS}")
        return []
    right = {label: right_tags(label, searcher.lexicon) for label in {image.label for image in asked}}
    found = []
    for image in asked:
        tags = [tag.word.lower() in right[image.label] for tag in searcher.tags(image.seen, TAGS)]
        found.append((any(tags[:1]), any(tags)))
    return found


def _share(tags: Sequence[tuple[bool, bool]]) -> TagHits | None:
    if not tags:
        return None
    first, among = np.mean(tags, axis=0).tolist()
    return TagHits(len(tags), first, among)


def _recalls(
    version: Version, words: WordVectors, asked: Sequence[_Asked], labels: Sequence[str], lexicon: Lexicon
) -> tuple[IndexRecall, ...]:
    """Asks the visual index with images and the joint one with words: the labels, and nouns from all the alphabet."""
    manifest, visual = version.manifest, _vectors(version, VISUAL_FILE, version.manifest.dim)
    images = visual[[image.item for image in _evenly(asked, MOST_MEASURED)]]
    if manifest.visual.dim < manifest.dim:
        projection = open_projection(version.folder / PROJECTION_FILE, manifest.dim, manifest.visual.dim)
        visual, images = projection(visual), projection(images)
    measured = [_recall(version, "visual", manifest.visual, visual, np.asarray(images, np.float32))]
    if manifest.joint:
        nouns = _evenly(lexicon.visible_nouns(), MOST_MEASURED)
        joint = _vectors(version, JOINT_FILE, manifest.joint.dim)
        measured.append(_recall(version, "joint", manifest.joint, joint, words.directions([*labels, *nouns])[0]))
    return tuple(measured)


def _recall(
    version: Version, name: str, index: Index, vectors: NDArray[np.floating], queries: NDArray[np.float32]
) -> IndexRecall:
    queries = queries[np.any(queries, axis=1)]
    paths = [version.folder / part for part in index_files(name, index)]
    with closing(AnnoyPartitions(paths, index.dim, index.counts, index.search_k)) as ann:
        return IndexRecall(name, index.recall, recall(ann, vectors, queries), len(queries))


def _vectors(version: Version, file: str, dim: int) -> NDArray[np.floating]:
    return np.memmap(version.folder / file, np.float16, "r", shape=(version.manifest.images, dim))


def _compare_heads(
    version: Version, words: WordVectors, asked: Sequence[_Asked], notes: list[str]
) -> tuple[HeadFigures, ...]:
    """Measures the version's own head, and `conse` beside another one."""
    manifest = version.manifest
    if not manifest.joint:
        return ()
    joint = _vectors(version, JOINT_FILE, manifest.joint.dim)
    embedded = {manifest.head: np.asarray(joint[[image.item for image in asked]], np.float32)}
    seen = [image.seen for image in asked]
    if manifest.head != "conse" and len(seen[0].classes):
        embedded["conse"] = open_head("conse", words).embed(
            np.stack([each.visual for each in seen]),
            np.stack([each.classes for each in seen]),
            np.stack([each.probabilities for each in seen]),
        )
    trained = getattr(open_version_head(version, words), "labels", None)
    if trained is not None:
        notes.append(
            f"{manifest.head} may have been trained on images that it is judged on here; how it does on others is what "
            "findimg-jobs train reported."
        )
    labels = [image.label for image in asked]
    return tuple(_alone(name, vectors, labels, words, trained) for name, vectors in embedded.items())


def _alone(
    name: str, joint: NDArray[np.float32], labels: Sequence[str], words: WordVectors, trained: Collection[str] | None
) -> HeadFigures:
    answers = {}
    shown = np.asarray(labels, np.object_)
    for label, relevant in Counter(labels).items():
        direction = words.direction(label)
        right = np.zeros(0, np.bool_)
        if direction is not None:
            right = shown[np.argsort(-(joint @ direction), kind="stable")] == label
        answers[label] = Answered(label, label, precision_by_k(right, relevant), average_precision(right, relevant))
    if trained is None:
        return HeadFigures(name, rank(list(answers.values())), None, None)
    return HeadFigures(
        name,
        rank(list(answers.values())),
        rank([answer for label, answer in answers.items() if label in trained]),
        rank([answer for label, answer in answers.items() if label not in trained]),
    )


def _evenly(things: Sequence[_Thing], most: int) -> list[_Thing]:
    """At most so many of them, from the first to the last."""
    places = np.linspace(0, len(things) - 1, min(len(things), most)).round().astype(int)
    return [things[place] for place in places]


def _worth(label: LabelFigures) -> tuple[float, float]:
    if label.text:
        return label.text.precision[-1], label.text.average or 0
    similar = rank(label.similar)
    return (similar.precision[-1] if similar else 1), 0
