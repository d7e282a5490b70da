"""The text that was read in a picture, in a form that people can copy."""

from findimg_bot.slack.blocks.elements import Block, section, small_text
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.text import entities, escaped, file_name, notification_text, plain
from findimg_bot.slack.limits import SECTION_TEXT

_FENCE = "```"
_SECTIONS = 4  # of text in one message
_LONGEST_LINE = 500  # characters


def image_text_message(uri: str, text: str) -> Message:
    """Return a message with the text of an image.

    Args:
        uri: the image.
        text: its lines, separated by line feeds; text from outside.
    """
    name = file_name(uri)
    return Message(
        notification_text(f"Text in {name}"), [section(f"Text in *{escaped(name)}*:"), *text_blocks(text, _SECTIONS)]
    )


def text_blocks(text: str, most: int = 1) -> list[Block]:
    """Return blocks with the text of an image as it is, without formatting, links and mentions.

    Args:
        text: its lines, separated by line feeds; text from outside.
        most: number of sections. What does not fit is left out, and a line says so.
    """
    parts: list[str] = []
    for line in text.splitlines():
        # A fence in the text would end the block.
        shown = entities(plain(line, _LONGEST_LINE)).replace("`", "\N{MODIFIER LETTER GRAVE ACCENT}")
        if parts and len(parts[-1]) + len(shown) + 2 * len(_FENCE) < SECTION_TEXT:
            parts[-1] += f"\n{shown}"
        elif shown:
            parts.append(shown)
    blocks = [section(f"{_FENCE}{part}{_FENCE}") for part in parts[:most]]
    return [*blocks, small_text("The rest of the text is left out.")] if len(parts) > most else blocks
