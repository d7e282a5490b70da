"""The meanings of nouns: a hierarchy of the 1,000 ImageNet classes and their hypernyms, and the nouns attached to it.

A hypernym is a more general term: `animal` is a hypernym of `cat`. The data is made from WordNet 3.0 by
`findimg.text.lexicon.build`. Its licence is in `LICENSE.wordnet`.
"""

import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from findimg.text.lexicon.plurals import regular_singulars
from findimg.text.lexicon.spellings import other_spellings
from findimg.text.lexicon.translations import LONGEST_PHRASE, QueryTranslation, open_translations

FOLDER = Path(__file__).parent
CLASSES = 1000
_RECENT = 4096  # terms whose singulars are kept
_FILLERS = """
a an and are as at be by for from have having he her his i image images in is it its me my near of on or our over photo
photograph photographs photos pic pics picture pictures she show some that the their them there these they this those
to under us was we were what where which who with your
"""
# Function words. Without this list, "a" would be a vitamin and "in" an inch.
FILLERS = frozenset(_FILLERS.split())


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a noun, as places in the hierarchy."""

    places: tuple[tuple[int, int], ...]  # (node, steps from the noun up to it); after 0 steps the noun names the node
    share: float  # share of the uses of the noun, 0 to 1


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The class hierarchy and the nouns of WordNet that can be seen in a photograph.

    Nodes 0 to 999 are the classes in the order of the encoders' output. The other nodes are their hypernyms.

    Attributes:
        ids: WordNet id of each node, as ImageNet writes it: `n02110341`.
        names: words of each node, the most usual first.
        parents: the nodes directly above each node.
        covers: bool[nodes, 1000], whether a class is the node or is below it.
        specific: float32[nodes], information content: 0 for `entity`, 1 for a node with nothing below it. It is
            1 - log(meanings at or below it) / log(all meanings). Source: Seco et al., An Intrinsic Information Content
            Metric for Semantic Similarity in WordNet, 2004.
    """

    ids: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    covers: npt.NDArray[np.bool_]
    specific: npt.NDArray[np.float32]
    nouns: dict[str, str]  # noun → its senses as in nouns.txt.gz; empty for a noun without a visible sense
    plurals: dict[str, str]  # irregular plural → singular

    def __contains__(self, term: str) -> bool:
        return self.singular(term) is not None

    def translation(self, words: Sequence[str], labels: Container[str] = ()) -> QueryTranslation:
        """Return the translation of a query into English.

        Args:
            words: all words of the query.
            labels: words and phrases in lower case that are not translated.
        """
        return QueryTranslation(words, open_translations(), self.is_english, labels)

    def is_english(self, term: str) -> bool:
        """Return whether a term is an English noun of the lexicon, singular or plural."""
        return self._english_singular(term) is not None

    def singular(self, term: str) -> str | None:
        """Return the lexicon's noun for a term in lower case, or None for an unknown term.

        It is the term itself, its singular, or the English translation of a foreign noun.
        """
        return self._recent_singulars(term)

    @cached_property
    def _recent_singulars(self) -> Callable[[str], str | None]:
        # A query looks up each of its words several times.
        return lru_cache(_RECENT)(self._find_any_singular)

    def _find_any_singular(self, term: str) -> str | None:
        english = self._english_singular(term)
        if english and not any(each.beats_english for each in open_translations().look_up(term, plurals=False)):
            return english
        return self._english_singular(self.translation([term]).phrase(term))

    @cached_property
    def _english_singular(self) -> Callable[[str], str | None]:
        return lru_cache(_RECENT)(self._find_singular)

    def _find_singular(self, term: str) -> str | None:
        term = " ".join(term.lower().replace("_", " ").split())
        forms = [form for form in self._forms(term) if form in self.nouns]
        # "men" is a noun of its own, but only "man" has a visible sense.
        return next((form for form in forms if self.nouns[form]), forms[0] if forms else None)

    def senses(self, term: str) -> tuple[Sense, ...]:
        """Return the visible senses of a noun, singular or plural, the most frequent first.

        The result is empty for an unknown term and for a noun without a visible sense (`music`).
        """
        noun = self.singular(term)
        return () if noun is None else tuple(_sense(text) for text in self.nouns[noun].split())

    def above(self, node: int) -> frozenset[int]:
        """Return a node and all its hypernyms."""
        return self._above[node]

    def classes_called(self, word: str) -> list[int]:
        """Return the classes with a name of several words that ends with `word`: `bighorn sheep` for `sheep`."""
        ending = f" {word.lower()}"
        return [
            node
            for node in self.part_of_names(word)
            if node < CLASSES and any(name.lower().endswith(ending) for name in self.names[node])
        ]

    def part_of_names(self, word: str) -> list[int]:
        """Return the nodes with a name of several words that has `word` among them: `kitchen utensil` for `kitchen`."""
        return self._by_part.get(word.lower(), [])

    def join_phrases(self, words: Sequence[str], also: Container[str] = ()) -> list[str]:
        """Join neighbouring words that are one noun, and leave out function words such as `a`, `of` and `photo`.

        `a grand piano on the sofa` becomes `grand piano` and `sofa`. The longest phrase from the left is joined first.
        If there are only function words, they are returned.

        Args:
            words: the words.
            also: further phrases to join, in lower case.
        """

        def is_one(phrase: str) -> bool:
            return phrase.lower() in also or bool(self.senses(phrase))

        terms = []
        start = 0
        while start < len(words):
            lengths = range(min(LONGEST_PHRASE, len(words) - start), 1, -1)
            length = next((n for n in lengths if is_one(" ".join(words[start : start + n]))), 1)
            terms.append(" ".join(words[start : start + length]))
            start += length
        return [term for term in terms if term.lower() not in FILLERS] or terms

    def visible_nouns(self) -> list[str]:
        """Return all nouns with a visible sense, in alphabetical order."""
        return [noun for noun, senses in self.nouns.items() if senses]

    def _forms(self, term: str) -> Iterator[str]:
        joined = self._joined.get(_without_gaps(term))
        spelt = [term, *other_spellings(term)]
        hyphenated = [form.replace("-", " ") for form in spelt]
        for form in (*spelt, *hyphenated, *map(_without_gaps, spelt), *([joined] if joined else [])):
            yield form
            start, _, last = form.rpartition(" ")
            if last in self.plurals:
                yield f"{start} {self.plurals[last]}".strip()
            yield from regular_singulars(form)

    @cached_property
    def _above(self) -> list[frozenset[int]]:
        found: dict[int, frozenset[int]] = {}

        def above(node: int) -> frozenset[int]:
            if node not in found:
                found[node] = frozenset([node]).union(*(above(parent) for parent in self.parents[node]))
            return found[node]

        return [above(node) for node in range(len(self.parents))]

    @cached_property
    def _joined(self) -> dict[str, str]:
        gap = re.compile("[ -]")
        return {_without_gaps(noun): noun for noun, senses in self.nouns.items() if senses and gap.search(noun)}

    @cached_property
    def _by_part(self) -> dict[str, list[int]]:
        parts = defaultdict(list)
        for node, names in enumerate(self.names):
            for part in {part for name in names for part in _parts(name) if len(_parts(name)) > 1}:
                parts[part].append(node)
        return dict(parts)


