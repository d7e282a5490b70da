"""The modal in which a person chooses an image."""

import json

from findimg.search.query import FORMATS, LONGEST
from findimg_bot.slack.blocks.elements import Block, plain_text
from findimg_bot.slack.blocks.text import plain
from findimg_bot.slack.limits import check_view


def image_modal(command: str, channel: str, text: str = "") -> Block:
    """Return the modal that asks for an image.

    Args:
        command: what to do with the image, `/tag` or `/similar`.
        channel: id of the channel for the answer; empty is the direct message.
        text: what was typed after the command, at most `LONGEST` characters.
    """
    metadata = {"command": command, "channel": channel, "text": plain(text, LONGEST)}
    view = {
        "type": "modal",
        "callback_id": "image",
        "title": plain_text("Tag an image" if command == "/tag" else "Find similar images"),
        "submit": plain_text("Tag it" if command == "/tag" else "Find"),
        "close": plain_text("Cancel"),
        "private_metadata": json.dumps(metadata, ensure_ascii=False),
        "blocks": [
            {
                "type": "input",
                "block_id": "image",
                "label": plain_text("Image"),
                "element": {"type": "file_input", "action_id": "file", "filetypes": list(FORMATS), "max_files": 1},
            }
        ],
    }
    check_view(view)
    return view
