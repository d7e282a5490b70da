"""Small builders for the blocks and elements that findimg uses, on slack-sdk's models."""

from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    CardBlock,
    CarouselBlock,
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

from findimg_bot.slack.limits import CARD_BODY, CARD_TITLE, OPTION_TEXT, SECTION_TEXT, clip

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


def context(text: str) -> Block:
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


def button(text: str, action: str, value: str, style: str = "") -> Block:
    """Return a button.

    Args:
        action: its action_id, which names its listener.
        value: what the listener gets.
        style: `primary`, or empty.
    """
    element = ButtonElement(
        text=PlainTextObject(text=text, emoji=False), action_id=action, value=value, style=style or None
    )
    return dict(element.to_dict())


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


def text_input(placeholder: str, action: str, most: int) -> PlainTextInputElement:
    """Return a text field for an input, which sends its text when the person presses Enter.

    Args:
        action: its action_id, which names its listener.
        most: maximum number of characters.
    """
    return PlainTextInputElement(
        placeholder=PlainTextObject(text=placeholder, emoji=False),
        action_id=action,
        max_length=most,
        focus_on_load=True,
        dispatch_action_config={"trigger_actions_on": ["on_enter_pressed"]},
    )


def labelled(block: str, label: str, element: InputInteractiveElement, dispatches: bool = False) -> Block:
    """Return an input.

    Args:
        block: its block_id, under which a submitted view holds its value.
        label: plain text.
        dispatches: whether using the element calls its listener.
    """
    made = InputBlock(
        block_id=block,
        label=PlainTextObject(text=label, emoji=False),
        element=element,
        dispatch_action=dispatches or None,
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
