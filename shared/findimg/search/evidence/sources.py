"""The sources of evidence of a version."""

from collections.abc import Collection, Container
from dataclasses import dataclass

from findimg.heads.trained_head import TrainedHead
from findimg.index.text_index import TextKind
from findimg.search.evidence.base import VisualEvidence
from findimg.search.evidence.classes import ClassEvidence
from findimg.search.evidence.sentences import SentenceEvidence
from findimg.search.evidence.taught import TaughtEvidence
from findimg.search.evidence.text import TextEvidence
from findimg.search.evidence.trained import TrainedEvidence
from findimg.search.search_files import SearchFiles
from findimg.search.sentences.text_vectors import TextVectors


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceSources:
    """The sources of evidence of a version."""

    classes: ClassEvidence
    taught: TaughtEvidence
    text: TextEvidence
    trained: TrainedEvidence | None  # None without a trained head
    sentences: SentenceEvidence | None  # None if the encoder has no text tower
    has_joint: bool  # whether word vectors of images exist

    @property
    def visual(self) -> tuple[VisualEvidence, ...]:
        """Return the sources that judge what images show. The first one that knows a term decides about it."""
        last = self.sentences or self.classes
        return (self.trained, last) if self.trained else (last,)

    @property
    def can_search_words(self) -> bool:
        """Return whether any image can be found by words: by classes and word vectors, or by sentences."""
        return self.has_joint or self.sentences is not None

    @property
    def labels(self) -> Container[str]:
        """Return the words and phrases that a source knows by itself, in lower case and singular."""
        return self.trained.labels if self.trained else ()


def open_sources(files: SearchFiles, kinds: Collection[TextKind], text_vectors: TextVectors | None) -> EvidenceSources:
    """Return the sources of evidence of a version.

    Args:
        files: of the version.
        kinds: the kinds of text that count.
        text_vectors: the vectors of texts by the version's encoder. They are asked for only if the version has a
            background vocabulary, which `index` computes for encoders with a text tower.
    """
    for_words, images = files.for_words, files.manifest.images
    trained: TrainedEvidence | None = None
    if isinstance(for_words.head, TrainedHead) and for_words.relevance is not None:
        trained = TrainedEvidence(for_words.head, for_words.relevance, files.lexicon)
    sentences: SentenceEvidence | None = None
    if text_vectors and for_words.vocabulary:
        sentences = SentenceEvidence(for_words.visual, for_words.vocabulary, text_vectors)
    return EvidenceSources(
        classes=ClassEvidence(for_words.postings, images, for_words.regions),
        taught=TaughtEvidence(files.similarity, files.catalog, files.manifest),
        text=TextEvidence(files.text_index, files.lexicon, kinds),
        trained=trained,
        sentences=sentences,
        has_joint=for_words.joint is not None,
    )
