import numpy as np
import pytest

from findimg.search.noise_floor import noise_floor, peak_relevance, unrelated_terms
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import EMBEDDED, open_words


def test_unrelated_terms_are_common_and_invisible() -> None:
    lexicon, words = open_lexicon(), open_words(EMBEDDED)
    terms = unrelated_terms(lexicon, words)

    assert len(terms) == 200
    assert terms == unrelated_terms(lexicon, words)
    assert not any(lexicon.senses(term) for term in terms)


def test_noise_floor_is_a_quantile_of_peak_relevance() -> None:
    assert peak_relevance(3, 1) == 1
    assert peak_relevance(0.5, 0.5) == 0.25
    assert noise_floor(np.linspace(0, 1, 101, dtype=np.float32)) == pytest.approx(0.85)
    assert noise_floor(np.empty(0, np.float32)) == 0
