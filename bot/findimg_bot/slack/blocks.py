"""Answers as Slack shows them: Block Kit messages, modals and the Home tab."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from findimg.errors import QueryError
from findimg.library.library import Manifest
from findimg.search.query import FORMATS, LONGEST
from findimg.search.searcher import Hit
from findimg_bot.service.answers import Found, Related, Tagged
from findimg_bot.slack.limits import ALT_TEXT, MESSAGE_TEXT, SECTION_TEXT, check_message, check_view, clip

Block = dict[str, Any]
_MARKS = re.compile(r"[*~`]")
_BAR = 5  # marks that a score of 1 fills
_QUOTED = 200  # characters of a query or a name that are said again
_MATCH = ((0.75, "strong match"), (0.4, "good match"), (0.15, "fair match"), (-1.0, "faint match"))
_LIKENESS = ((0.98, "nearly the same"), (0.8, "very much alike"), (0.6, "alike"), (-1.0, "somewhat alike"))

HELP = {
    "/findimg": (
        "*Find images by what is on them*\n"
        "`/findimg cat sofa`  images with both first\n"
        '`/findimg "fire engine" -truck`  a phrase; without trucks\n'
        "`/findimg cat:2 sofa`  the cat matters twice as much\n"
        "`/findimg beach in:2024/party before:2024-06-01 type:png`  by folder, by the camera's date, by format\n"
        "`/findimg like:LINK`  images that look like one"
    ),
    "/tag": (
        "*Say what is on an image*\n"
        "`/tag`  the newest image in this channel, or one that you choose\n"
        "`/tag LINK`  an image in Slack: *Copy link* in its menu\n"
        "Or use *Tag this image* in the menu of any message with an image."
    ),
    "/similar": (
        "*Find images like one*\n"
        "`/similar`  like the newest image in this channel, or one that you choose\n"
        "`/similar LINK`  like an image in Slack: *Copy link* in its menu\n"
        '`/similar like:ADDRESS class:"siamese cat"`  like an indexed image, but the cat in it\n'
        "Or use *Find similar* in the menu of any message with an image."
    ),
    "/words": "*Find words of like meaning*\n`/words dog`  the nearest words, with their distances",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the blocks, and the text that notifications and screen readers use."""

    text: str
    blocks: Sequence[Block] = ()

    def __post_init__(self) -> None:
        check_message(self.text, self.blocks)


@dataclass(frozen=True, slots=True)
class Pictures:
    """How the images of an answer can be shown."""

    sources: Mapping[str, Block] = field(default_factory=dict)  # SHA-256 → {"image_url"} or {"slack_file"}
    sheet: Block | None = None  # one picture of all hits, where there is none of each
    note: str = ""  # why some cannot be shown
    fresh: bool = False  # whether some were uploaded just now


@dataclass(frozen=True, slots=True)
class Shown:
    """One hit, with what a person wants to know about it."""

    hit: Hit
    folder: str
    tags: tuple[str, ...]  # best first
    link: str = ""  # where the image can be opened
    on_request: bool = False  # whether a link can be made for somebody who asks


def plain(text: str, most: int = _QUOTED) -> str:
    """Text from outside on one line: without what cannot be seen or turns the writing's direction, and not endless."""
    visible = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return clip(" ".join(visible.split()), most)


def escaped(text: str, most: int = _QUOTED) -> str:
    """Text from outside within Slack's mrkdwn: it neither calls anybody nor formats anything."""
    # Slack knows no escape for marks; with a joiner beside them they are none.
    return _MARKS.sub("\N{WORD JOINER}\\g<0>\N{WORD JOINER}", _entities(plain(text, most)))


def sentence(text: str) -> Message:
    """A message of text alone, which comes from ourselves or from an error, so nothing in it formats."""
    shown = plain(text, SECTION_TEXT)
    return Message(_said(shown), [{"type": "section", "text": _text(shown)}])


def help_message(command: str) -> Message:
    """What a command understands."""
    return Message(f"How to ask with {command}", [_section(_entities(HELP[command]))])


