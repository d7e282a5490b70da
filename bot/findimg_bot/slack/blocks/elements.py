"""Small builders for the blocks and elements that findimg uses, on slack-sdk's models."""

from collections.abc import Collection, Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    CardBlock,
    CarouselBlock,
    CheckboxesElement,
    ConfirmObject,
    ContextBlock,
    ConversationFilter,
    ConversationSelectElement,
    DividerBlock,
    HeaderBlock,
    ImageBlock,
    ImageElement,
    InputBlock,
    InputInteractiveElement,
    MarkdownTextObject,
    Option,
    OptionGroup,
    PlainTextInputElement,
    PlainTextObject,
    SectionBlock,
    StaticSelectElement,
)
from slack_sdk.models.blocks.block_elements import FileInputElement

from findimg_bot.slack.limits import (
    CARD_BODY,
    CARD_TITLE,
    CONFIRM_BUTTON,
    CONFIRM_TEXT,
    CONFIRM_TITLE,
    OPTION_TEXT,
    SECTION_TEXT,
    clip,
)

Block = dict[str, Any]


def plain_text(text: str) -> Block:
    """Return a plain text object in which `:name:` stays as it is."""
    return dict(PlainTextObject(text=text, emoji=False).to_dict())


def section(text: str, accessory: Block | None = None) -> Block:
    """Return a section of mrkdwn, clipped to Slack's limit, with an optional element beside it."""
    block = SectionBlock(text=MarkdownTextObject(text=clip(text, SECTION_TEXT)), accessory=accessory)
    return dict(block.to_dict())


def plain_section(text: str) -> Block:
    """Return a section of plain text."""
    return dict(SectionBlock(text=PlainTextObject(text=text, emoji=False)).to_dict())


def small_text(text: str) -> Block:
    """Return a line of small mrkdwn, clipped to Slack's limit."""
    return dict(ContextBlock(elements=[MarkdownTextObject(text=clip(text, SECTION_TEXT))]).to_dict())


def header(text: str) -> Block:
    """Return a header."""
    return dict(HeaderBlock(text=PlainTextObject(text=text, emoji=False)).to_dict())


def divider() -> Block:
    """Return a horizontal line."""
    return dict(DividerBlock().to_dict())


def image(source: Block, alt_text: str) -> Block:
    """Return an image block.

    Args:
        source: `{"image_url": …}` or `{"slack_file": {"id": …}}`.
    """
    return dict(ImageBlock(alt_text=alt_text, **source).to_dict())


def thumbnail(source: Block, alt_text: str) -> Block:
    """Return an image element, for the right side of a section. Arguments as of `image`."""
    return dict(ImageElement(alt_text=alt_text, **source).to_dict())


def button(text: str, action: str, value: str, style: str = "", confirm: str = "") -> Block:
    """Return a button.

    Args:
        action: its action_id, which names its listener.
        value: what the listener gets.
        style: `primary`, `danger`, or empty.
        confirm: what happens, which the person has to confirm; empty asks nothing.
    """
    element = ButtonElement(
        text=PlainTextObject(text=text, emoji=False),
        action_id=action,
        value=value,
        style=style or None,
        confirm=_confirmation(text, confirm) if confirm else None,
    )
    return dict(element.to_dict())


def _confirmation(title: str, text: str) -> ConfirmObject:
    return ConfirmObject(
        title=PlainTextObject(text=clip(title, CONFIRM_TITLE), emoji=False),
        text=PlainTextObject(text=clip(text, CONFIRM_TEXT), emoji=False),
        confirm=PlainTextObject(text=clip(title, CONFIRM_BUTTON), emoji=False),
        deny=PlainTextObject(text="Cancel", emoji=False),
    )


