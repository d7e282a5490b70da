"""Small builders for the blocks and elements that findimg uses, on slack-sdk's models."""

from collections.abc import Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ContextBlock,
    DividerBlock,
    HeaderBlock,
    ImageBlock,
    ImageElement,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from findimg_bot.slack.limits import SECTION_TEXT, clip

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


def actions(elements: Sequence[Block]) -> Block:
    """Return a row of elements that can be used."""
    return dict(ActionsBlock(elements=list(elements)).to_dict())
