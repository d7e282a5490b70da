"""Make the lexicon's data from WordNet 3.0: `python -m findimg.text.lexicon.build WORDNET_DIR`.

The input is `data.noun`, `index.noun`, `noun.exc` and `cntlist.rev` of WordNet (formats: man pages wndb(5),
senseidx(5), morphy(7)), the 1,000 class ids in `classes.txt` and the names in `everyday_names.txt`. The output is
written beside this file:

- `nodes.txt`: the classes in their order, then their hypernyms. Columns: id, parents (node numbers), number of
  WordNet's meanings at or below the node, words.
- `nouns.txt.gz`: every noun with a visible sense, and other frequent nouns without senses.
- `plurals.txt`: irregular plurals of those nouns.
- `LICENSE.wordnet`: WordNet's licence, from the head of its own files.

Equal input gives equal bytes.
"""

import gzip
import re
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from findimg.text.lexicon.plurals import regular_singulars

FOLDER = Path(__file__).parent
PHYSICAL = "00001930"  # physical entity; only meanings below it are visible
# A meaning with the same first word as a class (cock: the male bird, or the chicken) counts as that class if a common
# hypernym covers fewer classes than this.
SAME_KIND = 100
# Nodes that cover more classes than this ("artifact", "object") are too general to attach a noun to.
TOO_GENERAL = 400
# A plural that is also a noun (shorts, chips) keeps its meanings unless its singular is this many times as frequent.
PLURAL_IS_ITS_OWN = 3
# A direct kind of a class (cathedral: church) names the class if it is at least this share of the noun's uses, in
# percent, because ImageNet's photographs of the class show all its kinds.
MAINLY = 60
# Glosses of informal names, which are kinds of what they name in WordNet: `informal terms for dogs`.
INFORMAL = re.compile(
    r"\(?(usually |British )?(informal|colloquial|slang)\)?( British)?( terms?| names?)?( referring to| for\b|$)"
    r"|\(usually informal\)"
)
EVERYDAY_NAMES = "everyday_names.txt"


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning of WordNet: its words, the meanings directly above it, and its definition."""

    words: tuple[str, ...]
    parents: tuple[str, ...]
    gloss: str


class WordNet:
    """The nouns of a WordNet folder."""

    def __init__(self, folder: Path):
        self.licence: list[str] = []
        self.synsets: dict[str, Synset] = {}
        for line in _lines(folder / "data.noun"):
            if line.startswith("  "):
                self.licence.append(re.sub(r"^ +\d+ ?", "", line).rstrip())
                continue
            data, _, gloss = line.partition(" | ")
            fields = data.split()
            end = 4 + 2 * int(fields[3], 16)
            pointers = fields[end + 1 :]
            parents = tuple(pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] == "@")
            self.synsets[fields[0]] = Synset(tuple(fields[4:end:2]), parents, gloss)
        self.senses: dict[str, list[str]] = {}
        for line in _lines(folder / "index.noun"):
            if not line.startswith("  "):
                fields = line.split()
                self.senses[fields[0]] = fields[-int(fields[2]) :]
        self.counts: dict[tuple[str, int], int] = {}
        for line in _lines(folder / "cntlist.rev"):
            key, number, count = line.split()
            word, _, lexical = key.partition("%")
            if lexical.startswith("1:"):
                self.counts[word, int(number)] = int(count)
        self.plurals = [line.split() for line in _lines(folder / "noun.exc")]
        self.above = cache(self._above)

    def _above(self, offset: str) -> frozenset[str]:
        return frozenset({offset}).union(*(self.above(parent) for parent in self.synsets[offset].parents))


class _Hierarchy:
    """The nodes of the lexicon: the classes, and every meaning above one of them."""

    def __init__(self, wordnet: WordNet, classes: list[str]):
        self.wordnet = wordnet
        self.classes = classes
        self._covers = Counter(above for offset in classes for above in wordnet.above(offset))  # classes below a node
        self.nodes = classes + sorted(self._covers.keys() - set(classes))
        self.number = {offset: i for i, offset in enumerate(self.nodes)}
        self._usual = {wordnet.synsets[offset].words[0].lower(): offset for offset in classes}

    def places(self, offset: str) -> list[tuple[int, int]]:
        """Return the nearest nodes above a meaning as (node, steps up), without nodes that are too general."""
        if PHYSICAL not in self.wordnet.above(offset) and offset not in self.number:
            return []
        if twin := self._same_kind(offset):
            return [(self.number[twin], 0)]
        found = self._nodes_above(offset)
        lowest = [up for up in found if not any(up != other and up in self.wordnet.above(other) for other in found)]
        if offset not in self.number:
            lowest = [up for up in lowest if self._covers[up] <= TOO_GENERAL]
        return sorted((self.number[up], found[up]) for up in lowest)

    def _same_kind(self, offset: str) -> str | None:
        """Return the class that has nearly the same meaning, None if there is none."""
        twin = self._usual.get(self.wordnet.synsets[offset].words[0].lower())
        if twin is None or offset in self.number:
            return None
        shared = self.wordnet.above(offset) & self.wordnet.above(twin)
        return twin if min((self._covers[up] for up in shared), default=SAME_KIND) < SAME_KIND else None

    def _nodes_above(self, offset: str) -> dict[str, int]:
        """Return the first nodes on each way up from a meaning, with the number of steps."""
        steps = {offset: 0}
        queue, found = [offset], {}
        for current in queue:
            if current in self.number:
                found[current] = steps[current]
                continue
            for parent in self.wordnet.synsets[current].parents:
                if parent not in steps:
                    steps[parent] = steps[current] + 1
                    queue.append(parent)
        return found


@dataclass(frozen=True, slots=True)
class _Noun:
    senses: str  # as nouns.txt.gz writes them
    common: int  # number of times that the noun occurs in WordNet's own texts, plus one


def build(wordnet: WordNet, classes: list[str]) -> dict[str, bytes]:
    """Return the data files, content by name."""
    hierarchy = _Hierarchy(wordnet, classes)
    found = _nouns(hierarchy)
    nouns = {noun: each.senses for noun, each in found.items() if not _is_just_a_plural(noun, found)}
    labels = [wordnet.synsets[offset].words[0].replace("_", " ") for offset in hierarchy.nodes]
    nouns |= _everyday_senses(labels)
    nouns_text = "".join(f"{word}\t{nouns[word]}\n" for word in sorted(nouns))
    return {
        "nodes.txt": _nodes_text(hierarchy).encode(),
        "nouns.txt.gz": gzip.compress(nouns_text.encode(), 9, mtime=0),
        "plurals.txt": _plurals_text(wordnet, nouns).encode(),
        "LICENSE.wordnet": ("\n".join(wordnet.licence) + "\n").encode(),
    }


def _nouns(hierarchy: _Hierarchy) -> dict[str, _Noun]:
    """Return the nouns that have a place in the hierarchy, and single words that occur in WordNet's own texts."""
    wordnet, genera = hierarchy.wordnet, _genera(hierarchy.wordnet)
    nouns = {}
    for word, offsets in wordnet.senses.items():
        counts = [wordnet.counts.get((word, i), 0) for i in range(1, len(offsets) + 1)]
        senses = []
        for offset, count in zip(offsets, counts, strict=True):
            written = next((name for name in wordnet.synsets[offset].words if name.lower() == word), word)
            if "_" in written and written.split("_")[0] in genera and offset not in hierarchy.number:
                continue  # the Latin name of a species
            # Add one, because most meanings never occur in these texts.
            share = max(1, round(100 * (count + 1) / (sum(counts) + len(counts))))
            if sense := _sense(hierarchy, offset, share):
                senses.append(sense)
        if senses or (sum(counts) and "_" not in word):
            nouns[word.replace("_", " ")] = _Noun(" ".join(senses), sum(counts) + 1)
    return nouns