def menu(placeholder: str, action: str, groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> Block:
    """Return a menu of grouped choices.

    Args:
        action: its action_id, which names its listener.
        groups: for each group its label, and the text and value of each choice.
    """
    element = StaticSelectElement(
        placeholder=PlainTextObject(text=placeholder, emoji=False),
        action_id=action,
        option_groups=[
            OptionGroup(
                label=PlainTextObject(text=clip(label, OPTION_TEXT), emoji=False),
                options=[
                    Option(text=PlainTextObject(text=clip(text, OPTION_TEXT), emoji=False), value=value)
                    for text, value in choices
                ],
            )
            for label, choices in groups
        ],
    )
    return dict(element.to_dict())


def select(placeholder: str, action: str, choices: Sequence[tuple[str, str]]) -> StaticSelectElement:
    """Return a select for an input, whose first choice is selected.

    Args:
        action: its action_id.
        choices: text and value of each choice.
    """
    options = [Option(text=PlainTextObject(text=clip(text, OPTION_TEXT), emoji=False), value=v) for text, v in choices]
    return StaticSelectElement(
        placeholder=PlainTextObject(text=placeholder, emoji=False),
        action_id=action,
        options=options,
        initial_option=options[0],
    )


def conversation_select(placeholder: str, action: str) -> ConversationSelectElement:
    """Return a select of a conversation of this organisation, for an input.

    The current conversation is selected. When the modal is submitted, Slack sends a response_url for the conversation.

    Args:
        action: its action_id.
    """
    return ConversationSelectElement(
        placeholder=PlainTextObject(text=placeholder, emoji=False),
        action_id=action,
        default_to_current_conversation=True,
        response_url_enabled=True,
        filter=ConversationFilter(include=["im", "mpim", "private", "public"], exclude_external_shared_channels=True),
    )


def text_input(placeholder: str, action: str, most: int, focus: bool = True) -> PlainTextInputElement:
    """Return a text field for an input, which sends its text when the person presses Enter.

    Args:
        action: its action_id, which names its listener.
        most: maximum number of characters.
        focus: whether the field is ready for typing.
    """
    return PlainTextInputElement(
        placeholder=PlainTextObject(text=placeholder, emoji=False),
        action_id=action,
        max_length=most,
        focus_on_load=focus or None,
        dispatch_action_config={"trigger_actions_on": ["on_enter_pressed"]},
    )


def text_field(placeholder: str, action: str, most: int, initial: str) -> PlainTextInputElement:
    """Return a text field for an input, whose text is read when the modal is submitted.

    Args:
        action: its action_id.
        most: maximum number of characters.
        initial: text that is there already. Without one, the field is ready for typing.
    """
    return PlainTextInputElement(
        placeholder=PlainTextObject(text=placeholder, emoji=False),
        action_id=action,
        max_length=most,
        initial_value=initial or None,
        focus_on_load=None if initial else True,
    )


def checkboxes(action: str, choices: Sequence[tuple[str, str]], ticked: Collection[str] = ()) -> CheckboxesElement:
    """Return check boxes for an input, at most 10.

    Args:
        action: their action_id.
        choices: text and value of each box.
        ticked: values of the boxes that are ticked already.
    """
    options = [Option(text=PlainTextObject(text=clip(text, OPTION_TEXT), emoji=False), value=v) for text, v in choices]
    return CheckboxesElement(
        action_id=action,
        options=options,
        initial_options=[option for option in options if option.value in ticked] or None,
    )


def file_input(action: str, types: Sequence[str], most: int) -> FileInputElement:
    """Return a field for files of an input.

    Args:
        action: its action_id.
        types: endings of file names, such as `jpg`.
        most: maximum number of files.
    """
    return FileInputElement(action_id=action, filetypes=list(types), max_files=most)


def labelled(
    block: str, label: str, element: InputInteractiveElement, dispatches: bool = False, optional: bool = False
) -> Block:
    """Return an input.

    Args:
        block: its block_id, under which a submitted view holds its value.
        label: plain text.
        dispatches: whether using the element calls its listener.
        optional: whether the person may leave it empty.
    """
    made = InputBlock(
        block_id=block,
        label=PlainTextObject(text=label, emoji=False),
        element=element,
        dispatch_action=dispatches or None,
        optional=optional or None,
    )
    return dict(made.to_dict())


def card(hero_image: Block, title: str, subtitle: str, body: str, buttons: Sequence[Block]) -> Block:
    """Return a card with a picture, for a carousel.

    Args:
        hero_image: as `thumbnail` returns it, with a public address.
        title: plain text.
        subtitle: plain text.
        body: plain text, may be empty.
        buttons: of the card.
    """
    block = CardBlock(
        hero_image=hero_image,
        title=PlainTextObject(text=clip(title, CARD_TITLE), emoji=False),
        subtitle=PlainTextObject(text=clip(subtitle, CARD_TITLE), emoji=False),
        body=PlainTextObject(text=clip(body, CARD_BODY), emoji=False) if body else None,
        actions=list(buttons),
    )
    return dict(block.to_dict())


def carousel(cards: Sequence[Block]) -> Block:
    """Return cards in a row that scrolls sideways."""
    return dict(CarouselBlock(elements=list(cards)).to_dict())


def actions(elements: Sequence[Block]) -> Block:
    """Return a row of elements that can be used."""
    return dict(ActionsBlock(elements=list(elements)).to_dict())
