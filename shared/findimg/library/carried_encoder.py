"""The encoder that a library carries, so that readers need neither its weights nor TensorFlow."""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from findimg.encoders.base import ENCODER_FILE, MODEL_FOLDER, ImageEncoder, TextEncoder
from findimg.encoders.registry import build_encoder, open_portable, open_portable_texts, text_files
from findimg.errors import LibraryError, ModelError
from findimg.library.layout import VOCABULARY_FILE, encoder_key, shards_prefix
from findimg.library.library import Version
from findimg.library.manifest import FileEntry, Manifest
from findimg.models.store import ModelStore
from findimg.storage.base import Storage
from findimg.storage.folder import hash_file

_RECOVERY = "Go back with findimg-jobs rollback, or publish again with index."


def keep_encoder(storage: Storage, encoder: ImageEncoder) -> None:
    """Write an encoder's portable model to a library's embedding store, unless it is there or the encoder has none.

    Raises:
        StorageError: the library cannot be written.
    """
    for file, content in encoder.portable_files().items():
        key = encoder_key(encoder.fingerprint, file)
        if storage.exists(key):
            continue
        if isinstance(content, bytes):
            storage.write(key, content)
        else:
            storage.upload(content, key)


def kept_files(storage: Storage, fingerprint: str) -> list[str]:
    """Return the names of an encoder's files in the embedding store: its portable model and its vocabulary.

    Raises:
        StorageError: the library cannot be read.
    """
    prefix = shards_prefix(fingerprint)
    several = sorted(entry.key.removeprefix(f"{prefix}/") for entry in storage.list(f"{prefix}/{MODEL_FOLDER}"))
    single = [file for file in (ENCODER_FILE, VOCABULARY_FILE) if storage.exists(encoder_key(fingerprint, file))]
    return [*single, *several]


def carries_encoder(manifest: Manifest) -> bool:
    """Return whether a version has the portable model of its encoder."""
    return bool(_model_files(manifest))


def model_files(manifest: Manifest) -> dict[str, FileEntry]:
    """Return the files of the portable model that a version carries, by their key in the library."""
    return {manifest.file_key(file): manifest.files[file] for file in _model_files(manifest)}


def used_parts(manifest: Manifest) -> tuple[Manifest, ...]:
    """Return the manifests of the encoders that searches use: by image, then by words if that is another one."""
    return (manifest, manifest.for_words)[: 1 + manifest.words_by_second]


def open_encoders(
    version: Version, store: ModelStore, weights: str | None = None, threads: int | None = None
) -> tuple[ImageEncoder, ...]:
    """Open the encoders that an image from outside needs: of each of `used_parts` one.

    Args:
        version: an opened version.
        store: where weights are looked up and kept.
        weights: a file or s3:// URI with weights, to use instead of the model of the encoder that finds images by
            image.
        threads: CPU threads for each model. None uses all.

    Errors as of `open_encoder`.
    """
    return tuple(
        open_encoder(Version(part, version.root), store, None if place else weights, threads)
        for place, part in enumerate(used_parts(version.manifest))
    )


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
    if weights or not carries_encoder(manifest):
        return build_encoder(manifest.backbone, store, weights, threads)
    folder = _model_folder(version, store, _model_files(manifest))
    try:
        return open_portable(manifest.backbone, folder, manifest.fingerprint, threads)
    except ModelError as error:
        if ENCODER_FILE not in manifest.files:
            raise  # the error names the file
        raise _damaged(error, folder / ENCODER_FILE) from error


def open_text_encoder(version: Version, store: ModelStore, threads: int | None = None) -> TextEncoder:
    """Open the text tower of the encoder that finds a version's images by words.

    Args:
        version: an opened version.
        store: where a model's files are kept together.
        threads: CPU threads for the model. None uses all.

    Raises:
        LibraryError: the version lacks a file of its text tower, or a file changed after it was published.
        ModelError: the text tower cannot be used, or ONNX Runtime is not installed.
    """
    version = version.for_words
    manifest = version.manifest
    needed = text_files(manifest.backbone)
    if missing := [file for file in needed if file not in manifest.files]:
        raise LibraryError(f"Version {manifest.version} has no {missing[0]}. {_RECOVERY}")
    folders = {PurePosixPath(file).parent for file in needed}
    files = [file for file in _model_files(manifest) if PurePosixPath(file).parent in folders]
    return open_portable_texts(manifest.backbone, _model_folder(version, store, files), threads)


def _model_files(manifest: Manifest) -> list[str]:
    return [file for file in manifest.files if file == ENCODER_FILE or file.startswith(f"{MODEL_FOLDER}/")]


def _model_folder(version: Version, store: ModelStore, files: Sequence[str]) -> Path:
    """Return a folder that has a model's files under their names, after checking their hashes.

    Files that are stored apart are linked into the model store, or copied if they are on another disk.

    Raises:
        LibraryError: a file is damaged.
        ModelError: the model store cannot be written.
    """
    paths = {file: version.path(file) for file in files}
    for file, path in paths.items():
        try:
            digest = hash_file(path)
        except OSError as error:
            raise _damaged(error.strerror, path) from error
        if digest != version.manifest.files[file].sha256:
            raise _damaged("it has another SHA-256 than the manifest states", path)
    folders = {path.parents[file.count("/")] for file, path in paths.items()}
    return folders.pop() if len(folders) == 1 else _linked(paths, version.manifest.fingerprint, store)


def _linked(paths: dict[str, Path], fingerprint: str, store: ModelStore) -> Path:
    folder = store.folder / "made" / f"{fingerprint}-portable"
    try:
        for file, path in paths.items():
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".draft-{secrets.token_hex(8)}")
            try:
                os.link(path, draft)
            except OSError:  # the file is on another disk
                shutil.copyfile(path, draft)
            draft.replace(target)
            draft.unlink(missing_ok=True)  # `replace` keeps it if both are the same file
    except OSError as error:
        raise ModelError(
            f"The model cache {store.folder} cannot be written: {error.strerror or error}. Check the permissions and "
            "the free space, or name another folder (FINDIMG_CACHE)."
        ) from error
    return folder


def _damaged(problem: object, path: Path) -> LibraryError:
    return LibraryError(f"{path} cannot be used ({problem}). {_RECOVERY}")
