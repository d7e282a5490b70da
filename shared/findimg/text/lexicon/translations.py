"""Nouns of other languages and their English translations.

The data is made by `findimg.text.lexicon.build_translations`. Its sources and licences are in `LICENSE.translations`.
"""

import gzip
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from findimg.text.lexicon.folding import UNSPACED, fold_accents, fold_case
from findimg.text.lines import Lines

FILE = "translations.txt.gz"
LONGEST_PHRASE = 4  # words
_LONGEST_UNSPACED = 12  # characters of a word in a script without spaces
_LONGEST_SEARCHED = 64  # characters of a text without spaces whose parts are looked for in written text
# Endings of plurals and their singular, by language.
_PLURALS = {
    "de": (("en", ""), ("n", ""), ("e", ""), ("er", ""), ("s", "")),
    "nl": (("en", ""), ("s", "")),
    "es": (("ces", "z"), ("es", ""), ("s", "")),
    "pt": (("ões", "ão"), ("ns", "m"), ("es", ""), ("s", "")),
    "fr": (("aux", "al"), ("s", ""), ("x", "")),
    "it": (("he", "a"), ("hi", "o"), ("i", "o"), ("i", "e"), ("e", "a")),
}
_SHORTEST_STEM = 3
WIDESPREAD = frozenset(["de", "es", "fr", "it", "ja", "nl", "pl", "pt", "ru", "zh"])
_WIDESPREAD_WEIGHT = 3
ENGLISH_WORD, RARE_IN_ENGLISH = "!", "*"  # marks in the data
# Function words, by language.
_FUNCTION_WORDS = {
    language: frozenset(words.split())
    for language, words in {
        "de": "auf aus bei das dem den der des die ein eine einem einen einer im in mit und vom von vor zum zur über",
        "fr": "au aux avec d' dans de des du en et l' la le les ou par pour sous sur un une",
        "es": "a al con de del el en la las los o para por sobre un una y",
        "it": "a al alla con da dal del della di e ed i il in la le lo nel nella o per su sul sulla un una uno",
        "pt": "a ao as com da das de do dos e em na nas no nos o os ou para por sobre um uma",
        "nl": "aan bij de een en het in met naar of om onder op te uit van voor",
        "pl": "a do i lub na o od po pod przed przy w z za ze",
        "ru": "а в во для до за и из к на над о от по под при с со у",
    }.items()
}
_CACHED = 8192  # folded words whose translations are kept


@dataclass(frozen=True, slots=True)
class Translation:
    """One foreign word with its English translation."""

    word: str  # as `fold_case` returns it
    english: str  # a noun of the lexicon
    languages: frozenset[str]  # ISO 639-1 codes of the languages that give the word this meaning
    is_english_word: bool  # the word is also an English verb, adjective or function word
    beats_english: bool  # the word is also an English noun, but a very rare one

    @property
    def weight(self) -> int:
        """Return how many people may mean this: widespread languages count more."""
        return sum(_WIDESPREAD_WEIGHT if language in WIDESPREAD else 1 for language in self.languages)


