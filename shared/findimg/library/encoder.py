"""The image encoder that a library carries, so that readers need neither its weights nor TensorFlow."""

import hashlib

from findimg.encoders.base import ImageEncoder
from findimg.encoders.registry import open_backbone, open_portable
from findimg.errors import LibraryError, ModelError
from findimg.library.layout import ENCODER_FILE, encoder_key
from findimg.library.library import Version
from findimg.models.store import ModelStore
from findimg.storage.base import Storage


def keep_encoder(storage: Storage, encoder: ImageEncoder) -> None:
    """Write an encoder's portable model to a library's embedding store, unless it is there or the encoder has none.

    Raises:
        StorageError: the library cannot be written.
    """
    key = encoder_key(encoder.fingerprint)
    model = encoder.portable_model()
    if model is not None and not storage.exists(key):
        storage.write(key, model)


def open_encoder(
    version: Version, store: ModelStore, weights: str | None = None, threads: int | None = None
) -> ImageEncoder:
    """Open the encoder that a version was made with.

    Takes the model from the version. Versions of older libraries and of encoders without a portable model have none:
    then it is built from its weights.

    Args:
        version: an opened version.
        store: where weights are looked up and kept.
        weights: a file or s3:// URI with the encoder's weights, to use instead of the version's model.
        threads: CPU threads for the model. None uses all.

    Raises:
        LibraryError: the version's model is damaged.
        ModelError: the version has no model, and the encoder's weights or TensorFlow are missing.
    """
    manifest = version.manifest
    if weights or ENCODER_FILE not in manifest.files:
        return open_backbone(manifest.backbone, store, weights, threads)
    path = version.folder / ENCODER_FILE
    try:
        model = path.read_bytes()
        if hashlib.sha256(model).hexdigest() != manifest.files[ENCODER_FILE].sha256:
            raise ModelError("it has another SHA-256 than the manifest states")
        return open_portable(manifest.backbone, model, manifest.fingerprint, threads)
    except (OSError, ModelError) as error:
        raise LibraryError(
            f"{path} cannot be used ({error}). Go back with findimg-jobs rollback, or publish again with index."
        ) from error
