import numpy as np
import pytest

from findimg.heads.conse import Conse
from findimg.search.class_tags import Tag, Tagger
from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

DALMATIAN, GREAT_DANE, SIAMESE, AIRLINER, CRANE_BIRD, CRANE_MACHINE = 251, 246, 284, 404, 134, 517


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return open_lexicon()


@pytest.fixture(scope="module")
def tagger(words: WordVectors, lexicon: Lexicon) -> Tagger:
    return Tagger(words, lexicon)


def tags(tagger: Tagger, words: WordVectors, lexicon: Lexicon, seen: dict[int, float], k: int = 10) -> list[Tag]:
    classes, probabilities = np.array([list(seen)]), np.array([list(seen.values())], np.float32)
    joint = Conse(words, lexicon).embed(np.zeros((1, 1), np.float32), classes, probabilities)
    return tagger.tags(joint[0], classes[0], probabilities[0], k)


def test_dalmatian_is_tagged_with_its_ancestors(tagger: Tagger, words: WordVectors, lexicon: Lexicon) -> None:
    found = tags(tagger, words, lexicon, {DALMATIAN: 0.9, GREAT_DANE: 0.04})

    assert [tag.word for tag in found[:2]] == ["dalmatian", "dog"]
    assert {"animal"} < {tag.word for tag in found} <= {"dalmatian", "dog", "canine", "animal", "mammal"}


def test_best_tag_is_first(tagger: Tagger, words: WordVectors, lexicon: Lexicon) -> None:
    scores = [tag.score for tag in tags(tagger, words, lexicon, {DALMATIAN: 0.5, SIAMESE: 0.4})]

    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


def test_uncertain_image_is_tagged_with_common_ancestors(tagger: Tagger, words: WordVectors, lexicon: Lexicon) -> None:
    found = tags(tagger, words, lexicon, {DALMATIAN: 0.3, GREAT_DANE: 0.3, 247: 0.3})

    assert found[0].word == "dog"


def test_no_word_comes_twice_and_none_only_experts_know(tagger: Tagger, words: WordVectors, lexicon: Lexicon) -> None:
    found = [tag.word for tag in tags(tagger, words, lexicon, {CRANE_BIRD: 0.5, CRANE_MACHINE: 0.4})]

    assert len(found) == len(set(found))
    assert "crane" in found
    assert not {"vertebrate", "chordate", "artifact", "instrumentality", "entity", "object"} & set(found)


def test_unknown_content_has_few_tags(tagger: Tagger, words: WordVectors, lexicon: Lexicon) -> None:
    assert len(tags(tagger, words, lexicon, {DALMATIAN: 0.9})) < 10
    assert tags(tagger, words, lexicon, dict.fromkeys(range(0, 1000, 50), 0.004)) == []


def test_joint_embedding_adds_words_without_classes(tagger: Tagger, words: WordVectors) -> None:
    helicopter = words.direction("helicopter")
    assert helicopter is not None
    found = tagger.tags(helicopter, np.array([AIRLINER]), np.array([0.3], np.float32))

    assert found[0] == Tag("helicopter", 1.0)


def test_at_most_k_tags_come(tagger: Tagger, words: WordVectors, lexicon: Lexicon) -> None:
    assert len(tags(tagger, words, lexicon, {DALMATIAN: 0.9}, k=2)) == 2
