"""Links to the images themselves, for a person who wants more than a thumbnail."""

from collections.abc import Sequence
from urllib.parse import quote

from findimg.storage.s3 import presigned

SECONDS = 600  # that a link made on request is good for


class Links:
    """Where the images of a library can be opened."""

    def __init__(self, base_url: str):
        """Args:
        base_url: an address under which the sources' files are found; empty when there is none.
        """
        self._base_url = base_url

    def link(self, uri: str, sources: Sequence[str]) -> str:
        """The image's address below the operator's, empty when there is none."""
        return self._base_url + quote(path_below(uri, sources)) if self._base_url else ""

    def on_request(self, uri: str) -> bool:
        """Whether `make` can make a link to the image."""
        return not self._base_url and uri.startswith("s3://")

    def make(self, uri: str) -> str:
        """A link to an image in S3 that anybody who has it can open for `SECONDS`.

        Raises:
            StorageError: S3 cannot be used.
        """
        return presigned(uri, SECONDS)


def path_below(uri: str, sources: Sequence[str]) -> str:
    """An image's path below the source that it was listed from; the whole path where the sources have changed."""
    for source in sorted(sources, key=len, reverse=True):
        root = source.rstrip("/") + "/"
        if uri.startswith(root):
            return uri.removeprefix(root)
    return uri.removeprefix("s3://").lstrip("/")
