"""The labels of images: the names of their folders, and the tags that are correct for each."""

import unicodedata
from collections.abc import Sequence

from findimg.errors import SettingsError
from findimg.storage.base import open_storage
from findimg.text.lexicon import Lexicon
from findimg_jobs.listing.sources import list_sources

# Least `Lexicon.specific` of a correct tag. "animal" is specific enough, "artifact" and "organism" are not.
MIN_SPECIFIC = 0.25


def read_labels(labelled: Sequence[str], library: str) -> dict[str, str]:
    """Return the label of each labelled image, by URI.

    Args:
        labelled: folders and s3:// prefixes. Where they overlap, the first one decides the label.
        library: the library's address. Files inside the library are left out.

    Raises:
        SettingsError: one of `labelled` is not a folder, or no sub-folder holds an image.
    """
    labels: dict[str, str] = {}
    for source in labelled:
        root = open_storage(source).root
        for image in list_sources([source], library).images:
            folder, _, rest = image.uri[len(root) :].lstrip("/").partition("/")
            if rest and (label := label_of_folder(folder)):
                labels.setdefault(image.uri, label)
    if not labels:
        raise SettingsError(
            f"No sub-folder of {', '.join(labelled)} holds an image. Sort the images into sub-folders "
            "and name each one after what its images show."
        )
    return labels


def label_of_folder(folder: str) -> str:
    """Return the label for a folder's name: `grand piano` for `grand_piano`."""
    composed = unicodedata.normalize("NFKC", folder).replace("_", " ")
    return " ".join("".join(char if char.isprintable() else " " for char in composed).split())


def correct_tags(label: str, lexicon: Lexicon) -> set[str]:
    """Return the correct tags for an image with this label, in lower case.

    These are the label and the names of its lexicon nodes and their ancestors, as far as they are specific enough
    (MIN_SPECIFIC). For a phrase that the lexicon does not know, the last word is looked up.
    """
    senses = lexicon.senses(label) or lexicon.senses(label.rpartition(" ")[2])
    nodes = {above for sense in senses for node, _ in sense.places for above in lexicon.above(node)}
    names = [name for node in nodes if lexicon.specific[node] >= MIN_SPECIFIC for name in lexicon.names[node]]
    return {word.lower() for word in (label, lexicon.singular(label) or label, *names)}
