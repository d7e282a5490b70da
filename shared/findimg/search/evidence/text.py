"""Evidence from text: words that are written in an image, in its caption and keywords, or in its names.

A text says less about what an image shows than the image itself does. How much it counts depends on what else is known
about the word, and on the kind of text:

- A word that no other source knows, or that others can only guess, is decided by text: see `ALONE`.
- For a word that names classes which some image shows, text is a supplement: see `BESIDE`. `apple` finds apples
  first, then images called `apple`, then screenshots that say "apple".
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from findimg.images import EXTENSIONS
from findimg.index.segmented import SegmentedTextIndex
from findimg.index.text_index import TEXT_KINDS, ImageText, Items, TextKind
from findimg.search.answers.results import TextMatch
from findimg.search.query import Term
from findimg.text.lexicon import Lexicon
from findimg.text.tokens import Token, fold_words, split_name, tokenise

# Relevance of an image with the word, by kind of text: where text decides, and beside classes that an image shows.
ALONE: dict[TextKind, float] = {"written": 0.9, "caption": 1.0, "name": 0.8}
BESIDE: dict[TextKind, float] = {"written": 0.04, "caption": 0.3, "name": 0.15}
_MISREAD = 0.7  # factor for text that is only similar to the phrase
_KEPT = 256  # terms whose images are kept, and pages whose excerpts are kept
_ABSENT = 4096  # terms that no image has, which are kept too
_SHORTEST_BEGINNING = 4  # letters of a word whose continuations are suggested
_BEFORE, _AFTER = 40, 60  # characters that an excerpt shows around the first match
_ELLIPSIS = "…"
_LABELS: dict[TextKind, str] = {"written": "text", "caption": "caption", "name": "name"}


@dataclass(frozen=True, slots=True, eq=False)
class FoundText:
    """The images that have the words of a term."""

    items: dict[TextKind, Items]  # by kind of text
    similar: Items  # images whose written text is only similar to the words

    def __bool__(self) -> bool:
        return bool(self.items) or len(self.similar) > 0

    def add_to(self, relevance: NDArray[np.float32], text: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a relevance raised by that of text, as if both were independent.

        Args:
            relevance: float32[images], 0 or more.
            text: float32[images], what `relevance` returned.
        """
        items = np.concatenate([self.similar, *self.items.values()])
        raised = relevance.copy()
        # An item that is there several times gets the same value each time.
        raised[items] = relevance[items] + text[items] * (1 - np.minimum(1, relevance[items]))
        return raised

    def relevance(self, images: int, weights: dict[TextKind, float]) -> NDArray[np.float32]:
        """Return the relevance of every image, float32[images], 0 to 1.

        Args:
            images: number of images.
            weights: relevance by kind of text, `ALONE` or `BESIDE`.
        """
        found = np.zeros(images, np.float32)
        found[self.similar] = weights["written"] * _MISREAD
        for kind in sorted(self.items, key=lambda kind: weights[kind]):
            items = self.items[kind]
            found[items] = np.maximum(found[items], np.float32(weights[kind]))
        return found


NO_TEXT = FoundText({}, np.empty(0, np.int64))


