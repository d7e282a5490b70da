"""Open the files of a version that searches read, for all parts of a search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from findimg.heads.base import Head
from findimg.heads.loading import open_version_head
from findimg.heads.trained_head import TrainedHead
from findimg.index.duplicates.groups import Duplicates
from findimg.index.postings import REGIONS, WHOLE
from findimg.index.segmented import (
    SegmentedMatrix,
    SegmentedPostings,
    SegmentedRelevance,
    SegmentedTextIndex,
)
from findimg.index.version_files import (
    open_items,
    open_joint,
    open_postings,
    open_relevance,
    open_text_index,
    open_visual,
)
from findimg.library.items import ItemRows
from findimg.library.layout import VOCABULARY_FILE
from findimg.library.library import Version
from findimg.library.manifest import Manifest
from findimg.library.version_catalog import VersionCatalog
from findimg.search.sentences.vocabulary import BackgroundVocabulary, read_vocabulary
from findimg.search.similarity import VisualSimilarity
from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.vectors import WordVectors


@dataclass(frozen=True, slots=True, eq=False)
class WordFiles:
    """The files of the encoder that finds images by words, which may be a second one."""

    manifest: Manifest  # of this encoder
    head: Head
    postings: SegmentedPostings | None  # the classes of whole images, None for an encoder without classes
    regions: SegmentedPostings | None  # the classes of regions, None if no image was embedded with regions
    visual: SegmentedMatrix  # float16[images, dim]
    joint: SegmentedMatrix | None  # float16[images, joint dim], None without word vectors of images
    relevance: SegmentedRelevance | None  # float16[labels, images], None without a trained head
    vocabulary: BackgroundVocabulary | None  # None for an encoder without a text tower


@dataclass(frozen=True, slots=True, eq=False)
class SearchFiles:
    """The opened files of a version."""

    manifest: Manifest  # with the number of images that are not hidden
    catalog: VersionCatalog
    duplicates: Duplicates
    similarity: VisualSimilarity
    text_index: SegmentedTextIndex | None  # None for a version of an older release
    for_words: WordFiles
    words: WordVectors
    lexicon: Lexicon

    def close(self) -> None:
        """Close the files. They must not be used afterwards."""
        self.catalog.close()
        self.similarity.close()
        if self.text_index:
            self.text_index.close()


def open_search_files(version: Version, words: WordVectors, hidden: NDArray[np.int64] | None = None) -> SearchFiles:
    """Map a version's files into memory.

    Args:
        version: a complete version on this machine.
        words: the word vectors that the manifest names.
        hidden: int64[n], items to leave out as if they were deleted. At least one must remain. The others are numbered
            anew.

    Raises:
        LibraryError, HeadError: a file is damaged.
    """
    rows, groups = open_items(version, hidden)
    similarity = VisualSimilarity(version, rows)
    words_version = version.for_words
    if words_version.manifest is version.manifest:
        for_words = _open_word_files(version, rows, words, similarity.visual, similarity.postings)
    else:
        word_rows, _ = open_items(words_version, hidden)
        visual, postings = open_visual(words_version, word_rows), open_postings(words_version, word_rows, WHOLE)
        for_words = _open_word_files(words_version, word_rows, words, visual, postings)
    return SearchFiles(
        manifest=version.manifest.model_copy(update={"images": len(rows)}),
        catalog=VersionCatalog(version, rows),
        duplicates=Duplicates(groups),
        similarity=similarity,
        text_index=open_text_index(version, rows),
        for_words=for_words,
        words=words,
        lexicon=open_lexicon(),
    )


def _open_word_files(
    version: Version,
    rows: ItemRows,
    words: WordVectors,
    visual: SegmentedMatrix,
    postings: SegmentedPostings | None,
) -> WordFiles:
    manifest = version.manifest
    head = open_version_head(version, words)
    has_vocabulary = VOCABULARY_FILE in manifest.files
    return WordFiles(
        manifest=manifest,
        head=head,
        postings=postings,
        regions=open_postings(version, rows, REGIONS),
        visual=visual,
        joint=open_joint(version, rows),
        relevance=open_relevance(version, rows, len(head.labels)) if isinstance(head, TrainedHead) else None,
        vocabulary=read_vocabulary(version.path(VOCABULARY_FILE), manifest.dim) if has_vocabulary else None,
    )
