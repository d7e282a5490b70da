from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.heads.conse import Conse, class_vectors, node_vectors
from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

TENCH, SIAMESE, DALMATIAN, PIZZA = 0, 284, 251, 963


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return open_lexicon()


def embed(head: Conse, classes: Sequence[int], probabilities: Sequence[float]) -> NDArray[np.float32]:
    """Return the joint embedding of one image."""
    visual = np.zeros((1, 1280), np.float32)
    return head.embed(visual, np.array([classes]), np.array([probabilities], np.float32))[0]


def test_joint_embeddings_have_length_1(words: WordVectors, lexicon: Lexicon) -> None:
    head = Conse(words, lexicon)
    random = np.random.default_rng(0)
    classes = np.stack([random.choice(1000, 20, replace=False) for _ in range(7)])
    joint = head.embed(np.zeros((7, 8), np.float32), classes, random.random((7, 20), np.float32))

    assert joint.shape == (7, 50)
    assert joint.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1, atol=1e-5)


def test_image_is_near_its_class_and_the_ancestors_of_the_class(words: WordVectors, lexicon: Lexicon) -> None:
    joint = embed(Conse(words, lexicon), [DALMATIAN, SIAMESE], [0.9, 0.05])
    cosines = {word: float(joint @ words.direction(word)) for word in ("dalmatian", "dog", "pizza", "theory")}

    assert cosines["dog"] > cosines["pizza"] > cosines["theory"] - 0.2
    assert cosines["dog"] > 0.7
    assert cosines["dalmatian"] > cosines["pizza"]


def test_more_probable_class_has_more_weight(words: WordVectors, lexicon: Lexicon) -> None:
    head = Conse(words, lexicon)
    pizza = words.direction("pizza")

    assert embed(head, [PIZZA, TENCH], [0.8, 0.2]) @ pizza > embed(head, [TENCH, PIZZA], [0.8, 0.2]) @ pizza


def test_every_class_has_a_vector_and_nearly_every_node(words: WordVectors, lexicon: Lexicon) -> None:
    lengths = np.linalg.norm(node_vectors(words, lexicon), axis=1)

    assert set(np.round(lengths, 4)) <= {0, 1}
    assert lengths.mean() > 0.95
    np.testing.assert_allclose(np.linalg.norm(class_vectors(words, lexicon), axis=1), 1, atol=1e-5)
