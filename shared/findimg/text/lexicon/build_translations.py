"""Make `translations.txt.gz`: `python -m findimg.text.lexicon.build_translations WORDNET_DIR NOUNS_FILE`.

NOUNS_FILE is a gzip file of tab-separated lines: language (ISO 639-1), noun, WordNet 3.0 offsets separated by commas.
It comes from the Open Multilingual Wordnet, see `LICENSE.translations`. `corrections.txt` has the few entries that were
checked by hand, in the form language, noun, English noun.

About one mapping in eight is wrong or rare, so every noun gets only its most probable synset: the one that most
languages have a noun for and that is most frequent in English. It is translated by the first word of the synset that
mainly has this meaning. Nouns are left out if the translation is more than two steps from a node of the lexicon.

Equal input gives equal bytes.
"""

import gzip
import math
import re
import sys
from collections import defaultdict
from pathlib import Path

from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.lexicon.build import FOLDER, WordNet
from findimg.text.lexicon.folding import UNSPACED, fold_accents, fold_case
from findimg.text.lexicon.translations import ENGLISH_WORD, FILE, RARE_IN_ENGLISH

_MAX_STEPS = 2  # from the English noun to a node of the lexicon
_MAIN_SHARE = 0.2  # share of a word's uses that make a synset one of its main meanings
_LANGUAGES_PER_POINT = 15  # languages with a noun for a synset that count as much as e-fold English frequency
# English words that are no lemma of WordNet.
_FUNCTION_WORDS = """
a about after all also an and any are as at be because been before being between both but by can could did do does
during each few for from had has have he her here hers him his how i if in into is it its me mine more most my no nor
not of off on once only or other our ours out over own same she should so some such than that the their theirs them
then there these they this those through to too under until up us very was we were what when where which while who
whom why will with would you your yours
"""


def build(wordnet: WordNet, english_words: frozenset[str], rows: list[tuple[str, str, list[str]]]) -> bytes:
    """Return the uncompressed data file, in the form that `Translations` reads.

    Args:
        wordnet: WordNet's nouns.
        english_words: English words besides nouns, in lower case.
        rows: language, noun and synsets.
    """
    lexicon = open_lexicon()
    languages: dict[str, set[str]] = defaultdict(set)
    for language, _, synsets in rows:
        for synset in synsets:
            languages[synset].add(language)
    frequency = _frequencies(wordnet)
    nodes = {node.removeprefix("n") for node in lexicon.ids}

    def probability(synset: str) -> tuple[float, str]:
        count = math.log1p(frequency.get(synset, 0))
        return len(languages[synset]) / _LANGUAGES_PER_POINT + count + (synset in nodes), synset

    synsets_of: dict[tuple[str, str], set[str]] = defaultdict(set)
    for language, noun, synsets in rows:
        if _is_usable(fold_case(noun)):
            synsets_of[language, fold_case(noun)].update(synsets)
    english_of = {synset: _english_noun(synset, wordnet, lexicon) for synset in languages}
    chosen = {key: english_of[max(synsets, key=probability)] for key, synsets in synsets_of.items()}
    chosen |= _corrections()
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (language, noun), english in chosen.items():
        if english and _is_near(english, lexicon) and noun != english:
            found[noun, english].add(language)
    nouns = sorted({english for _, english in found})
    number = {english: i for i, english in enumerate(nouns)}
    lines = []
    for (noun, english), spoken in found.items():
        key = fold_accents(noun)
        mark = ENGLISH_WORD if key in english_words else ""
        if not mark and "+0" in lexicon.nouns[english] and _is_rare(key, wordnet, lexicon):
            mark = RARE_IN_ENGLISH
        word = "" if noun == key else noun
        lines.append((key.encode(), f"{key}\t{word}\t{number[english]}{mark}\t{' '.join(sorted(spoken))}\n".encode()))
    return "\t".join(nouns).encode() + b"\n" + b"".join(line for _, line in sorted(lines))