class TextEvidence:
    """Knows the words that any image has. Several threads may use it at the same time."""

    def __init__(self, index: SegmentedTextIndex | None, lexicon: Lexicon, kinds: Collection[TextKind] = TEXT_KINDS):
        """Use a version's text index.

        Args:
            index: None for a version of an older release, which has none.
            lexicon: knows singulars.
            kinds: the kinds of text that count.
        """
        self._index = index
        self._lexicon = lexicon
        self._kinds = frozenset(kinds)
        self._find = lru_cache(_KEPT)(self._look_up)
        self._absent: set[tuple[str, str, bool, str, bool]] = set()
        self._phrases = lru_cache(_KEPT)(self._find_phrases)
        self._pattern = lru_cache(_KEPT)(self._make_pattern)
        self._excerpts_of = lru_cache(_KEPT)(self._find_excerpts)

    @property
    def available(self) -> bool:
        """Whether the version has a text index."""
        return self._index is not None

    def knows(self, word: str) -> bool:
        """Return whether any image has a word or phrase, in exactly this form."""
        words = fold_words(word)
        return bool(words) and self._index is not None and bool(self._exact(words, self._kinds))

    def beginning_with(self, word: str, k: int = 3) -> list[str]:
        """Return up to `k` words of images that begin with a word of at least four letters, the shortest first."""
        words = fold_words(word)
        if self._index is None or not self._kinds or len(words) != 1 or len(words[0]) < _SHORTEST_BEGINNING:
            return []
        return self._index.beginning_with(words[0], k)

    def images_with(self, term: Term, forgiving: bool = False) -> FoundText:
        """Return the images that have a term's words, not those of its alternatives.

        Args:
            term: a word matches its singular and plural too, a quoted phrase only itself.
            forgiving: whether text counts in which some letters were misread.
        """
        key = term.text, term.typed, term.phrase, term.text_kind, forgiving
        if key in self._absent:
            return NO_TEXT
        found = self._find(*key)
        if not found.items and not len(found.similar) and len(self._absent) < _ABSENT:
            self._absent.add(key)
        return found

    def images_with_any(self, term: Term, forgiving: bool = False) -> FoundText:
        """Return the images that have the words of a term or of one of its alternatives. See `images_with`."""
        found = [self.images_with(each, forgiving) for each in (term, *term.alternatives)]
        if len(found) == 1:
            return found[0]
        kinds = {kind for each in found for kind in each.items}
        items = {kind: np.concatenate([each.items[kind] for each in found if kind in each.items]) for kind in kinds}
        return FoundText(items, np.concatenate([each.similar for each in found]))

    def excerpts(self, wanted: Mapping[int, Sequence[Term]]) -> dict[int, TextMatch]:
        """Return where the texts of some images have the words of some terms.

        Args:
            wanted: the terms to look for in each image, by its item.
        """
        if self._index is None or not wanted:
            return {}
        # Equal terms may be translations of different words.
        asked = tuple((item, tuple((term, term.typed) for term in terms)) for item, terms in wanted.items())
        return dict(self._excerpts_of(asked))

    def _find_excerpts(
        self, asked: tuple[tuple[int, tuple[tuple[Term, str], ...]], ...]
    ) -> tuple[tuple[int, TextMatch], ...]:
        assert self._index is not None
        texts = self._index.texts([item for item, _ in asked])
        found = (
            (item, self._excerpt(texts.get(item, ImageText()), [term for term, _ in terms])) for item, terms in asked
        )
        return tuple((item, match) for item, match in found if match)

    def _excerpt(self, text: ImageText, terms: Sequence[Term]) -> TextMatch | None:
        """Return the excerpt of the kind of text that has most of the terms, None if no text has any."""
        best: tuple[int, TextKind, list[tuple[int, int]]] | None = None
        for kind in TEXT_KINDS:
            wanted = [term for term in terms if term.text_kind in ("", kind)] if kind in self._kinds else []
            content = getattr(text, kind)
            if wanted and content:
                spans = self._spans(wanted, content, kind)
                if spans and (best is None or len(spans) > best[0]):
                    best = len(spans), kind, spans
        return _excerpt(_LABELS[best[1]], getattr(text, best[1]), best[2]) if best else None

    def _look_up(self, text: str, typed: str, is_phrase: bool, text_kind: str, forgiving: bool) -> FoundText:
        kinds = {text_kind} & self._kinds if text_kind else self._kinds
        if self._index is None or not kinds:
            return NO_TEXT
        found: dict[TextKind, list[Items]] = {}
        words = fold_words(typed or text)
        phrases = self._phrases(text, typed, is_phrase)
        parts = [self._index.with_word([phrase[0] for phrase in phrases if len(phrase) == 1])]
        parts += [self._exact(phrase, kinds) for phrase in phrases if len(phrase) > 1]
        for part in parts:
            for kind, items in part.items():
                if kind in kinds:
                    found.setdefault(kind, []).append(items)
        similar = NO_TEXT.similar
        if forgiving and words and "written" in kinds:
            similar = self._index.with_similar_text(words)
        return FoundText({kind: np.concatenate(items) for kind, items in found.items()}, similar)

    def _exact(self, words: Sequence[str], kinds: Collection[str]) -> dict[TextKind, Items]:
        assert self._index is not None
        return self._index.with_phrase(words, [kind for kind in TEXT_KINDS if kind in kinds])

    def _find_phrases(self, text: str, typed: str, is_phrase: bool) -> list[tuple[str, ...]]:
        """Return the sequences of words that count as a term: what was typed, and singular and plural of a word."""
        forms = [text, *([typed] if typed else [])]
        # A file is found by its whole name, though extensions are not in the index.
        stem, _, extension = text.rpartition(".")
        forms += [stem] if f".{extension.lower()}" in EXTENSIONS else []
        # The index has the parts of names, and a number may stand apart from its unit: `Q3_Results`, `750ml`.
        forms += [" ".join(split_name(form)) for form in forms]
        if not is_phrase:
            singular = self._lexicon.singular(text)
            forms += [singular] if singular else []
            forms += [plural for form in list(forms) for plural in _plurals(form)]
        return [words for words in dict.fromkeys(tuple(fold_words(form)) for form in forms) if words]

    def _spans(self, terms: Sequence[Term], content: str, kind: TextKind) -> list[tuple[int, int]]:
        """Return the characters at which a text has the words of some terms."""
        found: list[tuple[int, int]] = []
        tokens: list[Token] | None = None
        # In plain ASCII, words need not be folded.
        lowered = content.lower() if content.isascii() else None
        for term in terms:
            if span := self._exact_span(term, content, lowered):
                found.append(span)
            elif lowered is None or kind == "written":
                tokens = tokenise(content) if tokens is None else tokens
                if span := self._span_of_tokens(term, tokens, kind):
                    found.append(span)
        return found

    def _exact_span(self, term: Term, content: str, lowered: str | None) -> tuple[int, int] | None:
        """Return the characters at which a text first has the words of a term.

        Args:
            term: the term.
            content: the text.
            lowered: the text in lower case if it is ASCII.
        """
        phrases = self._phrases(term.text, term.typed, term.phrase)
        if lowered is not None and all(len(words) == 1 for words in phrases):
            # Compiling a pattern would take longer than searching ten texts.
            spans = [span for words in phrases if (span := _span_of_word(words[0], lowered))]
            return min(spans, key=lambda span: span[0], default=None)
        match = self._pattern(term.text, term.typed, term.phrase).search(content)
        return match.span() if match else None

    def _make_pattern(self, text: str, typed: str, is_phrase: bool) -> re.Pattern[str]:
        phrases = ("[\\W_]+".join(map(re.escape, words)) for words in self._phrases(text, typed, is_phrase))
        return re.compile(f"(?<![^\\W_])(?:{'|'.join(phrases) or '(?!)'})(?![^\\W_])", re.IGNORECASE)

    def _span_of_tokens(self, term: Term, tokens: Sequence[Token], kind: TextKind) -> tuple[int, int] | None:
        folded = [token.text for token in tokens]
        for words in self._phrases(term.text, term.typed, term.phrase):
            for place, first in enumerate(folded):
                if first == words[0] and tuple(folded[place : place + len(words)]) == words:
                    return tokens[place].start, tokens[place + len(words) - 1].end
        if kind != "written" or self._index is None or not tokens:
            return None
        wanted = fold_words(term.typed or term.text)
        similar = self._index.similar_place(wanted, "".join(folded)) if wanted else None
        if similar is None:
            return None
        at, starts, ends = 0, tokens[0].start, tokens[-1].end
        for token in tokens:
            if at <= similar[0]:
                starts = token.start
            at += len(token.text)
            if at >= similar[1]:
                ends = token.end
                break
        return starts, ends


