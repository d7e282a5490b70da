import io
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest

from findimg.heads.weights import Weights, pack, unpack

# The arrays of a head.npz. Heads that teams have trained keep these names.
STORED_ARRAYS = {
    *("about", "directions", "mean", "hidden", "hidden_bias", "out", "out_bias"),
    *("looks", "reach", "familiar", "chance"),
}


def compress(weights: Weights) -> bytes:
    """Return the packed weights with compressed parts."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(pack(weights))) as packed,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in packed.namelist():
            archive.writestr(member, packed.read(member))
    return buffer.getvalue()


def pickle_objects(weights: Weights) -> bytes:
    """Return an .npz with an array of Python objects."""
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array([weights.name, None], dtype=object))
    return buffer.getvalue()


HOSTILE: dict[str, tuple[Callable[[Weights], bytes], str]] = {
    "empty": (lambda weights: b"", "not a trained head"),
    "not a zip": (lambda weights: b"PK\x03\x04" + bytes(1000), "not a trained head"),
    "truncated": (lambda weights: pack(weights)[:-100], "not a trained head"),
    "pickled objects": (pickle_objects, "not a trained head"),
    "compressed": (compress, "its parts are compressed"),
    "wrong shape": (lambda weights: pack(replace(weights, out=weights.out[:-1])), "out should be finite float32"),
    "wrong type": (
        lambda weights: pack(replace(weights, mean=weights.mean.astype(np.float64))),
        "mean should be finite float32",
    ),
    "not a number": (
        lambda weights: pack(replace(weights, target_cosines=weights.target_cosines * np.nan)),
        "reach should be finite float32",
    ),
    "scalar": (lambda weights: pack(replace(weights, hidden_bias=np.float32(1))), "should be finite float32"),
    "too few labels": (lambda weights: pack(replace(weights, labels=weights.labels[:2])), "should be finite float32"),
    "duplicate labels": (
        lambda weights: pack(replace(weights, labels=(*weights.labels[:2], weights.labels[0]))),
        "its labels are not a list of different names",
    ),
    "labels not a list": (lambda weights: pack(replace(weights, labels="pizza")), "its labels are not a list"),
    "zero width": (
        lambda weights: pack(replace(weights, membership=np.zeros(2, np.float32))),
        "the second number of familiar should be positive",
    ),
}


def test_weights_survive_packing(weights: Weights) -> None:
    unpacked = asdict(unpack(pack(weights)))

    for name, value in asdict(weights).items():
        np.testing.assert_array_equal(unpacked[name], value)


def test_names_in_the_file_do_not_change(weights: Weights) -> None:
    with np.load(io.BytesIO(pack(weights)), allow_pickle=False) as file:
        assert set(file) == STORED_ARRAYS


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_weights_file_is_rejected(weights: Weights, kind: str) -> None:
    make, message = HOSTILE[kind]
    with pytest.raises(ValueError, match=message):
        unpack(make(weights))


def test_random_damage_raises_only_value_error(weights: Weights) -> None:
    random = np.random.default_rng(0)
    packed = np.frombuffer(pack(weights), np.uint8)
    for _ in range(300):
        damaged = packed.copy()
        damaged[random.integers(0, len(packed), 5)] = random.integers(0, 256, 5)
        try:
            unpack(damaged.tobytes())
        except ValueError:
            continue
