"""A message that is checked against Slack's limits when it is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from findimg_bot.slack.blocks.elements import Block, plain_section
from findimg_bot.slack.blocks.text import notification_text, plain
from findimg_bot.slack.limits import SECTION_TEXT, check_message


@dataclass(frozen=True, slots=True)
class Message:
    """The blocks of a message, and the text that notifications and screen readers use."""

    text: str
    blocks: Sequence[Block] = ()

    def __post_init__(self) -> None:
        check_message(self.text, self.blocks)


def text_message(text: str) -> Message:
    """Return a message of plain text alone, in which nothing formats or notifies anybody."""
    shown = plain(text, SECTION_TEXT)
    return Message(notification_text(shown), [plain_section(shown)])
