"""Singulars and plurals of regular English nouns."""

from collections.abc import Iterator

# Endings of plurals and of their singulars (WordNet's morphy(7)).
ENDINGS = [
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
    ("s", ""),
]


def regular_singulars(noun: str) -> Iterator[str]:
    """Yield possible singulars of a noun by the ending of its last word, the more probable first."""
    last = noun.rpartition(" ")[2]
    for ending, single in ENDINGS:
        if last.endswith(ending) and not last.endswith("ss") and len(last) > len(ending) + 1:
            yield noun.removesuffix(ending) + single


def regular_plural(noun: str) -> str:
    """Return the regular plural of a noun."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}s"
