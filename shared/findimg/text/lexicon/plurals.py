"""Regular English plurals, undone."""

from collections.abc import Iterator

# Ends of plurals and what the singular has instead (WordNet's morphy(7)).
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
    """Yields what `noun` may be the plural of, by the form of its last word alone; the likelier first."""
    last = noun.rpartition(" ")[2]
    for ending, single in ENDINGS:
        if last.endswith(ending) and not last.endswith("ss") and len(last) > len(ending) + 1:
            yield noun.removesuffix(ending) + single
