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


def build(wordnet: WordNet, classes: list[str]) -> dict[str, bytes]:
    """Return the data files, content by name."""
    covers = Counter(above for offset in classes for above in wordnet.above(offset))
    kinds = Counter(above for offset in wordnet.synsets for above in wordnet.above(offset))
    nodes = classes + sorted(covers.keys() - set(classes))
    number = {offset: i for i, offset in enumerate(nodes)}

    genera = {
        word
        for offset, synset in wordnet.synsets.items()
        for word in synset.words
        if word[0].isupper() and any("taxonomic_group" in wordnet.synsets[up].words for up in wordnet.above(offset))
    }

    usual = {wordnet.synsets[offset].words[0].lower(): offset for offset in classes}

    def same_kind(offset: str) -> str | None:
        """Return the class that has nearly the same meaning, None if there is none."""
        twin = usual.get(wordnet.synsets[offset].words[0].lower())
        if twin is None or offset in number:
            return None
        shared = wordnet.above(offset) & wordnet.above(twin)
        return twin if min((covers[up] for up in shared), default=SAME_KIND) < SAME_KIND else None

    def attached(offset: str) -> list[tuple[int, int]]:
        """Return the nearest nodes above a meaning as (node, steps up), without nodes that are too general."""
        if PHYSICAL not in wordnet.above(offset) and offset not in number:
            return []
        if twin := same_kind(offset):
            return [(number[twin], 0)]
        steps = {offset: 0}
        queue, found = [offset], {}
        for current in queue:
            if current in number:
                found[current] = steps[current]
                continue
            for parent in wordnet.synsets[current].parents:
                if parent not in steps:
                    steps[parent] = steps[current] + 1
                    queue.append(parent)
        lowest = [up for up in found if not any(up != other and up in wordnet.above(other) for other in found)]
        if offset not in number:
            lowest = [up for up in lowest if covers[up] <= TOO_GENERAL]
        return sorted((number[up], found[up]) for up in lowest)

    nouns: dict[str, str] = {}
    common: dict[str, int] = {}  # number of times that the noun occurs in WordNet's own texts, plus one
    for word, offsets in wordnet.senses.items():
        counts = [wordnet.counts.get((word, i), 0) for i in range(1, len(offsets) + 1)]
        senses = []
        for offset, count in zip(offsets, counts, strict=True):
            written = next((name for name in wordnet.synsets[offset].words if name.lower() == word), word)
            latin = "_" in written and written.split("_")[0] in genera
            places = [] if latin and offset not in number else attached(offset)
            if places:
                # Add one, because most meanings never occur in these texts.
                share = max(1, round(100 * (count + 1) / (sum(counts) + len(counts))))
                informal = INFORMAL.match(wordnet.synsets[offset].gloss)
                if informal or share >= MAINLY:
                    places = [
                        (up, 0 if steps == 1 and (informal or up < len(classes)) else steps) for up, steps in places
                    ]
                senses.append(",".join(f"{node}+{up}" for node, up in places) + f"*{share}")
        if senses or (sum(counts) and "_" not in word):
            noun = word.replace("_", " ")
            nouns[noun] = " ".join(senses)
            common[noun] = sum(counts) + 1

    def just_a_plural(noun: str) -> bool:
        """Return whether a rare noun (`clocks`, a plant) would hide the plural of a frequent one."""
        return any(
            single in nouns
            and "+0" not in nouns[noun]
            and ("+0" in nouns[single] or (nouns[single] and common[single] > PLURAL_IS_ITS_OWN * common[noun]))
            for single in regular_singulars(noun)
        )

    nouns = {noun: senses for noun, senses in nouns.items() if not just_a_plural(noun)}

    nodes_text = "".join(
        f"n{offset}\t{','.join(str(number[up]) for up in wordnet.synsets[offset].parents)}"
        f"\t{kinds[offset]}\t{', '.join(word.replace('_', ' ') for word in wordnet.synsets[offset].words)}\n"
        for offset in nodes
    )
    labels = [synset_words[0].replace("_", " ") for synset_words in (wordnet.synsets[offset].words for offset in nodes)]
    nouns |= _everyday_senses(labels)
    nouns_text = "".join(f"{word}\t{nouns[word]}\n" for word in sorted(nouns))
    plurals = {plural.replace("_", " "): single.replace("_", " ") for plural, single, *_ in wordnet.plurals}
    plurals_text = "".join(f"{p}\t{plurals[p]}\n" for p in sorted(plurals) if plurals[p] in nouns and not nouns.get(p))
    return {
        "nodes.txt": nodes_text.encode(),
        "nouns.txt.gz": gzip.compress(nouns_text.encode(), 9, mtime=0),
        "plurals.txt": plurals_text.encode(),
        "LICENSE.wordnet": ("\n".join(wordnet.licence) + "\n").encode(),
    }


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
