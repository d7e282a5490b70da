"""Slack's limits on messages and views, and the checks that everything the bot sends must pass.

slack-sdk's own validators are not enough: they accept 51 blocks, an image without a source, and an image with two.

Source: Slack's reference of blocks, block elements and composition objects.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from findimg_bot.slack_objects import SlackObject

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MESSAGE_TEXT = 4000  # characters, here and below
SECTION_TEXT = 3000
FIELD_TEXT = 2000
FIELDS = 10
HEADER_TEXT = 150
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
BUTTON_TEXT = 75
BUTTON_VALUE = 2000
ALT_TEXT = 2000
IMAGE_TITLE = 2000
IMAGE_URL = 3000
IDENTIFIER = 255
VIEW_TITLE = 24
VIEW_BUTTON = 24
LABEL_TEXT = 2000
PRIVATE_METADATA = 3000
FILES = 10
OPTION_TEXT = 75
OPTION_VALUE = 150
OPTIONS = 100
CAROUSEL_CARDS = 10
CARD_TITLE = 150  # and subtitle
CARD_BODY = 200
CARD_ACTIONS = 3
PLACEHOLDER = 150
INPUT_TEXT = 3000
PROMPTS = 4  # that the assistant panel suggests
SEARCH_RESULTS = 50
CHECKBOXES = 10
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30


class LimitError(Exception):
    """Slack would refuse a message or view. This is a programming error."""


def clip(text: str, most: int) -> str:
    """Return text of at most `most` characters, with an ellipsis where it is clipped."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def check_message(text: str, blocks: Sequence[SlackObject]) -> None:
    """Check a message.

    Raises:
        LimitError: Slack would refuse or truncate it.
    """
    _length("message text", text, MESSAGE_TEXT)
    _blocks(blocks, MESSAGE_BLOCKS)


def check_view(view: SlackObject) -> None:
    """Check a modal or a Home tab.

    Raises:
        LimitError: Slack would refuse it.
    """
    if view["type"] == "modal":
        _length("view title", view["title"]["text"], VIEW_TITLE)
        for name in ("submit", "close"):
            if name in view:
                _length(f"view {name}", view[name]["text"], VIEW_BUTTON)
    if len(view.get("private_metadata", "")) > PRIVATE_METADATA:
        raise LimitError(f"private_metadata has more than {PRIVATE_METADATA} characters")
    _identifier(view.get("callback_id", "view"))
    _blocks(view["blocks"], VIEW_BLOCKS)


def _blocks(blocks: Sequence[SlackObject], most: int) -> None:
    if len(blocks) > most:
        raise LimitError(f"{len(blocks)} blocks, at most {most} are allowed")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        raise LimitError("a block_id occurs twice")
    for block in blocks:
        _identifier(block.get("block_id", "block"))
        check = _BLOCK_CHECKS.get(block["type"])
        if check is None:
            raise LimitError(f"the limits of a block {block['type']!r} are not known")
        check(block)


def _header(block: SlackObject) -> None:
    _length("header", block["text"]["text"], HEADER_TEXT)


def _context(block: SlackObject) -> None:
    _count("context elements", block["elements"], CONTEXT_ELEMENTS)
    for element in block["elements"]:
        _element(element)


def _actions(block: SlackObject) -> None:
    _count("actions", block["elements"], ACTIONS_ELEMENTS)
    _distinct(block["elements"])
    for element in block["elements"]:
        _element(element)


def _carousel(block: SlackObject) -> None:
    _count("cards", block["elements"], CAROUSEL_CARDS)
    for card in block["elements"]:
        _card(card)


def _input(block: SlackObject) -> None:
    _length("label", block["label"]["text"], LABEL_TEXT)
    _element(block["element"])


def _divider(block: SlackObject) -> None:
    """A divider has no limits."""


def _section(block: SlackObject) -> None:
    if "text" in block:
        _length("section", block["text"]["text"], SECTION_TEXT)
    elif not block.get("fields"):
        raise LimitError("a section has neither text nor fields")
    if "fields" in block:
        _count("fields", block["fields"], FIELDS)
        for field in block["fields"]:
            _length("field", field["text"], FIELD_TEXT)
    if "accessory" in block:
        _element(block["accessory"])


def _card(card: SlackObject) -> None:
    for name, most in (("title", CARD_TITLE), ("subtitle", CARD_TITLE), ("body", CARD_BODY)):
        if name in card:
            _length(f"card {name}", card[name]["text"], most)
    if "hero_image" in card:
        _image(card["hero_image"])
        if "slack_file" in card["hero_image"]:
            raise LimitError("a card shows a slack_file as an empty space")
    if "actions" in card:
        _count("buttons of a card", card["actions"], CARD_ACTIONS)
    _distinct(card.get("actions", ()))
    for element in card.get("actions", ()):
        _element(element)


