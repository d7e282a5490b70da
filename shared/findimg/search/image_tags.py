"""Tags of an image, by all sources that know words for it."""

from findimg.errors import QueryError
from findimg.search.class_tags import Tag, open_tagger
from findimg.search.evidence.sources import EvidenceSources
from findimg.search.image_features import ImageFeatures, fits
from findimg.search.search_files import SearchFiles


class ImageTags:
    """Finds words for the content of images. Several threads may use it at the same time."""

    def __init__(self, files: SearchFiles, sources: EvidenceSources):
        """Use a version's files and its sources of evidence."""
        self._manifest = files.manifest
        self._head = files.for_words.head
        self._sources = sources
        self._tagger = open_tagger(files.words, files.lexicon)

    def tags(self, features: ImageFeatures, k: int) -> list[Tag]:
        """Return up to `k` words for the content of an image, best first.

        Raises:
            QueryError: another encoder made the features.
        """
        if not fits(features, self._manifest, to_words=True):
            raise QueryError("The library has another encoder since this image was sent. Send it again.")
        visual = features.for_words if self._manifest.words_by_second else features.visual
        assert visual is not None
        classes, probabilities = features.classes, features.probabilities
        if self._sources.sentences:
            tags = self._sources.sentences.tags(visual, k)
        else:
            joint = self._head.embed(visual[None], classes[None], probabilities[None])[0]
            tags = self._tagger.tags(joint, classes, probabilities, k)
        trained = self._sources.trained.tags(visual) if self._sources.trained else {}
        taught = self._sources.taught.tags(features.visual)
        if not trained and not taught:
            return tags
        scores = {tag.word: tag.score for tag in tags}
        for word, relevance in (*trained.items(), *taught.items()):
            scores[word] = max(scores.get(word, 0), relevance)
        return [Tag(word, scores[word]) for word in sorted(scores, key=lambda word: (-scores[word], word))[:k]]
