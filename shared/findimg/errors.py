"""Every error findimg raises on purpose: what happened, with the value received, and what to do next."""


class FindimgError(Exception):
    """Root of the tree; its text is one or two sentences for a person, without a traceback."""

    exit_code = 2


class SettingsError(FindimgError):
    """A flag, a FINDIMG_* variable or a key of findimg.toml cannot be used as it is."""


class StorageError(FindimgError):
    """A folder or bucket cannot be read or written."""


class ObjectMissingError(StorageError):
    """There is nothing at this key."""


class ImageError(FindimgError):
    """These bytes are no image that findimg reads; the text says why."""


class ModelError(FindimgError):
    """A backbone's weights or a word vector file is missing, damaged or not what it claims to be."""


class HeadError(FindimgError):
    """A head is unknown, missing, or does not fit the backbone or the word vectors."""


class LibraryError(FindimgError):
    """The library is missing, empty, damaged, or was made with something else than asked for."""


class QueryError(FindimgError):
    """What a person typed cannot be answered; the text says how to ask instead."""


class NotPublishedError(FindimgError):
    """The run ended without a new version; a rerun continues where it stopped."""

    exit_code = 3


class LockedError(FindimgError):
    """Another run writes to this library."""

    exit_code = 4
