from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from findimg.encoders.base import ENCODER_FILE
from findimg.encoders.registry import build_encoder
from findimg.errors import LibraryError
from findimg.library.carried_encoder import keep_encoder, open_encoder
from findimg.library.layout import encoder_key
from findimg.library.library import Library, Version
from findimg.models.store import ModelStore
from findimg.storage.base import open_storage


@pytest.fixture
def version(library: str, cache: Path) -> Version:
    return Library(library, cache).open()


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def test_model_in_the_library_embeds_like_the_encoder_that_indexed(
    version: Version, cache: Path, tmp_path: Path
) -> None:
    built = build_encoder("efficientnet-lite0", ModelStore(cache / "models"))
    opened = open_encoder(version, ModelStore(tmp_path))
    assert opened.fingerprint == built.fingerprint == version.manifest.fingerprint
    np.testing.assert_array_equal(opened.embed(pixels(3)).visual, built.embed(pixels(3)).visual)
    assert list(tmp_path.iterdir()) == [], "nothing is converted or downloaded"


def test_version_without_a_model_uses_the_weights(version: Version, cache: Path) -> None:
    files = {name: file for name, file in version.manifest.files.items() if name != ENCODER_FILE}
    older = replace(version, manifest=version.manifest.model_copy(update={"files": files}))
    assert open_encoder(older, ModelStore(cache / "models")).fingerprint == version.manifest.fingerprint


def test_damaged_model_is_an_error_that_names_it(version: Version, tmp_path: Path) -> None:
    model = bytearray(version.path(ENCODER_FILE).read_bytes())
    model[len(model) // 2] ^= 1
    damaged = replace(version, root=tmp_path)
    damaged.path(ENCODER_FILE).parent.mkdir(parents=True)
    damaged.path(ENCODER_FILE).write_bytes(model)
    with pytest.raises(LibraryError, match=rf"{tmp_path}/.*/encoder\.tflite cannot be used .*SHA-256.*rollback"):
        open_encoder(damaged, ModelStore(tmp_path))


def test_model_is_kept_once_in_the_embedding_store(cache: Path, tmp_path: Path) -> None:
    encoder = build_encoder("efficientnet-lite0", ModelStore(cache / "models"))
    storage = open_storage(tmp_path)
    keep_encoder(storage, encoder)
    (first,) = storage.list()
    keep_encoder(storage, encoder)
    assert list(storage.list()) == [first]
    assert {ENCODER_FILE: storage.read(first.key)} == encoder.portable_files()
    assert first.key == encoder_key(encoder.fingerprint, ENCODER_FILE)
