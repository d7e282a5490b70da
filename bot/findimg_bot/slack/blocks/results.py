"""Messages that show found images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from findimg.errors import QueryError
from findimg.library.manifest import Manifest
from findimg.search.searcher import Hit
from findimg_bot.service.answers import ImageResults
from findimg_bot.slack.blocks.elements import Block, actions, button, context, image, section
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.text import escaped, file_name, local_date, notification_text, plain
from findimg_bot.slack.limits import ALT_TEXT, SECTION_TEXT, clip

_RELEVANCE = ((0.75, "strong match"), (0.4, "good match"), (0.15, "fair match"), (-1.0, "faint match"))
_SIMILARITY = ((0.98, "nearly identical"), (0.8, "very similar"), (0.6, "similar"), (-1.0, "somewhat similar"))


@dataclass(frozen=True, slots=True)
class HitPictures:
    """Where Slack finds the pictures of an answer's hits."""

    sources: Mapping[str, Block] = field(default_factory=dict)  # SHA-256 → {"image_url"} or {"slack_file"}
    sheet: Block | None = None  # one picture of all hits, where some hits have no picture of their own
    note: str = ""  # why some pictures are missing
    fresh: bool = False  # whether some were uploaded just now


@dataclass(frozen=True, slots=True)
class HitDetails:
    """One hit, with what the answer says about it."""

    hit: Hit
    folder: str  # below the source, empty at its top
    tags: tuple[str, ...]  # best first
    link: str = ""  # where the image can be opened
    on_request: bool = False  # whether a link can be made when somebody asks for it


def results_message(
    results: ImageResults,
    details: Sequence[HitDetails],
    pictures: HitPictures,
    manifest: Manifest,
    title: str,
    question_id: str,
    skip: int = 0,
    by_similarity: bool = False,
    lead: Sequence[Block] = (),
    shared: bool = False,
) -> Message:
    """Return the answer that shows one page of hits.

    Args:
        details: of the hits of `results`, in their order.
        title: what was asked for, in mrkdwn.
        question_id: id of the stored question, which the buttons carry.
        skip: number of hits on earlier pages.
        by_similarity: whether the scores are similarities of images, not relevance to words.
        lead: blocks that come first.
        shared: whether everybody in a channel sees the answer, which then needs no button to share it.
    """
    blocks = [*lead]
    if results.hits:
        place = f" · {skip + 1} to {skip + len(results.hits)}" if skip or results.more else ""
        blocks.append(section(f"{title}{place}"))
    else:
        blocks.append(section(f"{title}: no more images." if skip else f"{title}: nothing found."))
    if results.note:
        blocks.append(context(f":information_source: {escaped(results.note, SECTION_TEXT // 4)}"))
    names = ", ".join(plain(file_name(hit.uri), 60) for hit in results.hits)
    if pictures.sheet and results.hits:
        blocks.append(image(pictures.sheet, clip(f"In this order: {names}", ALT_TEXT)))
    for number, each in enumerate(details):
        blocks += _hit(each, pictures, f"{question_id}.{number}", _SIMILARITY if by_similarity else _RELEVANCE)
    if pictures.note:
        blocks.append(context(f":warning: {escaped(pictures.note, SECTION_TEXT // 4)}"))
    buttons = [button("Next", "next", question_id, "primary")] if results.more else []
    if results.hits and not shared:
        buttons.append(button("Share to channel", "share", question_id))
    if buttons:
        blocks.append(actions(buttons))
    blocks.append(context(f"{manifest.images:,} images · indexed {local_date(manifest.created)}"))
    count = f"{len(results.hits)} image{'s' * (len(results.hits) != 1)}"
    return Message(notification_text(f"{count}: {names}" if names else f"Nothing found. {results.note}"), blocks)


def shared_by_block(user: str) -> Block:
    """Return the line that names the person who shared an answer."""
    return context(f"Shared by <@{user}> with findimg")


def link_message(uri: str, link: str, minutes: int) -> Message:
    """Return a message with a link to an image.

    Args:
        minutes: how long the link is valid.

    Raises:
        QueryError: the link is too long for a message.
    """
    name = escaped(file_name(uri))
    if len(f"<{link}|Open {name}>") > SECTION_TEXT:
        raise QueryError("The link to that image is longer than Slack can show. Ask the operator of findimg for it.")
    return Message(
        notification_text(f"A link to {file_name(uri)}"),
        [
            section(f"<{link}|Open {name}>"),
            context(f"Anyone with this link can open the image for {minutes} minutes."),
        ],
    )


def _hit(each: HitDetails, pictures: HitPictures, value: str, scale: Sequence[tuple[float, str]]) -> list[Block]:
    hit, name = each.hit, file_name(each.hit.uri)
    blocks: list[Block] = []
    if source := pictures.sources.get(hit.sha256):
        about = f"{plain(name)}: {', '.join(each.tags)}" if each.tags else plain(name)
        blocks.append(image(source, plain(about, ALT_TEXT) or "image"))
    words = next(word for least, word in scale if hit.score >= least)
    facts = [escaped(each.folder)] if each.folder else []
    if hit.taken:
        facts.append(f"{hit.taken:%-d %B %Y}")
    facts.append(f"{hit.width} × {hit.height}")
    text = f"*{escaped(name)}*  {words} ({hit.score:.2f})\n{' · '.join(facts)}"
    link = f" · <{each.link}|Open>" if each.link else ""
    # A clipped link would show its markup.
    blocks.append(section(text + link if len(text + link) <= SECTION_TEXT else text))
    buttons = [button("More like this", "more_like_this", value)]
    if each.on_request:
        buttons.append(button("Open…", "open_image", value))
    blocks.append(actions(buttons))
    return blocks
