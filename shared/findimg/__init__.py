"""Search photographs by words, by image and by tags.

    import findimg

    with findimg.open("s3://team-findimg/photos") as library:
        for hit in library.search("cat sofa", k=5):
            print(hit.uri, hit.score)

The names in `__all__` are the public interface. All others can change with any release.
"""

from typing import TYPE_CHECKING, Any

from findimg.errors import (
    FindimgError,
    ImageError,
    LibraryError,
    ModelError,
    QueryError,
    SettingsError,
    StorageError,
)

if TYPE_CHECKING:
    from findimg.api import OpenedLibrary, open
    from findimg.api_results import Hit, Hits, RelatedWord, Tag, TaughtName
    from findimg.plugins import AddReport

__all__ = [
    "AddReport",
    "FindimgError",
    "Hit",
    "Hits",
    "ImageError",
    "LibraryError",
    "ModelError",
    "OpenedLibrary",
    "QueryError",
    "RelatedWord",
    "SettingsError",
    "StorageError",
    "Tag",
    "TaughtName",
    "open",
]


def __getattr__(name: str) -> Any:
    # `findimg.api` imports the search with its libraries. Parts of findimg that do not search do not pay for it.
    if name in __all__:
        from findimg import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