def read_english_words(folder: Path) -> frozenset[str]:
    """Return WordNet's verbs, adjectives and adverbs with their regular and irregular forms, and function words."""
    words: set[str] = set(_FUNCTION_WORDS.split())
    for kind in ("verb", "adj", "adv"):
        for line in (folder / f"index.{kind}").read_text("latin-1").splitlines():
            if line.startswith("  "):
                continue
            word = line.split(" ")[0].replace("_", " ")
            words.add(word)
            if kind == "verb":
                stem = word.removesuffix("e")
                words |= {f"{stem}ing", f"{stem}ed", f"{word}s"}
        for line in (folder / f"{kind}.exc").read_text("latin-1").splitlines():
            words.add(line.split(" ")[0].replace("_", " "))
    return frozenset(words)


def _frequencies(wordnet: WordNet) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for word, offsets in wordnet.senses.items():
        for i, offset in enumerate(offsets, 1):
            counts[offset] += wordnet.counts.get((word, i), 0)
    return counts


def _english_noun(synset: str, wordnet: WordNet, lexicon: Lexicon) -> str | None:
    """Return the lexicon's noun for a synset: the first that mainly means it, else the one that most often does."""
    shares = []
    for word in wordnet.synsets[synset].words:
        lemma = word.lower()
        noun = lemma.replace("_", " ")
        offsets = wordnet.senses.get(lemma, [])
        if lexicon.nouns.get(noun) and synset in offsets:
            counts = [wordnet.counts.get((lemma, i), 0) + 1 for i in range(1, len(offsets) + 1)]
            shares.append((counts[offsets.index(synset)] / sum(counts), noun))
    main = [noun for share, noun in shares if share >= _MAIN_SHARE]
    return main[0] if main else max(shares)[1] if shares else None


def _is_near(noun: str, lexicon: Lexicon) -> bool:
    steps = [int(each) for each in re.findall(r"\+(\d+)", lexicon.nouns[noun])]
    return bool(steps) and min(steps) <= _MAX_STEPS


def _is_rare(noun: str, wordnet: WordNet, lexicon: Lexicon) -> bool:
    """Return whether an English noun never occurs in WordNet's texts and names no node of the lexicon."""
    lemma = noun.replace(" ", "_")
    counted = any((lemma, i) in wordnet.counts for i in range(1, len(wordnet.senses.get(lemma, [])) + 1))
    return noun in lexicon.nouns and not counted and "+0" not in lexicon.nouns[noun]


def _is_usable(noun: str) -> bool:
    # A single kana is a particle in most texts. Affixes are written with a hyphen.
    is_kana = len(noun) == 1 and "\u3040" <= noun <= "\u30ff"
    is_short = len(noun) < 2 and not UNSPACED.fullmatch(noun)
    return not (is_kana or is_short or noun.startswith("-") or noun.endswith("-") or "\t" in noun)


def _corrections() -> dict[tuple[str, str], str | None]:
    lines = (FOLDER / "corrections.txt").read_text("utf-8").splitlines()
    fields = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {(language, fold_case(noun)): english or None for language, noun, english in fields}


def _read_rows(path: Path) -> list[tuple[str, str, list[str]]]:
    rows = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            language, noun, synsets = line.rstrip("\n").split("\t")
            rows.append((language, noun, synsets.split(",")))
    return rows


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("Usage: python -m findimg.text.lexicon.build_translations WORDNET_DIR NOUNS_FILE")
    content = build(WordNet(Path(sys.argv[1])), read_english_words(Path(sys.argv[1])), _read_rows(Path(sys.argv[2])))
    (FOLDER / FILE).write_bytes(gzip.compress(content, 9, mtime=0))
    lines = content.count(b"\n") - 1
    print(f"{FILE}: {lines:,} translations, {(FOLDER / FILE).stat().st_size:,} bytes")