def _genera(wordnet: WordNet) -> set[str]:
    """Return the Latin names of groups of species."""
    return {
        word
        for offset, synset in wordnet.synsets.items()
        for word in synset.words
        if word[0].isupper() and any("taxonomic_group" in wordnet.synsets[up].words for up in wordnet.above(offset))
    }


def _sense(hierarchy: _Hierarchy, offset: str, share: int) -> str:
    """Return a meaning of a noun as nouns.txt.gz writes it, empty if it has no place in the hierarchy.

    Args:
        hierarchy: the nodes.
        offset: the meaning.
        share: how much of the noun's uses have this meaning, 1 to 100.
    """
    places = hierarchy.places(offset)
    if not places:
        return ""
    informal = INFORMAL.match(hierarchy.wordnet.synsets[offset].gloss)
    if informal or share >= MAINLY:
        classes = len(hierarchy.classes)
        places = [(up, 0 if steps == 1 and (informal or up < classes) else steps) for up, steps in places]
    return ",".join(f"{node}+{up}" for node, up in places) + f"*{share}"


def _is_just_a_plural(noun: str, nouns: dict[str, _Noun]) -> bool:
    """Return whether a rare noun (`clocks`, a plant) would hide the plural of a frequent one."""
    own = nouns[noun]
    if "+0" in own.senses:
        return False
    singles = [nouns[single] for single in regular_singulars(noun) if single in nouns]
    return any(
        "+0" in single.senses or (single.senses and single.common > PLURAL_IS_ITS_OWN * own.common)
        for single in singles
    )


def _nodes_text(hierarchy: _Hierarchy) -> str:
    wordnet = hierarchy.wordnet
    kinds = Counter(above for offset in wordnet.synsets for above in wordnet.above(offset))
    return "".join(
        f"n{offset}\t{','.join(str(hierarchy.number[up]) for up in wordnet.synsets[offset].parents)}"
        f"\t{kinds[offset]}\t{', '.join(word.replace('_', ' ') for word in wordnet.synsets[offset].words)}\n"
        for offset in hierarchy.nodes
    )


def _plurals_text(wordnet: WordNet, nouns: dict[str, str]) -> str:
    plurals = {plural.replace("_", " "): single.replace("_", " ") for plural, single, *_ in wordnet.plurals}
    return "".join(f"{p}\t{plurals[p]}\n" for p in sorted(plurals) if plurals[p] in nouns and not nouns.get(p))


def _everyday_senses(labels: list[str]) -> dict[str, str]:
    """Return the senses of the everyday names, as nouns.txt.gz writes them.

    Args:
        labels: the usual word of each node. Where two nodes have the same, the first is meant.
    """
    senses: dict[str, str] = {}
    for line in (FOLDER / EVERYDAY_NAMES).read_text("utf-8").splitlines():
        if not line.startswith("#"):
            nodes, _, names = line.partition("\t")
            steps = int(nodes.startswith("~"))
            places = ",".join(f"{labels.index(label)}+{steps}" for label in nodes.removeprefix("~").split("|"))
            senses |= dict.fromkeys(names.split(", "), f"{places}*100")
    return senses


def class_ids() -> list[str]:
    """Return the 1,000 ImageNet classes in the order of the encoders' output, as WordNet offsets."""
    return [line.removeprefix("n") for line in (FOLDER / "classes.txt").read_text().split()]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="latin-1").splitlines()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m findimg.text.lexicon.build WORDNET_DIR")
    for name, content in build(WordNet(Path(sys.argv[1])), class_ids()).items():
        (FOLDER / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