class Translations:
    """Looks up words in one sorted block of text, because a dictionary would take tens of megabytes."""

    def __init__(self, data: bytes):
        """Index the lines of a data file, decompressed.

        Args:
            data: the English nouns separated by tabs on the first line, on the second line the English words besides
                nouns that are not translated, then one line for each translation. Its fields, separated by tabs, are
                the folded word, the word if it differs, the number of the English noun, and the languages. A mark may
                follow the number. The lines are sorted by the folded word.
        """
        first, second, rest = data.split(b"\n", 2)
        self._english = first.decode().split("\t")
        self._english_words = frozenset(second.decode().split("\t"))
        self._lines = Lines(rest)
        self._with_key = lru_cache(_CACHED)(self._find_key)

    def __len__(self) -> int:
        """Return the number of translations."""
        return len(self._lines)

    def is_english(self, word: str) -> bool:
        """Return whether a word is English rather than foreign, though no noun: `broken`."""
        return word.lower() in self._english_words

    def look_up(self, word: str, plurals: bool = True) -> list[Translation]:
        """Return the translations of a word, the most probable first.

        A word with accents finds the same word without accents only if there is none with the accents, and the reverse.

        Args:
            word: a word or phrase.
            plurals: whether an unknown word is also looked up as a plural with a regular ending.
        """
        word = fold_case(word)
        found = self._exact(word)
        if plurals and not found:
            for language, endings in _PLURALS.items():
                for ending, singular in endings:
                    if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
                        stem = self._exact(word.removesuffix(ending) + singular)
                        found += [each for each in stem if language in each.languages and each not in found]
        return sorted(found, key=lambda each: -each.weight)

    def split(self, text: str, is_written: Callable[[str], bool] = lambda _: False) -> list[str]:
        """Split a text at the known words of scripts without spaces.

        Of all ways to split, the one with the fewest characters between known words counts, then the one with the
        fewest words: `日本人形` is `日本` and `人形`. Between them, parts of at least two characters that are written
        somewhere are words too. The rest, such as particles, is left out: `犬と猫` becomes `犬` and `猫`. A text
        without a known word, and a text in other scripts, is returned whole.

        Args:
            text: one or several words.
            is_written: returns whether a text is written in any image or around it.
        """
        if text.isascii():
            return text.split() or [text]
        parts: list[str] = []
        start = 0
        for run in UNSPACED.finditer(text):
            parts += text[start : run.start()].split()
            parts += self._split_run(run[0], is_written)
            start = run.end()
        parts += text[start:].split()
        return parts or [text]

    def _split_run(self, run: str, is_written: Callable[[str], bool]) -> list[str]:
        known = self._known_words(run)
        parts: list[str] = []
        start = 0
        while start < len(run):
            word = known.get(start, "")
            if len(word) <= 1 and len(run) <= _LONGEST_SEARCHED:
                # Single characters have a meaning in the dictionary, although they may be a part of a longer word.
                end = next((place for place in known if place > start and len(known[place]) > 1), len(run))
                parts_here = (run[start:stop] for stop in range(min(end, start + _LONGEST_UNSPACED), start + 1, -1))
                written = next(filter(is_written, parts_here), "")
                if any(place not in known for place in range(start, start + len(written))):
                    word = written
            if word:
                parts.append(word)
            start += len(word) or 1
        return parts

    def _known_words(self, run: str) -> dict[int, str]:
        """Return the known words of a text without spaces by their places, in ascending order."""
        # For each place, the best split of the text from there on: characters left out, number of words, first word.
        best: list[tuple[int, int, str]] = [(0, 0, "")]
        for start in range(len(run) - 1, -1, -1):
            left_out, words, _ = best[0]
            split = (left_out + 1, words, "")
            for length in range(min(_LONGEST_UNSPACED, len(run) - start), 0, -1):
                left_out, words, _ = best[length - 1]
                word = run[start : start + length]
                if (left_out, words + 1) < split[:2] and self._exact(fold_case(word)):
                    split = (left_out, words + 1, word)
            best.insert(0, split)
        found = {}
        start = 0
        while start < len(run):
            word = best[start][2]
            if word:
                found[start] = word
            start += len(word) or 1
        return found

    def _exact(self, word: str) -> list[Translation]:
        key = fold_accents(word)
        found = self._with_key(key, with_accents=word != key)
        return [each for each in found if each.word == word] or found

    def _find_key(self, key: str, with_accents: bool) -> list[Translation]:
        wanted = key.encode(errors="replace")
        place = bisect_left(self._lines, wanted, key=lambda line: line.partition(b"\t")[0])
        found = []
        while place < len(self._lines):
            folded, word, number, languages = self._lines[place].decode().split("\t")
            if folded != key:
                break
            mark = number[-1] if number[-1] in (ENGLISH_WORD, RARE_IN_ENGLISH) else ""
            found.append(
                Translation(
                    word=word or folded,
                    english=self._english[int(number.removesuffix(mark))],
                    languages=frozenset(languages.split(" ")),
                    is_english_word=mark == ENGLISH_WORD and not with_accents,
                    beats_english=mark == RARE_IN_ENGLISH,
                )
            )
            place += 1
        return found


