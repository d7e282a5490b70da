import numpy as np
import pytest

from findimg.errors import HeadError
from findimg.heads.conse import Conse, class_space, node_vectors, open_head
from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

TENCH, SIAMESE, DALMATIAN, PIZZA = 0, 284, 251, 963


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return open_lexicon()


def joint(head: Conse, classes: list[int], probabilities: list[float]) -> np.ndarray:
    visual = np.zeros((1, 1280), np.float32)
    return head.embed(visual, np.array([classes]), np.array([probabilities], np.float32))[0]


def test_joint_embeddings_have_length_1(words: WordVectors, lexicon: Lexicon) -> None:
    head = Conse(words, lexicon)
    random = np.random.default_rng(0)
    classes = np.stack([random.choice(1000, 20, replace=False) for _ in range(7)])
    found = head.embed(np.zeros((7, 8), np.float32), classes, random.random((7, 20), np.float32))

    assert found.shape == (7, 50)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_an_image_lies_near_its_class_and_what_the_class_is(words: WordVectors, lexicon: Lexicon) -> None:
    image = joint(Conse(words, lexicon), [DALMATIAN, SIAMESE], [0.9, 0.05])
    near = {word: float(image @ words.direction(word)) for word in ("dalmatian", "dog", "pizza", "theory")}

    assert near["dog"] > near["pizza"] > near["theory"] - 0.2
    assert near["dog"] > 0.7
    assert near["dalmatian"] > near["pizza"]


def test_likelier_classes_pull_harder(words: WordVectors, lexicon: Lexicon) -> None:
    head = Conse(words, lexicon)
    pizza = words.direction("pizza")

    assert joint(head, [PIZZA, TENCH], [0.8, 0.2]) @ pizza > joint(head, [TENCH, PIZZA], [0.8, 0.2]) @ pizza


def test_every_class_and_kind_that_glove_knows_has_a_place(words: WordVectors, lexicon: Lexicon) -> None:
    lengths = np.linalg.norm(node_vectors(words, lexicon), axis=1)

    assert set(np.round(lengths, 4)) <= {0, 1}
    assert lengths.mean() > 0.95
    np.testing.assert_allclose(np.linalg.norm(class_space(words, lexicon), axis=1), 1, atol=1e-5)


def test_a_head_opens_by_its_name(words: WordVectors) -> None:
    assert open_head("conse", words).dim == 50
    with pytest.raises(HeadError, match="'clip'"):
        open_head("clip", words)
