"""The modal in which a person chooses an image."""

import json
from dataclasses import asdict, dataclass

from findimg.search.query import LONGEST
from findimg.search.query.filters import FORMATS
from findimg_bot.slack.blocks.elements import Block, plain_text, small_text
from findimg_bot.slack.blocks.text import plain
from findimg_bot.slack.limits import check_view
from findimg_bot.slack.pictures.image_files import SlackFile, image_among
from findimg_bot.slack_objects import SlackObject

CHOOSE_IMAGE = "image"  # callback_id
IMAGE_BLOCK = "image"
# action_id of the buttons that open the modal; their value is the command
CHOOSE_TO_TAG, CHOOSE_FOR_SIMILAR = "choose_to_tag", "choose_for_similar"
_FILE = "file"


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What to do with the image that a person chooses in a modal."""

    command: str  # `/tag` or `/similar`
    channel: str  # id of the channel for the answer; empty is the direct message
    text: str = ""  # what was typed after the command, at most `LONGEST` characters
    thread: str | None = None  # timestamp of the thread for the answer


def choose_image_modal(request: ImageRequest, note: str = "") -> Block:
    """Return the modal that asks for an image.

    Args:
        note: why the person has to choose one.
    """
    command = request.command
    metadata = asdict(request) | {"text": plain(request.text, LONGEST)}
    view = {
        "type": "modal",
        "callback_id": CHOOSE_IMAGE,
        "title": plain_text("Tag an image" if command == "/tag" else "Find similar images"),
        "submit": plain_text("Tag it" if command == "/tag" else "Find"),
        "close": plain_text("Cancel"),
        "private_metadata": json.dumps(metadata, ensure_ascii=False),
        "blocks": [
            *([small_text(note)] if note else []),
            {
                "type": "input",
                "block_id": IMAGE_BLOCK,
                "label": plain_text("Image"),
                "element": {"type": "file_input", "action_id": _FILE, "filetypes": list(FORMATS), "max_files": 1},
            },
        ],
    }
    check_view(view)
    return view


def read_image_request(view: SlackObject) -> ImageRequest:
    """Return what to do with the image that the modal asks for."""
    return ImageRequest(**json.loads(view["private_metadata"]))


def read_chosen_image(view: SlackObject) -> SlackFile | None:
    """Return the image that the person chose, None if the file is not an image."""
    return image_among(view["state"]["values"][IMAGE_BLOCK][_FILE].get("files"))
