"""A message with a menu: the person chooses one of several images, before findimg tags it or finds similar ones."""

from collections.abc import Sequence

from findimg_bot.slack.blocks.elements import actions, menu, section
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.text import escaped, notification_text, plain

CHOOSE_HIT = "choose_hit"  # action_id of a menu of hits
CHOOSE_FILE = "choose_file"  # action_id of a menu of files in Slack


def which_image_message(text: str, choices: Sequence[tuple[str, str]], action: str) -> Message:
    """Return the message with the menu.

    Args:
        text: the question, plain text.
        choices: name and value of each image.
        action: action_id of the menu.
    """
    groups = [("Pictures", [(plain(name, 60) or "image", value) for name, value in choices])]
    return Message(
        notification_text(text), [section(escaped(text)), actions([menu("Choose a picture…", action, groups)])]
    )
