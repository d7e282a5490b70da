"""British and American spellings of nouns."""

import re
from collections.abc import Iterator

# Parts of words in British and in American spelling. Each is long enough to be in no other word.
_PAIRS = [
    *((f"{stem}our", f"{stem}or") for stem in ("col", "harb", "arm", "neighb", "vap", "parl", "flav", "sav", "glam")),
    *((f"{stem}re", f"{stem}er") for stem in ("cent", "theat", "fib", "met", "lit", "lust", "calib", "sab", "meag")),
    *((f"{stem}ogue", f"{stem}og") for stem in ("catal", "anal", "dial")),
    ("grey", "gray"),
    ("plough", "plow"),
    ("mould", "mold"),
    ("aeroplane", "airplane"),
    ("jewellery", "jewelry"),
    ("aluminium", "aluminum"),
    ("doughnut", "donut"),
    ("yoghurt", "yogurt"),
    ("kerb", "curb"),
    ("chequer", "checker"),
    ("tyre", "tire"),
    ("storey", "story"),
    ("moustache", "mustache"),
    ("whisky", "whiskey"),
    ("pyjama", "pajama"),
    ("woollen", "woolen"),
    ("panelled", "paneled"),
    ("traveller", "traveler"),
    ("sulphur", "sulfur"),
    ("draught", "draft"),
    ("sceptre", "scepter"),
    ("axe", "ax"),
]
_ANY_PART = re.compile("|".join(part for pair in _PAIRS for part in pair))


def other_spellings(noun: str) -> Iterator[str]:
    """Yield a noun in lower case in the British and the American spellings that it does not have."""
    if not _ANY_PART.search(noun):
        return
    for pair in _PAIRS:
        for written, other in (pair, pair[::-1]):
            if written not in noun:
                continue
            # A word may begin with the part, and a plural may end after it: `theatres`, `grey wolf`.
            found = re.sub(rf"\b{written}(?=s?\b|ed\b|ful\b)", other, noun)
            if found != noun:
                yield found
