"""Keys and file names in a library.

| key | content |
|---|---|
| `CURRENT` | name of the live version |
| `versions/<version>/manifest.json` | one version: its segments and files |
| `segments/<segment>/` | the files of one segment, which versions share |
| `shared/<sha256>/` | a file for all segments of a version, which versions share |
| `embeddings/<fingerprint>/` | embedding store of one encoder |
| `texts/<reader>/` | text store: lines that were read in images, by content hash |
| `thumbnails/` | thumbnails by content hash |
| `taught/events/<day>/` | what people taught, one object an event |
| `taught/thumbnails/` | thumbnails of examples that are not in the library |
"""

CURRENT = "CURRENT"
VERSIONS = "versions"
SEGMENTS = "segments"
SHARED = "shared"
TAUGHT_THUMBNAILS = "taught/thumbnails"
MANIFEST_FILE = "manifest.json"

# Files of a segment. Row i of each is the same image.
VISUAL_FILE = "visual.f16"  # float16[rows, dim]
JOINT_FILE = "joint.f16"  # float16[rows, joint dim]
RELEVANCE_FILE = "labels.f16"  # float16[labels, rows], `TrainedHead.relevance` of every image
CATALOG_FILE = "catalog.sqlite"
KEYS_FILE = "keys.parquet"  # what each row was made of, see `findimg_jobs.segments.row_dependencies`
HASHES_FILE = "hashes.npy"  # uint64[rows, 6], `hash_features` of every image
PERCEPTUAL_FILE = "perceptual.npy"  # uint8[rows, 33], `hash_rows` of every image
NOISE_FILE = "noise.npy"  # best images of unrelated terms, see `findimg_jobs.segments.library_measures`
TEXT_FILE = "text.sqlite"  # written text, captions and names, see `findimg.index.text_index`; absent in older segments

# Files of a version
ITEMS_FILE = "items.npz"  # the row of each item, and groups of duplicates, see `findimg.library.items`
PAIRS_FILE = "pairs.npz"  # near-duplicates, from which the next version's groups are made
CENTRE_FILE = "centre.npy"  # float32[dim], mean of the visual embeddings; absent with a projection
PROJECTION_FILE = "projection.npy"  # float32[1 + n, dim], mean and directions; absent without a projection
HEAD_FILE = "head.npz"  # the trained head that the version was built with, even if its name was trained again since
DUPLICATES_FILE = "duplicates.npy"  # schema 1: int32[images], first item of each image's group
BUILD_FILES = {PAIRS_FILE, CENTRE_FILE}  # those that readers do not need
CLASSIFIER_FILE = "classifier.npy"  # float16[1000, dim], the encoder's last layer, one row per class
VOCABULARY_FILE = "vocabulary.npz"  # for encoders of texts, see `findimg.search.sentences.vocabulary`


def version_key(version: str, file: str) -> str:
    """Return the key of a file of a version."""
    return f"{VERSIONS}/{version}/{file}"


def segment_folder(segment: str) -> str:
    """Return the folder of a segment."""
    return f"{SEGMENTS}/{segment}"


def shared_key(sha256: str, file: str) -> str:
    """Return the key of a file that versions share."""
    return f"{SHARED}/{sha256}/{file}"


def thumbnail_key(sha256: str) -> str:
    """Return the key of the thumbnail of an image with this content hash."""
    return f"thumbnails/{sha256[:2]}/{sha256}.jpg"


def taught_thumbnail_key(sha256: str) -> str:
    """Return the key of the thumbnail of an example that is not in the library."""
    return f"{TAUGHT_THUMBNAILS}/{sha256}.jpg"


def shards_prefix(fingerprint: str) -> str:
    """Return the prefix of all shards embedded by one encoder."""
    return f"embeddings/{fingerprint}"


def classifier_key(fingerprint: str) -> str:
    """Return the key of an encoder's classifier in the embedding store."""
    return f"{shards_prefix(fingerprint)}/{CLASSIFIER_FILE}"


def encoder_key(fingerprint: str, file: str) -> str:
    """Return the key of a file of an encoder in the embedding store."""
    return f"{shards_prefix(fingerprint)}/{file}"