def found_message(
    found: Found,
    shown: Sequence[Shown],
    pictures: Pictures,
    manifest: Manifest,
    title: str,
    kept: str,
    skip: int = 0,
    alike: bool = False,
    lead: Sequence[Block] = (),
    shared: bool = False,
) -> Message:
    """Hits with their thumbnails.

    Args:
        shown: the hits of `found`.
        title: what was asked for, in mrkdwn.
        kept: the id under which the question is kept, which the buttons carry.
        skip: how many hits were shown before.
        alike: whether the scores are of likeness, not of words.
        lead: blocks that go first.
        shared: whether it goes to a whole channel, and so needs no button for that.
    """
    blocks = [*lead]
    if found.hits:
        place = f" · {skip + 1} to {skip + len(found.hits)}" if skip or found.more else ""
        blocks.append(_section(f"{title}{place}"))
    else:
        blocks.append(_section(f"{title}: that is all." if skip else f"{title}: nothing found."))
    if found.note:
        blocks.append(_context(f":information_source: {escaped(found.note, SECTION_TEXT // 4)}"))
    names = ", ".join(plain(name_of(hit.uri), 60) for hit in found.hits)
    if pictures.sheet and found.hits:
        blocks.append({"type": "image", **pictures.sheet, "alt_text": clip(f"In this order: {names}", ALT_TEXT)})
    for number, each in enumerate(shown):
        blocks += _hit(each, pictures, f"{kept}.{number}", _LIKENESS if alike else _MATCH)
    if pictures.note:
        blocks.append(_context(f":warning: {escaped(pictures.note, SECTION_TEXT // 4)}"))
    buttons = [_button("Next", "next", kept, "primary")] if found.more else []
    if found.hits and not shared:
        buttons.append(_button("Share to channel", "share", kept))
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    blocks.append(_footer(manifest))
    count = f"{len(found.hits)} image{'s' * (len(found.hits) != 1)}"
    return Message(_said(f"{count}: {names}" if names else f"Nothing found. {found.note}"), blocks)


def tags_blocks(tagged: Tagged, name: str, image: Block | None, kept: str | None) -> list[Block]:
    """What is on an image.

    Args:
        name: what the image is called.
        image: where it can be seen: `{"slack_file"}` or `{"image_url"}`.
        kept: the id of the question, for a button that asks for similar images; None leaves it out.
    """
    blocks: list[Block] = []
    words = ", ".join(tag.word for tag in tagged.tags[:5])
    if image:
        blocks.append({"type": "image", **image, "alt_text": plain(f"{plain(name)}: {words or 'no tags'}", ALT_TEXT)})
    lines = [f"{_bar(tag.score)} *{escaped(tag.word)}* {tag.score:.2f}" for tag in tagged.tags]
    head = f"On *{escaped(name)}*:" if lines else f"There is nothing on *{escaped(name)}* that I know a word for."
    blocks.append(_section("\n".join([head, *lines])))
    if kept:
        buttons = [
            _button("Find similar", "find_similar", kept, "primary"),
            _button("Another image…", "choose_to_tag", "/tag"),
        ]
        blocks.append({"type": "actions", "elements": buttons})
    return blocks


def tags_message(tagged: Tagged, name: str, image: Block | None, kept: str) -> Message:
    """What is on an image, with a button for similar ones."""
    words = ", ".join(tag.word for tag in tagged.tags) or "nothing that I know a word for"
    return Message(_said(f"On {name}: {words}"), tags_blocks(tagged, name, image, kept))


def shared_block(user: str) -> Block:
    """Says who shows an answer to the channel."""
    return _context(f"<@{user}> found this with findimg")


def link_message(uri: str, link: str, minutes: int) -> Message:
    """A link to an image itself.

    Args:
        minutes: how long it is good for.

    Raises:
        QueryError: the link is too long for a message.
    """
    name = escaped(name_of(uri))
    if len(f"<{link}|Open {name}>") > SECTION_TEXT:
        raise QueryError("The link to that image is longer than Slack can show; ask whoever runs findimg.")
    return Message(
        _said(f"A link to {name_of(uri)}"),
        [
            _section(f"<{link}|Open {name}>"),
            _context(f"Whoever has this link can open the image for {minutes} minutes."),
        ],
    )


def words_message(related: Related, word: str) -> Message:
    """The nearest words."""
    lines = [f"{_bar(1 - far / 2)} *{escaped(near)}* {far:.2f}" for near, far in related.words]
    text = f"Near {word}: {', '.join(near for near, _ in related.words)}"
    head = f"Words near *{escaped(word)}*, with their distance:"
    return Message(_said(text), [_section("\n".join([head, *lines]))])


def welcome_message(images: int, words: Sequence[str]) -> Message:
    """What somebody who is here for the first time can do.

    Args:
        words: what is on some of the images, for examples; empty where the library knows no words.
    """
    first = words[0] if words else ""
    lines = [f":wave: *{images:,} images* are here to be found. Type into the box below:"]
    lines += [f"• `/findimg {escaped(word)}`" for word in words]
    lines += [
        "• `/tag`  and choose an image: it says what is on it",
        "• or upload an image, and use *Tag this image* or *Find similar* in the message's menu",
    ]
    if first:
        lines.append(f"• or write `@findimg {escaped(first)}` into a thread")
    return Message(_said(f"Welcome! {images:,} images are here to be found."), [_section("\n".join(lines))])


