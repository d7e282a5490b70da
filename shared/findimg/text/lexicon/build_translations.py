"""Make `translations.txt.gz`: `python -m findimg.text.lexicon.build_translations WORDNET_DIR NOUNS_FILE`.

NOUNS_FILE is a gzip file of tab-separated lines: language (ISO 639-1), noun, WordNet 3.0 offsets separated by commas.
It comes from the Open Multilingual Wordnet, see `LICENSE.translations`. `corrections.txt` has the few entries that were
checked by hand, in the form language, noun, English noun.

About one mapping in eight is wrong or rare, so every noun gets only its most probable synset: the one that most
languages have a noun for and that is most frequent in English. It is translated by the first word of the synset that
mainly has this meaning. Nouns are left out if the translation is more than two steps from a node of the lexicon.

A word that is also an English noun is meant in English, unless it is rare there and much more frequent in the other
language: `kat` is Dutch for a cat rather than English for a shrub, but `robot` is English. Other English words, such as
`broken` and `massive`, are listed if they would be translated and are more frequent in English. The package wordfreq
knows the frequencies. The extra `lexicon` installs it.

Equal input gives equal bytes.
"""

import gzip
import importlib
import math
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.lexicon.build import FOLDER, WordNet
from findimg.text.lexicon.folding import UNSPACED, fold_accents, fold_case
from findimg.text.lexicon.translations import (
    ENGLISH_WORD,
    FILE,
    RARE_IN_ENGLISH,
    WIDESPREAD,
    Translation,
    Translations,
)

_MAX_STEPS = 2  # from the English noun to a node of the lexicon
_MAIN_SHARE = 0.2  # share of a word's uses that make a synset one of its main meanings
_LANGUAGES_PER_POINT = 15  # languages with a noun for a synset that count as much as e-fold English frequency
# An English noun is rare up to this frequency, and another language beats it from this difference on. Both are on the
# Zipf scale of wordfreq: the decimal logarithm of the occurrences in a billion words.
_RARE_ZIPF = 3.65
_MUCH_MORE = 0.95
_VERY_RARE_ZIPF = 3.35
_MORE = 0.45
_USUAL_ZIPF = 2.8  # least frequency of an English word that is no noun and is not translated
_LONG_WORD = 5  # letters of a word that people type without its accents
_HARDLY_MORE = 0.25  # difference up to which a word is English rather than of a widespread language
# English words that are no lemma of WordNet.
_FUNCTION_WORDS = """
a about after all also an and any are as at be because been before being between both but by can could did do does
during each few for from had has have he her here hers him his how i if in into is it its me mine more most my no nor
not of off on once only or other our ours out over own same she should so some such than that the their theirs them
then there these they this those through to too under until up us very was we were what when where which while who
whom why will with would you your yours
"""


class Frequencies:
    """The frequencies of words, from the package wordfreq."""

    def __init__(self) -> None:
        self._wordfreq = importlib.import_module("wordfreq")
        self._languages = frozenset(self._wordfreq.available_languages("small"))

    def zipf(self, word: str, language: str) -> float:
        """Return the frequency of a word on the Zipf scale, 0 for an unknown word or language."""
        return float(self._wordfreq.zipf_frequency(word, language)) if language in self._languages else 0.0

    def english(self) -> list[str]:
        """Return the English words, most frequent first."""
        return list(self._wordfreq.top_n_list("en", 100_000))


def build(
    wordnet: WordNet,
    english_words: frozenset[str],
    rows: list[tuple[str, str, list[str]]],
    frequencies: Frequencies,
) -> bytes:
    """Return the uncompressed data file, in the form that `Translations` reads.

    Args:
        wordnet: WordNet's nouns.
        english_words: English words besides nouns, in lower case.
        rows: language, noun and synsets.
        frequencies: of words in each language.
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
    corrections = _corrections()
    chosen |= corrections
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
            corrected = any((language, noun) in corrections for language in spoken)
            mark = RARE_IN_ENGLISH if corrected or _is_more_frequent(key, noun, spoken, frequencies.zipf) else ""
        word = "" if noun == key else noun
        lines.append((key.encode(), f"{key}\t{word}\t{number[english]}{mark}\t{' '.join(sorted(spoken))}\n".encode()))
    content = b"".join(line for _, line in sorted(lines))
    header = "\t".join(nouns).encode()
    untranslated = _english_words(Translations(b"\n".join((header, b"", content))), lexicon, frequencies)
    return b"\n".join((header, "\t".join(untranslated).encode(), content))


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


def _is_more_frequent(english: str, noun: str, languages: set[str], zipf: Callable[[str, str], float]) -> bool:
    """Return whether a word is rare in English and more frequent in another of its languages."""
    frequency = zipf(english, "en")
    more = max(zipf(noun, language) for language in languages) - frequency
    return (frequency <= _VERY_RARE_ZIPF and more >= _MORE) or (frequency <= _RARE_ZIPF and more >= _MUCH_MORE)


def _english_words(translations: Translations, lexicon: Lexicon, frequencies: Frequencies) -> list[str]:
    """Return the English words besides nouns that have a translation but are hardly less frequent in English."""
    found = []
    for word in frequencies.english():
        frequency = frequencies.zipf(word, "en")
        if frequency < _USUAL_ZIPF:
            break
        if word == fold_accents(fold_case(word)) and not lexicon.is_english(word):
            foreign = translations.look_up(word)
            if foreign and not any(_is_meant(word, each, frequency, frequencies) for each in foreign):
                found.append(word)
    return sorted(found)


def _is_meant(word: str, foreign: Translation, frequency: float, frequencies: Frequencies) -> bool:
    """Return whether people who type an English word rather mean a foreign one.

    Args:
        word: without accents.
        foreign: a translation of the word.
        frequency: of the word in English.
        frequencies: of words in each language.
    """
    if foreign.word != word and len(word) < _LONG_WORD:
        return False  # `com` is no Vietnamese word without its accents
    return any(
        frequencies.zipf(foreign.word, language) >= frequency + (_HARDLY_MORE if language in WIDESPREAD else _MUCH_MORE)
        for language in foreign.languages
    )


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
    folder, nouns_file = map(Path, sys.argv[1:])
    content = build(WordNet(folder), read_english_words(folder), _read_rows(nouns_file), Frequencies())
    (FOLDER / FILE).write_bytes(gzip.compress(content, 9, mtime=0))
    lines = content.count(b"\n") - 1
    print(f"{FILE}: {lines:,} translations, {(FOLDER / FILE).stat().st_size:,} bytes")