@cache
def open_lexicon() -> Lexicon:
    """Open the lexicon of findimg. The files are read on the first call."""
    rows = [line.split("\t") for line in (FOLDER / "nodes.txt").read_text("utf-8").splitlines()]
    parents = tuple(tuple(int(up) for up in row[1].split(",") if up) for row in rows)
    covers = np.zeros((len(rows), CLASSES), dtype=np.bool_)
    for start in range(CLASSES):
        queue = [start]
        for node in queue:
            covers[node, start] = True
            queue += [up for up in parents[node] if not covers[up, start]]
    kinds = np.array([int(row[2]) for row in rows])
    return Lexicon(
        ids=tuple(row[0] for row in rows),
        names=tuple(tuple(row[3].split(", ")) for row in rows),
        parents=parents,
        covers=covers,
        specific=np.asarray(1 - np.log(kinds) / np.log(kinds.max()), dtype=np.float32),
        nouns=_pairs(gzip.decompress((FOLDER / "nouns.txt.gz").read_bytes())),
        plurals=_pairs((FOLDER / "plurals.txt").read_bytes()),
    )


def _pairs(lines: bytes) -> dict[str, str]:
    # Split the whole text at once. A list for each line would take most of the time to open the lexicon.
    cells = lines.decode("utf-8").replace("\n", "\t").split("\t")
    return dict(zip(cells[:-1:2], cells[1::2], strict=True))


def _without_gaps(noun: str) -> str:
    return noun.replace(" ", "").replace("-", "")


def _parts(name: str) -> list[str]:
    return re.split("[ -]", name.lower())


def _sense(text: str) -> Sense:
    places, _, share = text.partition("*")
    pairs = (place.split("+") for place in places.split(","))
    return Sense(tuple((int(node), int(steps)) for node, steps in pairs), int(share) / 100)
