"""What nouns mean: the 1,000 ImageNet classes, everything above them, and where other nouns hang beside them.

The data is made from WordNet 3.0 by `shared.lexicon.build`; its licence is in `LICENSE.wordnet`.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shared.lexicon.plurals import regular_singulars

FOLDER = Path(__file__).parent
CLASSES = 1000
LONGEST_PHRASE = 4  # words


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a noun, by its place in the hierarchy."""

    nodes: tuple[tuple[int, int], ...]  # (node, steps up to it); 0 steps: the noun names that node
    share: float  # how common the meaning is among all meanings of the noun, 0 to 1


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The class hierarchy and the nouns of WordNet that can be seen in a photograph.

    Nodes 0 to 999 are the classes in the models' order, the others are what those classes are.

    Attributes:
        ids: ImageNet id of each node, `n02110341`.
        names: words of each node, the usual first.
        parents: the nodes directly above each node.
        covers: bool[nodes, 1000], whether a class is the node or lies below it.
    """

    ids: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]
    parents: tuple[tuple[int, ...], ...]
    covers: npt.NDArray[np.bool_]
    _nouns: dict[str, str]
    _plurals: dict[str, str]

    def label(self, node: int) -> str:
        """Returns the usual word of a node: `Siamese cat` for class 284."""
        return self.names[node][0]

    def __contains__(self, term: str) -> bool:
        return self.singular(term) is not None

    def singular(self, term: str) -> str | None:
        """Returns the noun that `term` is, in lower case: itself, or what it is the plural of; None if unknown."""
        term = " ".join(term.lower().replace("_", " ").split())
        forms = [form for form in self._forms(term) if form in self._nouns]
        # "men" is a noun by itself, but the one that can be seen is "man".
        return next((form for form in forms if self._nouns[form]), forms[0] if forms else None)

    def senses(self, term: str) -> tuple[Sense, ...]:
        """Returns the meanings of a noun, singular or plural, that can be seen; the commonest first.

        Empty when the term is no noun that WordNet knows, or names nothing that can be seen (`music`).
        """
        noun = self.singular(term)
        return () if noun is None else tuple(_sense(text) for text in self._nouns[noun].split())

    def join_phrases(self, words: list[str]) -> list[str]:
        """Joins neighbouring words that name one thing: `grand piano sofa` → `grand piano`, `sofa`.

        The longest phrase from the left wins; words that form none stay as they are.
        """
        terms = []
        start = 0
        while start < len(words):
            length = next(
                (
                    n
                    for n in range(min(LONGEST_PHRASE, len(words) - start), 1, -1)
                    if self.senses(" ".join(words[start : start + n]))
                ),
                1,
            )
            terms.append(" ".join(words[start : start + length]))
            start += length
        return terms

    def visible_nouns(self) -> list[str]:
        """Returns every noun that has a meaning to be seen, in alphabetical order."""
        return [noun for noun, senses in self._nouns.items() if senses]

    def _forms(self, term: str) -> Iterator[str]:
        for form in (term, term.replace("-", " "), term.replace("-", "")):
            yield form
            if form in self._plurals:
                yield self._plurals[form]
            start, _, last = form.rpartition(" ")
            if last in self._plurals:
                yield f"{start} {self._plurals[last]}".strip()
            yield from regular_singulars(form)


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
    text = gzip.decompress((FOLDER / "nouns.txt.gz").read_bytes()).decode("utf-8")
    return Lexicon(
        ids=tuple(row[0] for row in rows),
        names=tuple(tuple(row[2].split(", ")) for row in rows),
        parents=parents,
        covers=covers,
        _nouns=dict(line.split("\t") for line in text.splitlines()),
        _plurals=dict(line.split("\t") for line in (FOLDER / "plurals.txt").read_text("utf-8").splitlines()),
    )


def _sense(text: str) -> Sense:
    places, _, share = text.partition("*")
    nodes = (place.split("+") for place in places.split(","))
    return Sense(tuple((int(node), int(steps)) for node, steps in nodes), int(share) / 100)
