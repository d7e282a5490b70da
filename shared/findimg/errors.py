"""The errors of findimg. Each message says what happened, with the value received, and what to do next."""


class FindimgError(Exception):
    """Base class. The text is one or two sentences for a person; a command prints it without a traceback.

    Attributes:
        exit_code: of a command that ends with this error.
    """

    exit_code = 2


class SettingsError(FindimgError):
    """The value of a flag, a FINDIMG_* variable or a key of findimg.toml is not valid."""


class StorageError(FindimgError):
    """A folder or bucket cannot be read or written."""


class ObjectMissingError(StorageError):
    """An object does not exist."""


class ImageError(FindimgError):
    """A file is not an image that findimg reads. The text says why."""


class ModelError(FindimgError):
    """An encoder's weights or a file of word vectors is missing, damaged, or of another kind."""


class HeadError(FindimgError):
    """A head is unknown or missing, or it does not fit the encoder or the word vectors."""


class LibraryError(FindimgError):
    """A library is missing, empty or damaged, or it was made with other settings than requested."""


class QueryError(FindimgError):
    """A query cannot be answered. The text says how to change it."""


class UnknownWordError(QueryError):
    """No source knows a word of a query. The text suggests known spellings."""


class NotPublishedError(FindimgError):
    """A run ended without a new version. A rerun continues where it stopped."""

    exit_code = 3


class LockedError(FindimgError):
    """Another run is writing to this library."""

    exit_code = 4
