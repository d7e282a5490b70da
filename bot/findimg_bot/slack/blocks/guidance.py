"""Messages that explain how to use findimg."""

from collections.abc import Sequence

from findimg_bot.slack.blocks.elements import section
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.text import entities, escaped, notification_text
from findimg_bot.slack.limits import PROMPTS

HELP = {  # by command. The Home tab shows all of them.
    "/findimg": (
        "*Find images by what they show*\n"
        "`/findimg cat sofa`  images that show both come first\n"
        '`/findimg "fire engine" -truck`  a phrase, without trucks\n'
        "`/findimg cat:2 sofa`  the cat counts twice as much\n"
        "`/findimg beach in:2024/party before:2024-06-01 type:png`  by folder, by the camera's date, by format\n"
        "`/findimg like:LINK`  images that look like one\n"
        "`/findimg grid cat`  all images of a page on one contact sheet\n"
        "`/findimg off`  hides the pictures of this channel from searches, `/findimg on`  shows them again"
    ),
    "/tag": (
        "*Name what an image shows*\n"
        "`/tag`  the newest image in this channel, or one that you choose\n"
        "`/tag LINK`  an image in Slack: *Copy link* in its menu\n"
        "Or use *Tag this image* in the menu of any message with an image."
    ),
    "/similar": (
        "*Find images like one*\n"
        "`/similar`  like the newest image in this channel, or one that you choose\n"
        "`/similar LINK`  like an image in Slack: *Copy link* in its menu\n"
        '`/similar like:ADDRESS class:"siamese cat"`  like an indexed image, but only the cat in it counts\n'
        "Or use *Find similar* in the menu of any message with an image."
    ),
    "/teach": (
        "*Teach the team's own words*\n"
        "`/teach lotus`  with the newest image in this channel, or with pictures that you choose\n"
        "`/teach lotus LINK`  with an image in Slack: *Copy link* in its menu\n"
        "`/teach`  all taught names: who taught them, their examples, undo and remove\n"
        "Or use *Teach* below any answer, *Name this picture…* in the menu of any message with an image, or write "
        "`@findimg teach lotus` in the thread of one."
    ),
    "/words": "*Find words with a similar meaning*\n`/words dog`  the nearest words, with their distances",
}

SMALL_TALK = "Type what a picture shows to find it, such as: cat sofa. Type help to see what else works."


def help_message(command: str) -> Message:
    """Return the help of a command."""
    return Message(f"How to use {command}", [section(entities(HELP[command]))])


def welcome_message(images: int, words: Sequence[str]) -> Message:
    """Return the introduction for somebody who uses findimg for the first time.

    Args:
        images: number of images in the library.
        words: what some of the images show, used as examples; empty where the library knows no words.
    """
    lines = [f":wave: Find any of *{images:,} images* here. Type into the box below:"]
    lines += [f"• `/findimg {escaped(word)}`" for word in words]
    lines += [
        "• `/tag`  and choose an image to see what it shows",
        "• or upload an image, and use *Tag this image* or *Find similar* in the message's menu",
    ]
    if words:
        lines.append(f"• or write `@findimg {escaped(words[0])}` in a thread")
    return Message(notification_text(f"Welcome! Find any of {images:,} images here."), [section("\n".join(lines))])


def suggested_prompts(words: Sequence[str], in_channel: bool) -> list[dict[str, str]]:
    """Return what the assistant panel suggests to type.

    Args:
        words: what some images of the library show.
        in_channel: whether the panel is open beside a channel.
    """
    prompts = [{"title": f"Find {word}", "message": word} for word in words]
    if in_channel:
        prompts.insert(0, {"title": "What is on the newest picture in this channel?", "message": "What is this?"})
    return [*prompts[: PROMPTS - 1], {"title": "See what else works", "message": "help"}]
