"""Taught names: what may be one, and which words of a query mean one."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from findimg.errors import QueryError
from findimg.text.lexicon import FILLERS, Lexicon, open_lexicon
from findimg.text.lexicon.folding import fold_accents, fold_case
from findimg.text.lexicon.plurals import regular_singulars
from findimg.text.typed.normalise import plain_characters

LONGEST_NAME = 60  # characters
MOST_WORDS = 6
_POSSESSIVE = re.compile(r"(?<=\w)'s(?!\w)", re.IGNORECASE)


def clean_name(text: str) -> str:
    """Return a name as people see it: in plain characters, on one line, with single spaces.

    Raises:
        QueryError: the text cannot be a name. The message says why.
    """
    name = " ".join(plain_characters(text).split()).strip("\"' ")
    key = name_key(name)
    if not key:
        raise QueryError(f"{text[:60]!r} has no letters, so it cannot be a name. Use a word, such as `lotus`.")
    if len(name) > LONGEST_NAME or len(key.split()) > MOST_WORDS:
        raise QueryError(
            f"The name has {len(name)} characters and {len(key.split())} words. Shorten it to {LONGEST_NAME} "
            f"characters and {MOST_WORDS} words."
        )
    if all(word in FILLERS for word in key.split()):
        raise QueryError(f"{name!r} is too common in searches to be a name. Add a word that says more.")
    return name


@lru_cache(maxsize=4096)
def name_key(text: str) -> str:
    """Return the form in which names and queries are compared: words without case, accents and punctuation."""
    plain = _POSSESSIVE.sub("", plain_characters(text))
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in plain)
    return fold_accents(fold_case(words))


@lru_cache(maxsize=4096)
def _forms(key: str, lexicon: Lexicon) -> tuple[str, ...]:
    """Return what a key may be the plural of, the likeliest first, and the key itself."""
    if lexicon.is_english(key) and (singular := lexicon.singular(key)):
        return key, singular
    start, _, last = key.rpartition(" ")
    irregular = [f"{start} {lexicon.plurals[last]}".strip()] if last in lexicon.plurals else []
    return key, *irregular, *regular_singulars(key)


class NameLookup(Mapping[str, str]):
    """The keys of taught names, looked up by any text that means one: in other case, in the plural, with accents."""

    def __init__(self, keys: Iterable[str], lexicon: Lexicon | None = None):
        """Index the names.

        Args:
            keys: `name_key` of each name. The first of two names with one singular wins.
            lexicon: knows plurals. The default is findimg's own.
        """
        self._lexicon = lexicon or open_lexicon()
        self._exact = {key: key for key in keys}
        self._by_form: dict[str, str] = {}
        for key in self._exact:
            for form in _forms(key, self._lexicon):
                self._by_form.setdefault(form, key)
        self.most_words = max((len(key.split()) for key in self._exact), default=0)

    def find(self, text: str) -> str | None:
        """Return the key of the name that a text means, None if it means none."""
        if not self._exact:
            return None
        key = name_key(text)
        if key in self._exact:
            return key
        return next((self._by_form[form] for form in _forms(key, self._lexicon) if form in self._by_form), None)

    def __getitem__(self, text: str) -> str:
        key = self.find(text)
        if key is None:
            raise KeyError(text)
        return key

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self.find(text) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._exact)

    def __len__(self) -> int:
        return len(self._exact)
