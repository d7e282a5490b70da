"""The messages between the bot and the process that writes to the library."""

import struct
from dataclasses import dataclass

from findimg.errors import FindimgError
from findimg.plugins import Change, NotAdded
from findimg.settings import Settings

HEAD = struct.Struct(">I")  # the length of the pickled message that follows


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A change to apply."""

    settings: Settings  # with the token of the workspace whose pictures are added
    change: Change


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The result of a request."""

    not_added: tuple[NotAdded, ...] = ()
    error: FindimgError | None = None  # then nothing was published
