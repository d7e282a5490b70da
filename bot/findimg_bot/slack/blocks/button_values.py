"""Values of buttons and menus that name an image: how they are written, and how listeners read them.

The value of a hit is `<question id>.<number>`. The value of a file in Slack is its id. A suffix can follow after a dot:
a `HitTask`, or the id of the channel to share the image with.
"""

from enum import StrEnum

from findimg.errors import QueryError

NO_IMAGE = "That button belongs to no image. Ask again."


class HitTask(StrEnum):
    """What to do with the one image that a person chooses in a menu. It is the suffix of the value."""

    SIMILAR = "similar"
    TAG = "tag"
    SHARE = "share"
    OPEN = "open"
    COPIES = "copies"
    TEXT = "text"


def hit_value(question_id: str, number: int) -> str:
    """Return the value for one hit of a stored question.

    Args:
        number: of the hit, from 0 on.
    """
    return f"{question_id}.{number}"


def read_hit_value(value: str) -> tuple[str, int]:
    """Return the id of the stored question, and the number of its hit.

    Raises:
        QueryError: the value names no hit.
    """
    question_id, _, number = value.rpartition(".")
    if not number.isdecimal():
        raise QueryError(NO_IMAGE)
    return question_id, int(number)


def question_of_value(value: str) -> str:
    """Return the id of the stored question of a hit, with or without a suffix."""
    return value.split(".")[0]


def with_suffix(value: str, suffix: str) -> str:
    """Return a value that also says what to do with the image, or the id of the channel to share it with."""
    return f"{value}.{suffix}"


def read_suffix(value: str) -> tuple[str, str]:
    """Return the value without its suffix, and the suffix."""
    image, _, suffix = value.rpartition(".")
    return image, suffix
