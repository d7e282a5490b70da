"""Keys and file names in a library.

| key | content |
|---|---|
| `CURRENT` | name of the live version |
| `versions/<version>/` | one version: `manifest.json` and the files below |
| `embeddings/<fingerprint>/` | embedding store of one encoder |
| `thumbnails/` | thumbnails by content hash |
| `taught/events/<day>/` | what people taught, one object an event |
| `taught/thumbnails/` | thumbnails of examples that are not in the library |
"""

CURRENT = "CURRENT"
VERSIONS = "versions"

# Files of a version
MANIFEST_FILE = "manifest.json"
VISUAL_FILE = "visual.f16"  # float16[images, dim], row i is item i
JOINT_FILE = "joint.f16"  # float16[images, joint dim]
CATALOG_FILE = "catalog.sqlite"
TEXT_FILE = "text.sqlite"  # written text, captions and names, see `findimg.index.text_index`; absent in older versions
PROJECTION_FILE = "projection.npy"  # float32[1 + n, dim], mean and directions; absent without a projection
DUPLICATES_FILE = "duplicates.npy"  # int32[images], first item of each image's group; absent in older versions
CLASSIFIER_FILE = "classifier.npy"  # float16[1000, dim], the encoder's last layer, one row per class
ENCODER_FILE = "encoder.tflite"  # the encoder's portable model
MODEL_FOLDER = "model"  # the encoder's portable model, if it has several files
VOCABULARY_FILE = "vocabulary.npz"  # for encoders of texts, see `findimg.search.sentences.vocabulary`


def version_key(version: str, file: str) -> str:
    """Return the key of a file of a version."""
    return f"{VERSIONS}/{version}/{file}"


def thumbnail_key(sha256: str) -> str:
    """Return the key of the thumbnail of an image with this content hash."""
    return f"thumbnails/{sha256[:2]}/{sha256}.jpg"


def taught_thumbnail_key(sha256: str) -> str:
    """Return the key of the thumbnail of an example that is not in the library."""
    return f"taught/thumbnails/{sha256}.jpg"


def shards_prefix(fingerprint: str) -> str:
    """Return the prefix of all shards embedded by one encoder."""
    return f"embeddings/{fingerprint}"


def classifier_key(fingerprint: str) -> str:
    """Return the key of an encoder's classifier in the embedding store."""
    return f"{shards_prefix(fingerprint)}/{CLASSIFIER_FILE}"


def encoder_key(fingerprint: str, file: str) -> str:
    """Return the key of a file of an encoder in the embedding store."""
    return f"{shards_prefix(fingerprint)}/{file}"