def home_view(manifest: Manifest | None, problem: str = "") -> Block:
    """The Home tab: what is indexed, since when, how to ask.

    Args:
        problem: why nothing can be answered, where there is no version.
    """
    blocks: list[Block] = [{"type": "header", "text": _text("Find the team's pictures")}]
    if manifest:
        failed = f" {manifest.failed:,} could not be read." if manifest.failed else ""
        blocks.append(_section(f"*{manifest.images:,} images* are indexed, as of {_date(manifest.created)}.{failed}"))
        sources = ", ".join(escaped(source) for source in manifest.sources[:10])
        blocks.append(_context(f"From {sources} · {escaped(manifest.backbone)} · {escaped(manifest.words)}"))
    else:
        blocks.append(_section(f":warning: {escaped(problem, SECTION_TEXT // 4)}"))
    for text in HELP.values():
        blocks += [{"type": "divider"}, _section(_entities(text))]
    blocks += [
        {"type": "divider"},
        _section(
            "Or write to me here, or mention me in a thread: words are a search, an image is tags and similar images."
        ),
        _button_row(
            _button("Tag an image", "choose_to_tag", "/tag"),
            _button("Find similar images", "choose_for_similar", "/similar"),
        ),
    ]
    view = {"type": "home", "blocks": blocks}
    check_view(view)
    return view


def image_modal(command: str, channel: str, text: str = "") -> Block:
    """The modal that asks for an image.

    Args:
        command: what to do with it, `/tag` or `/similar`.
        channel: where the answer goes; empty is the direct message.
        text: what was typed after the command, at most `LONGEST` characters of a query.
    """
    asked = {"command": command, "channel": channel, "text": plain(text, LONGEST)}
    view = {
        "type": "modal",
        "callback_id": "image",
        "title": _text("Tag an image" if command == "/tag" else "Find similar images"),
        "submit": _text("Tag it" if command == "/tag" else "Find"),
        "close": _text("Cancel"),
        "private_metadata": json.dumps(asked, ensure_ascii=False),
        "blocks": [
            {
                "type": "input",
                "block_id": "image",
                "label": _text("Image"),
                "element": {"type": "file_input", "action_id": "file", "filetypes": list(FORMATS), "max_files": 1},
            }
        ],
    }
    check_view(view)
    return view


def name_of(uri: str) -> str:
    """What an image is called."""
    return PurePosixPath(uri).name


def _hit(each: Shown, pictures: Pictures, value: str, scale: Sequence[tuple[float, str]]) -> list[Block]:
    hit, name = each.hit, name_of(each.hit.uri)
    blocks: list[Block] = []
    if source := pictures.sources.get(hit.sha256):
        about = f"{plain(name)}: {', '.join(each.tags)}" if each.tags else plain(name)
        blocks.append({"type": "image", **source, "alt_text": plain(about, ALT_TEXT) or "image"})
    words = next(word for least, word in scale if hit.score >= least)
    facts = [escaped(each.folder)] if each.folder else []
    if hit.taken:
        facts.append(f"{hit.taken:%-d %B %Y}")
    facts.append(f"{hit.width} × {hit.height}")
    text = f"*{escaped(name)}*  {words} ({hit.score:.2f})\n{' · '.join(facts)}"
    link = f" · <{each.link}|Open>" if each.link else ""
    # Half a link would be shown as it is written.
    blocks.append(_section(text + link if len(text + link) <= SECTION_TEXT else text))
    buttons = [_button("More like this", "more_like_this", value)]
    if each.on_request:
        buttons.append(_button("Open…", "open_image", value))
    blocks.append(_button_row(*buttons))
    return blocks


def _footer(manifest: Manifest) -> Block:
    return _context(f"{manifest.images:,} images · indexed {_date(manifest.created)}")


def _entities(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text


def _said(text: str) -> str:
    """What notifications and screen readers say."""
    return clip(_entities(plain(text, MESSAGE_TEXT // 2)), MESSAGE_TEXT)


def _date(iso: str) -> str:
    """A time that each person reads in their own time zone."""
    when = datetime.fromisoformat(iso)
    return f"<!date^{when.timestamp():.0f}^{{date_short_pretty}} at {{time}}|{when:%-d %B %Y, %H:%M} UTC>"


def _bar(score: float) -> str:
    filled = round(_BAR * max(0.0, min(1.0, score)))
    return "▰" * filled + "▱" * (_BAR - filled)


def _text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": clip(text, SECTION_TEXT)}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": clip(text, SECTION_TEXT)}]}


def _button(text: str, action: str, value: str, style: str = "") -> Block:
    button = {"type": "button", "text": _text(text), "action_id": action, "value": value}
    return button | {"style": style} if style else button


def _button_row(*buttons: Block) -> Block:
    return {"type": "actions", "elements": list(buttons)}
