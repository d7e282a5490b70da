"""Collect sample photographs from Python packages that contain some."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from findimg.errors import StorageError
from findimg.storage.base import open_storage

SOURCES = "SOURCES.md"


@dataclass(frozen=True, slots=True)
class Origin:
    """Source and licence of a photograph."""

    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample photograph."""

    name: str  # file name in the sample folder
    package: str  # the Python package that ships it
    file: str  # its path inside that package
    origin: Origin


# The packages state no more than this about their pictures.
_FOOLBOX = Origin(
    "foolbox, an example picture labelled with its ImageNet class",
    "shipped under foolbox's MIT licence; photographer and own licence not stated",
)
_MIDDLEBURY = Origin(
    "scikit-image; Middlebury 2014 stereo benchmark, Scharstein et al., GCPR 2014",
    "shipped under scikit-image's BSD-3-Clause licence; own licence not stated",
)

SAMPLES = (
    Sample("beaker.jpg", "foolbox", "data/imagenet_02_438.jpg", _FOOLBOX),
    Sample("beetle.jpg", "foolbox", "data/imagenet_19_305.jpg", _FOOLBOX),
    Sample("bottle-cap.jpg", "foolbox", "data/imagenet_09_455.jpg", _FOOLBOX),
    Sample("bull-mastiff.jpg", "foolbox", "data/imagenet_00_243.jpg", _FOOLBOX),
    Sample("cannon.jpg", "foolbox", "data/imagenet_13_471.jpg", _FOOLBOX),
    Sample("car-blue.jpg", "foolbox", "data/imagenet_07_609.jpg", _FOOLBOX),
    Sample("car-desert.jpg", "foolbox", "data/imagenet_06_609.jpg", _FOOLBOX),
    Sample("chestnuts.jpg", "foolbox", "data/imagenet_03_990.jpg", _FOOLBOX),
    Sample("cottages.jpg", "foolbox", "data/imagenet_05_853.jpg", _FOOLBOX),
    Sample("dalmatian.jpg", "foolbox", "data/imagenet_16_251.jpg", _FOOLBOX),
    Sample("deck-chairs.jpg", "foolbox", "data/imagenet_01_559.jpg", _FOOLBOX),
    Sample("drum.jpg", "foolbox", "data/imagenet_10_541.jpg", _FOOLBOX),
    Sample("eagle.jpg", "foolbox", "data/imagenet_17_22.jpg", _FOOLBOX),
    Sample("geese.jpg", "foolbox", "data/imagenet_15_99.jpg", _FOOLBOX),
    Sample("leafhopper.jpg", "foolbox", "data/imagenet_18_317.jpg", _FOOLBOX),
    Sample("shoe.jpg", "foolbox", "data/imagenet_11_630.jpg", _FOOLBOX),
    Sample("spoonbills.jpg", "foolbox", "data/imagenet_14_129.jpg", _FOOLBOX),
    Sample("stained-glass.jpg", "foolbox", "data/imagenet_12_741.jpg", _FOOLBOX),
    Sample("strawberries.jpg", "foolbox", "data/imagenet_04_949.jpg", _FOOLBOX),
    Sample("yurts.jpg", "foolbox", "data/imagenet_08_915.jpg", _FOOLBOX),
    Sample(
        "astronaut.png",
        "skimage",
        "data/astronaut.png",
        Origin("scikit-image; Eileen Collins, NASA Great Images", "public domain"),
    ),
    Sample(
        "cameraman.png",
        "skimage",
        "data/camera.png",
        Origin("scikit-image; photograph by Lav Varshney", "CC0"),
    ),
    Sample(
        "cat.png",
        "skimage",
        "data/chelsea.png",
        Origin("scikit-image; Chelsea, photograph by Stefan van der Walt", "CC0"),
    ),
    Sample(
        "coffee.png",
        "skimage",
        "data/coffee.png",
        Origin("scikit-image; photograph by Rachel Michetti", "CC0"),
    ),
    Sample(
        "coins.png",
        "skimage",
        "data/coins.png",
        Origin("scikit-image; Greek coins from Pompeii, Brooklyn Museum", "no known copyright restrictions"),
    ),
    Sample(
        "galaxies.jpg",
        "skimage",
        "data/hubble_deep_field.jpg",
        Origin("scikit-image; Hubble eXtreme Deep Field, NASA", "public domain"),
    ),
    Sample("motorcycle-left.png", "skimage", "data/motorcycle_left.png", _MIDDLEBURY),
    Sample("motorcycle-right.png", "skimage", "data/motorcycle_right.png", _MIDDLEBURY),
    Sample(
        "rocket.jpg",
        "skimage",
        "data/rocket.jpg",
        Origin("scikit-image; Falcon 9 with DSCOVR, SpaceX Photos", "public domain"),
    ),
    Sample(
        "dahlia.jpg",
        "sklearn",
        "datasets/images/flower.jpg",
        Origin("scikit-learn; photograph by vultilion, Flickr 6056698931", "CC BY 2.0"),
    ),
    Sample(
        "pagoda.jpg",
        "sklearn",
        "datasets/images/china.jpg",
        Origin("scikit-learn; photograph by danielbuechele, Flickr 6061409035", "CC BY 2.0"),
    ),
)


def copy_samples(folder: Path) -> list[Sample]:
    """Copy the sample photographs to `folder`, with a list of their sources and licences.

    Existing photographs are kept. Files are written atomically.

    Args:
        folder: target, created if it does not exist.

    Returns:
        The samples in `folder`, each at `folder / sample.name`.

    Raises:
        StorageError: a package is not installed, `folder` holds a different file of the same name, or it cannot be
            written.
    """
    pictures = {sample.name: _read(sample) for sample in SAMPLES}
    storage = open_storage(folder)
    present = {name for name in pictures if storage.exists(name)}
    for name in sorted(present):
        if storage.read(name) != pictures[name]:
            raise StorageError(f"{storage.uri(name)} differs from the sample. Name an empty folder.")
    for name in sorted(pictures.keys() - present):
        storage.write(name, pictures[name])
    storage.write(SOURCES, _sources().encode())
    return list(SAMPLES)


def _read(sample: Sample) -> bytes:
    # find_spec does not import the package. Importing scikit-learn takes a second.
    spec = find_spec(sample.package)
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder, sample.file)
        if path.is_file():
            return path.read_bytes()
    raise StorageError(
        f"The sample {sample.name} is {sample.file} of the package {sample.package}, which is not installed "
        "or no longer contains it. Run: pip install 'findimg[samples]'."
    )


def _sources() -> str:
    """Return the list of sources as a Markdown table."""
    lines = [
        "# Sources of the sample photographs",
        "",
        "Copied unchanged from installed Python packages by `findimg-jobs samples`.",
        "",
        "| file | from | licence |",
        "|---|---|---|",
    ]
    lines += [f"| {sample.name} | {sample.origin.source} | {sample.origin.licence} |" for sample in SAMPLES]
    return "\n".join(lines) + "\n"