def _image(image: SlackObject) -> None:
    _length("alt_text", image["alt_text"], ALT_TEXT)
    if "title" in image:
        _length("image title", image["title"]["text"], IMAGE_TITLE)
    if ("image_url" in image) == ("slack_file" in image):
        raise LimitError("an image has both or neither of image_url and slack_file")
    if "image_url" in image:
        _length("image_url", image["image_url"], IMAGE_URL)
    elif set(image["slack_file"]) not in ({"id"}, {"url"}):
        raise LimitError("a slack_file has both or neither of id and url")


def _element(element: SlackObject) -> None:
    check = _ELEMENT_CHECKS.get(element["type"])
    if check is None:
        raise LimitError(f"the limits of an element {element['type']!r} are not known")
    check(element)


def _button(button: SlackObject) -> None:
    _length("button", button["text"]["text"], BUTTON_TEXT)
    _identifier(button["action_id"])
    if len(button.get("value", "")) > BUTTON_VALUE:
        raise LimitError(f"a button's value has more than {BUTTON_VALUE} characters")
    if len(button.get("url", "")) > IMAGE_URL:
        raise LimitError(f"a button's url has more than {IMAGE_URL} characters")
    if "confirm" in button:
        _confirmation(button["confirm"])


def _menu(menu: SlackObject) -> None:
    _identifier(menu["action_id"])
    _placeholder(menu)
    groups = menu.get("option_groups") or [menu]
    _count("option groups", groups, OPTIONS)
    for group in groups:
        if "label" in group:
            _length("option group", group["label"]["text"], OPTION_TEXT)
        _count("options", group["options"], OPTIONS)
        _options(group["options"])


def _checkboxes(element: SlackObject) -> None:
    _identifier(element["action_id"])
    _count("check boxes", element["options"], CHECKBOXES)
    _options([*element["options"], *element.get("initial_options", ())])


def _context_text(element: SlackObject) -> None:
    _length("context text", element["text"], SECTION_TEXT)


def _file_input(element: SlackObject) -> None:
    _identifier(element["action_id"])
    if not 1 <= element.get("max_files", FILES) <= FILES:
        raise LimitError(f"a file input takes 1 to {FILES} files")


def _text_input(element: SlackObject) -> None:
    _identifier(element["action_id"])
    most = element.get("max_length", INPUT_TEXT)
    if not 1 <= most <= INPUT_TEXT:
        raise LimitError(f"a text input takes 1 to {INPUT_TEXT} characters")
    if len(element.get("initial_value", "")) > most:
        raise LimitError(f"a text input's initial value has more than {most} characters")
    _placeholder(element)


def _conversations_select(element: SlackObject) -> None:
    _identifier(element["action_id"])
    _placeholder(element)


_BLOCK_CHECKS: Mapping[str, Callable[[SlackObject], None]] = {
    "actions": _actions,
    "carousel": _carousel,
    "context": _context,
    "divider": _divider,
    "header": _header,
    "image": _image,
    "input": _input,
    "section": _section,
}
_ELEMENT_CHECKS: Mapping[str, Callable[[SlackObject], None]] = {
    "button": _button,
    "checkboxes": _checkboxes,
    "conversations_select": _conversations_select,
    "file_input": _file_input,
    "image": _image,
    "mrkdwn": _context_text,
    "plain_text": _context_text,
    "plain_text_input": _text_input,
    "static_select": _menu,
}


def _placeholder(element: SlackObject) -> None:
    if "placeholder" in element:
        _length("placeholder", element["placeholder"]["text"], PLACEHOLDER)


def _options(options: Iterable[SlackObject]) -> None:
    for option in options:
        _length("option", option["text"]["text"], OPTION_TEXT)
        _length("option's value", option["value"], OPTION_VALUE)


def _confirmation(confirm: SlackObject) -> None:
    for name, most in (
        ("title", CONFIRM_TITLE),
        ("text", CONFIRM_TEXT),
        ("confirm", CONFIRM_BUTTON),
        ("deny", CONFIRM_BUTTON),
    ):
        _length(f"confirmation's {name}", confirm[name]["text"], most)


def _distinct(elements: Iterable[SlackObject]) -> None:
    ids = [element["action_id"] for element in elements]
    if len(ids) != len(set(ids)):
        raise LimitError("an action_id occurs twice in one block")


def _count(what: str, elements: Sequence[object], most: int) -> None:
    if not 1 <= len(elements) <= most:
        raise LimitError(f"{len(elements)} {what}, 1 to {most} are allowed")


def _length(what: str, text: str, most: int) -> None:
    if not 1 <= len(text) <= most:
        raise LimitError(f"the {what} has {len(text)} characters, 1 to {most} are allowed")


def _identifier(text: str) -> None:
    _length("identifier", text, IDENTIFIER)
