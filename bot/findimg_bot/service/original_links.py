"""Makes links to the original images, and finds the image of such a link."""

from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote, urlsplit

from findimg.errors import SettingsError
from findimg.library.channels import channel_of
from findimg.storage.base import open_object, without_scheme

LINK_SECONDS = 600  # validity of a link that is made on request


class OriginalLinks:
    """Makes links with which the original images of a library can be opened."""

    def __init__(self, base_url: str):
        """Args:
        base_url: public address of the sources' files; empty when there is none.
        """
        self._base_url = base_url

    def public_link(self, uri: str, sources: Sequence[str]) -> str:
        """Return the image's public address, empty when there is none."""
        if not self._base_url or channel_of(uri):
            return ""
        return self._base_url + quote(path_below(uri, sources))

    def uri_of_public_link(self, link: str, sources: Sequence[str], indexed: Callable[[str], bool]) -> str:
        """Return the URI of the image to which a public address leads, empty when it leads to none.

        Args:
            indexed: whether there is an image with a URI.
        """
        base, parts = urlsplit(self._base_url), urlsplit(link)
        if (parts.scheme, parts.netloc.lower()) != (base.scheme, base.netloc.lower()) or not self._base_url:
            return ""
        if not parts.path.startswith(base.path):
            return ""
        below = unquote(parts.path.removeprefix(base.path))
        return next((uri for source in sources if indexed(uri := f"{source.rstrip('/')}/{below}")), "")

    def can_link(self, uri: str) -> bool:
        """Return whether `temporary_link` can make a link to the image."""
        if self._base_url:
            return False
        try:
            return open_object(uri)[0].makes_links
        except SettingsError:
            return False  # a storage that this machine does not know

    def temporary_link(self, uri: str) -> str:
        """Return a link to an image, as S3 makes it. Anyone with the link can open the image for `LINK_SECONDS`.

        Raises:
            StorageError: the storage makes no links or cannot be used.
        """
        storage, key = open_object(uri)
        return storage.link(key, LINK_SECONDS)


def path_below(uri: str, sources: Sequence[str]) -> str:
    """Return an image's path below the source that contains it, or its whole path where no source does."""
    for source in sorted(sources, key=len, reverse=True):
        root = source.rstrip("/") + "/"
        if uri.startswith(root):
            return uri.removeprefix(root)
    return without_scheme(uri).lstrip("/")