def _span_of_word(word: str, text: str) -> tuple[int, int] | None:
    """Return the characters at which a text first has a word, with no letter and no digit before or after it."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            return at, end
        at = text.find(word, at + 1)
    return None


def _plurals(noun: str) -> list[str]:
    if not noun.isascii() or not noun[-1:].isalpha():
        return []
    return [f"{noun}s", f"{noun}es", *([f"{noun[:-1]}ies"] if noun.endswith("y") else [])]


def _excerpt(label: str, text: str, spans: Sequence[tuple[int, int]]) -> TextMatch:
    """Return the part of a text around the first match, with the matches in it marked."""
    spans = sorted(spans)
    start, end = max(0, spans[0][0] - _BEFORE), min(len(text), spans[0][1] + _AFTER)
    if start and (space := text.find(" ", start, spans[0][0])) >= 0:
        start = space + 1
    if end < len(text) and (space := text.rfind(" ", spans[0][1], end)) >= 0:
        end = space
    parts: list[tuple[str, bool]] = []
    at = start
    for first, last in spans:
        if first < at or last > end:
            continue
        parts += [(text[at:first], False), (text[first:last], True)]
        at = last
    parts.append((text[at:end], False))
    shown = [(" ".join(part.split("\n")), matched) for part, matched in parts if part]
    if start:
        shown.insert(0, (_ELLIPSIS, False))
    if end < len(text):
        shown.append((_ELLIPSIS, False))
    return TextMatch(label, tuple(shown))