@cache
def open_translations() -> Translations:
    """Open the translations that are part of findimg. The file is read on the first call."""
    return Translations(gzip.decompress((Path(__file__).parent / FILE).read_bytes()))


class QueryTranslation:
    """Replaces the foreign words of one query by English nouns.

    A word that is English stays, unless another word of the query is known only in one of its other languages: in
    `chien chat`, `chat` is a cat.
    """

    def __init__(
        self,
        words: Sequence[str],
        translations: Translations,
        is_english: Callable[[str], bool],
        labels: Container[str] = (),
    ):
        """Find the languages of the query.

        Args:
            words: all words of the query.
            translations: the foreign words.
            is_english: whether the lexicon knows an English noun or phrase.
            labels: words and phrases in lower case that are not translated.
        """
        self._translations = translations
        self._is_english = is_english
        self._labels = labels
        self._look_up = cache(self._find)
        votes: Counter[str] = Counter()
        for word in words:
            english, found = self._look_up(word)
            if english:
                found = [each for each in found if each.beats_english]
            if not any(each.is_english_word for each in found):
                votes.update({language for each in found for language in each.languages})
        most = max(votes.values(), default=0)
        # The languages that know most of the words that are not English.
        self._languages = frozenset(language for language, count in votes.items() if count == most)

    def phrase(self, text: str) -> str:
        """Return the English noun for a word or phrase, or the text itself."""
        return self._translate(text) or text

    def words(self, words: Sequence[str]) -> list[str]:
        """Return words with foreign words and phrases replaced by English nouns. See `pairs`."""
        return [english or typed for english, typed in self.pairs(words)]

    def pairs(self, words: Sequence[str]) -> list[tuple[str | None, str]]:
        """Return words and phrases, each as its English noun and as typed. The noun is None for one that stays.

        Function words of the query's languages, such as `und`, are left out.
        """
        translated: list[tuple[str | None, str]] = []
        longest = LONGEST_PHRASE if self._languages else 1
        start = 0
        while start < len(words):
            length, english = self._translate_start(words[start : start + longest])
            if english:
                translated.append((english, " ".join(words[start : start + length])))
            elif not self._is_function_word(words[start]):
                translated += [(None, word) for word in words[start : start + length]]
            start += length
        return translated

    def _translate_start(self, words: Sequence[str]) -> tuple[int, str | None]:
        """Return how many of the first words are one noun, and its translation. None means: keep them as they are."""
        for length in range(len(words), 1, -1):
            text = " ".join(words[:length])
            if self._is_english(text) or text.lower() in self._labels:
                return length, None
            if english := self._translate(text):
                return length, english
        return 1, self._translate(words[0])

    def _translate(self, text: str) -> str | None:
        if text.lower() in self._labels:
            return None
        is_english, found = self._look_up(text)
        if native := [each for each in found if each.languages & self._languages]:
            return native[0].english
        if not found or any(each.is_english_word for each in found):
            return None
        return found[0].english if found[0].beats_english or not is_english else None

    def _find(self, text: str) -> tuple[bool, list[Translation]]:
        """Return whether a text is an English noun, and its translations."""
        is_english = self._is_english(text) or self._translations.is_english(text)
        return is_english, self._translations.look_up(text, plurals=not is_english)

    def _is_function_word(self, word: str) -> bool:
        return any(fold_case(word) in _FUNCTION_WORDS.get(language, ()) for language in self._languages)
