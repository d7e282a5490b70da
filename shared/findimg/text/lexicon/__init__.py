"""What nouns mean: the 1,000 ImageNet classes, everything above them, and where other nouns hang beside them.

The data is made from WordNet 3.0 by `findimg.text.lexicon.build`; its licence is in `LICENSE.wordnet`.
"""

import gzip
import re
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from findimg.text.lexicon.plurals import regular_singulars
from findimg.text.lexicon.translations import LONGEST_PHRASE, QueryTranslation, open_translations

FOLDER = Path(__file__).parent
CLASSES = 1000
_FILLERS = """
a an and are as at be by for from have having he her his i image images in is it its me my near of on or our over photo
photograph photographs photos pic pics picture pictures she show some that the their them there these they this those
to under us was we were what where which who with your
"""
# Words of a sentence that name nothing. Without this list "a" would be a vitamin and "in" an inch.
FILLERS = frozenset(_FILLERS.split())


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a noun, by its place in the hierarchy."""

    places: tuple[tuple[int, int], ...]  # (node, steps up to it); 0 steps: the noun names that node
    share: float  # how common the meaning is among all meanings of the noun, 0 to 1


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The class hierarchy and the nouns of WordNet that can be seen in a photograph.

    Nodes 0 to 999 are the classes in the models' order, the others are what those classes are.

    Attributes:
        ids: WordNet id of each node, as ImageNet writes it: `n02110341`.
        names: words of each node, the usual first.
        parents: the nodes directly above each node.
        covers: bool[nodes, 1000], whether a class is the node or lies below it.
        specific: float32[nodes], how much a node says, from 0 (entity) to 1 (nothing lies below it):
            1 - log(meanings at or below it) / log(all meanings). Source: Seco et al., An Intrinsic Information Content
            Metric for Semantic Similarity in WordNet, 2004.
    """

    ids: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    covers: npt.NDArray[np.bool_]
    specific: npt.NDArray[np.float32]
    nouns: dict[str, str]  # noun → its senses, as nouns.txt.gz writes them; empty when none can be seen
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
        english = self.translation([term]).phrase(term)
        return self._english_singular(english)

    def _english_singular(self, term: str) -> str | None:
        term = " ".join(term.lower().replace("_", " ").split())
        forms = [form for form in self._forms(term) if form in self.nouns]
        # "men" is a noun by itself, but the one that can be seen is "man".
        return next((form for form in forms if self.nouns[form]), forms[0] if forms else None)

    def senses(self, term: str) -> tuple[Sense, ...]:
        """Returns the meanings of a noun, singular or plural, that can be seen; the commonest first.

        Empty when the term is no noun that WordNet knows, or names nothing that can be seen (`music`).
        """
        noun = self.singular(term)
        return () if noun is None else tuple(_sense(text) for text in self.nouns[noun].split())

    def above(self, node: int) -> frozenset[int]:
        """Returns a node and everything that it is."""
        return self._above[node]

    def part_of_names(self, word: str) -> list[int]:
        """Returns the nodes with `word` as one of several in a name: `kitchen` is part of `kitchen utensil`."""
        return self._by_part.get(word.lower(), [])

    def join_phrases(self, words: Sequence[str], also: Container[str] = ()) -> list[str]:
        """Makes a list of words into what was asked for.

        Neighbours that name one thing are joined, the longest phrase from the left first; words that name nothing
        (`a`, `of`, `photo`) are left out unless there is nothing else.
        `a grand piano on the sofa` → `grand piano`, `sofa`.

        Args:
            also: phrases in lower case that name one thing too.
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
        """Returns every noun that has a meaning to be seen, in alphabetical order."""
        return [noun for noun, senses in self.nouns.items() if senses]

    def _forms(self, term: str) -> Iterator[str]:
        joined = self._joined.get(term)
        for form in (
            term,
            term.replace("-", " "),
            term.replace("-", "").replace(" ", ""),
            *([joined] if joined else []),
        ):
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
        return {noun.replace(" ", ""): noun for noun, senses in self.nouns.items() if senses and " " in noun}

    @cached_property
    def _by_part(self) -> dict[str, list[int]]:
        parts = defaultdict(list)
        for node, names in enumerate(self.names):
            for part in {part for name in names for part in _parts(name) if len(_parts(name)) > 1}:
                parts[part].append(node)
        return dict(parts)


@cache
def open_lexicon() -> Lexicon:
    """Opens the lexicon that ships with findimg; the same one every time."""
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
    # One split of everything makes no list a line, which took most of the time to open.
    cells = lines.decode("utf-8").replace("\n", "\t").split("\t")
    return dict(zip(cells[:-1:2], cells[1::2], strict=True))


def _parts(name: str) -> list[str]:
    return re.split("[ -]", name.lower())


def _sense(text: str) -> Sense:
    places, _, share = text.partition("*")
    pairs = (place.split("+") for place in places.split(","))
    return Sense(tuple((int(node), int(steps)) for node, steps in pairs), int(share) / 100)
