"""Messages that show found images: one page of compact rows, of cards, or on a contact sheet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from findimg.errors import QueryError
from findimg.library.manifest import Manifest
from findimg.search.answers.results import Hit
from findimg.terminal import counted
from findimg_bot.answers import ImageResults
from findimg_bot.slack.blocks.elements import (
    Block,
    actions,
    button,
    card,
    carousel,
    image,
    menu,
    section,
    small_text,
    thumbnail,
)
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.text import escaped, escaped_match, file_name, local_date, notification_text, plain
from findimg_bot.slack.limits import ALT_TEXT, SECTION_TEXT, clip

_MAX_COPIES = 10  # of each kind that a message lists
_RELEVANCE = ((0.75, "strong match"), (0.4, "good match"), (0.15, "fair match"), (-1.0, "faint match"))
_SIMILARITY = ((0.98, "nearly identical"), (0.8, "very similar"), (0.6, "similar"), (-1.0, "somewhat similar"))


@dataclass(frozen=True, slots=True)
class HitThumbnails:
    """Where Slack finds the pictures of an answer's hits."""

    sources: Mapping[str, Block] = field(default_factory=dict)  # SHA-256 → {"image_url"} or {"slack_file"}
    sheet: Block | None = None  # one picture of all hits: the grid, or where some hits have no picture of their own
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
    copies: int = 0  # images with equal bytes, folded behind it
    near_duplicates: int = 0  # images that look nearly the same, folded behind it
    has_text: bool = False  # whether text was read in it


@dataclass(frozen=True, slots=True)
class ResultsPage:
    """One page of hits, all from one version of the library."""

    results: ImageResults
    details: Sequence[HitDetails]  # of the hits of `results`, in their order
    manifest: Manifest
    title: str  # what was asked for, in mrkdwn
    skip: int = 0  # number of hits on earlier pages
    by_similarity: bool = False  # whether the scores are similarities of images, not relevance to words
    grid: bool = False  # whether the person asked for a contact sheet
    teaches: bool = True  # whether the reader may teach names


def results_message(
    page: ResultsPage,
    pictures: HitThumbnails,
    question_id: str,
    lead: Sequence[Block] = (),
    private: bool = True,
    cards: bool = True,
) -> Message:
    """Return the answer that shows one page of hits.

    Args:
        question_id: id of the stored question, which the buttons carry.
        lead: blocks that come first.
        private: whether one person sees the answer, who may share its images.
        cards: whether images with a public address may be shown as a carousel of cards.
    """
    hits, note = page.results.hits, page.results.note
    blocks = [*lead, *heading_blocks(page)]
    names = ", ".join(plain(file_name(hit.uri), 60) for hit in hits)
    if pictures.sheet and hits:
        blocks.append(image(pictures.sheet, clip(f"In this order: {names}", ALT_TEXT)))
    if page.grid and pictures.sheet:
        blocks.append(small_text(clip(" · ".join(_numbered_names(page)), SECTION_TEXT)))
    elif cards and hits and all("image_url" in pictures.sources.get(hit.sha256, ()) for hit in hits):
        choices = [f"{question_id}.{number}" for number in range(len(hits))]
        shown = [_card(each, choice, pictures, page) for each, choice in zip(page.details, choices, strict=True)]
        blocks.append(carousel(shown))
    else:
        blocks += rows(page, pictures)
    blocks += picture_note(pictures)
    if controls := _controls(page, question_id, private):
        blocks.append(actions(controls))
    blocks.append(small_text(f"{page.manifest.images:,} images · indexed {local_date(page.manifest.created)}"))
    count = counted(len(hits), "image")
    return Message(notification_text(f"{count}: {names}" if names else f"Nothing found. {note}"), blocks)


def shared_image_message(details: HitDetails, source: Block | None, user: str, choice: str) -> Message:
    """Return a message that shows one image to everybody in a channel.

    Args:
        source: where Slack finds the picture; None shows only its name.
        user: id of the person who shares it.
        choice: value of the button for similar images.
    """
    name = file_name(details.hit.uri)
    blocks = [section(_name_and_link(details))]
    if source:
        blocks.append(image(source, _alt_text(details)))
    facts = " · ".join([*_facts(details), f"shared by <@{user}> with findimg"])
    blocks += [small_text(facts), actions([button("More like this", "more_like_this", choice)])]
    return Message(notification_text(f"Shared image: {name}"), blocks)


def share_question_message(uri: str, place: str, target: str, choice: str) -> Message:
    """Return the question whether an image may be shared with people who perhaps may not see it.

    Args:
        uri: the image.
        place: where it was posted, as mrkdwn.
        target: id of the channel to share it with.
        choice: value of the button, `<question id>.<number>`.
    """
    text = (
        f"*{escaped(file_name(uri))}* was posted in {place}. Share it with <#{target}>? Everybody there then sees it, "
        "also people who may not see it now."
    )
    share = button("Share anyway", "share_anyway", f"{choice}.{target}", "danger")
    return Message(
        notification_text(f"Share {file_name(uri)} with another channel?"), [section(text), actions([share])]
    )


def link_preview(details: HitDetails, source: Block | None, choice: str) -> list[Block]:
    """Return the preview of a link to an image.

    Args:
        source: where Slack finds the picture; None shows only its name.
        choice: value of the button for similar images.
    """
    text = f"*{escaped(file_name(details.hit.uri))}*\n{' · '.join(_facts(details))}"
    row = section(text, thumbnail(source, _alt_text(details)) if source else None)
    return [row, actions([button("More like this", "more_like_this", choice)])]


def image_choice_message(text: str, choices: Sequence[tuple[str, str]], action: str) -> Message:
    """Return a question with a menu of images.

    Args:
        text: the question, plain text.
        choices: name and value of each image.
        action: action_id of the menu.
    """
    groups = [("Pictures", [(plain(name, 60) or "image", value) for name, value in choices])]
    return Message(
        notification_text(text), [section(escaped(text)), actions([menu("Choose a picture…", action, groups)])]
    )


def link_message(uri: str, link: str, minutes: int) -> Message:
    """Return a message with a link to an image.

    Args:
        minutes: how long the link is valid; 0 for a public address, which stays valid.

    Raises:
        QueryError: the link is too long for a message.
    """
    name = escaped(file_name(uri))
    if len(f"<{link}|Open {name}>") > SECTION_TEXT:
        raise QueryError("The link to that image is longer than Slack can show. Ask the operator of findimg for it.")
    blocks = [section(f"<{link}|Open {name}>")]
    if minutes:
        blocks.append(small_text(f"Anyone with this link can open the image for {minutes} minutes."))
    return Message(notification_text(f"A link to {file_name(uri)}"), blocks)


def copies_message(uri: str, copies: Sequence[str], near_duplicates: Sequence[str]) -> Message:
    """Return the list of the images that an answer folds behind one.

    Args:
        copies: URIs of images with equal bytes.
        near_duplicates: URIs of images that look nearly the same.
    """
    blocks = [section(f"Copies of *{escaped(file_name(uri))}*")]
    for title, uris in (("Equal files", copies), ("Nearly the same picture", near_duplicates)):
        if uris:
            lines = [f"• {escaped(each)}" for each in uris[:_MAX_COPIES]]
            more = [f"and {len(uris) - _MAX_COPIES:,} more"] if len(uris) > _MAX_COPIES else []
            blocks.append(section("\n".join([f"{title}:", *lines, *more])))
    return Message(notification_text(f"Copies of {file_name(uri)}"), blocks)


def heading_blocks(page: ResultsPage) -> list[Block]:
    """Return what was searched for and the position of the page, with the note of the search."""
    note = page.results.note
    noted = [small_text(f":information_source: {escaped(note, SECTION_TEXT // 4)}")] if note else []
    return [section(_heading(page)), *noted]


def _heading(page: ResultsPage) -> str:
    count, total = len(page.results.hits), page.results.total
    if not count:
        return f"{page.title}: no more images." if page.skip else f"{page.title}: nothing found."
    if page.skip or page.results.more:
        of_total = f" of {total:,}" if total is not None else ""
        return f"{page.title} · {page.skip + 1:,} to {page.skip + count:,}{of_total}"
    return page.title


def rows(page: ResultsPage, pictures: HitThumbnails) -> list[Block]:
    """Return one compact row for each hit, with its thumbnail on the right."""
    return [_row(number, pictures, page) for number in range(len(page.details))]


def picture_note(pictures: HitThumbnails) -> list[Block]:
    """Return a line that says why pictures are missing, or nothing."""
    return [small_text(f":warning: {escaped(pictures.note, SECTION_TEXT // 4)}")] if pictures.note else []


def _row(number: int, pictures: HitThumbnails, page: ResultsPage) -> Block:
    details = page.details[number]
    name = f"{page.skip + number + 1}. {_name_and_link(details)}"
    text = f"{name}  {match(details.hit, page)}\n{' · '.join(_facts(details))}"
    # The name is shown already.
    if details.hit.matched and details.hit.matched.kind != "name":
        text += f"\n{escaped_match(details.hit.matched)}"
    source = pictures.sources.get(details.hit.sha256)
    return section(text, thumbnail(source, _alt_text(details)) if source else None)


def _card(details: HitDetails, choice: str, pictures: HitThumbnails, page: ResultsPage) -> Block:
    hit = details.hit
    facts = [plain(details.folder, 80)] if details.folder else []
    facts += _date(hit)
    buttons = [button("More like this", "more_like_this", choice)]
    if details.on_request or details.link:
        buttons.append(button("Open", "open_image", choice))
    picture = thumbnail(pictures.sources[hit.sha256], _alt_text(details))
    return card(picture, plain(file_name(hit.uri)) or "image", match(hit, page), " · ".join(facts), buttons)


def _controls(page: ResultsPage, question_id: str, private: bool) -> list[Block]:
    controls = []
    if page.details:
        groups = []
        for number, (each, name) in enumerate(zip(page.details, _numbered_names(page), strict=True)):
            choices = [("More like this", "similar")]
            if private:
                choices.append(("Share this one", "share"))
            if each.on_request or each.link:
                choices.append(("Open", "open"))
            if folded := each.copies + each.near_duplicates:
                choices.append((f"Copies ({folded})", "copies"))
            if each.has_text:
                choices.append(("Copy text", "text"))
            label = f"{name} · {match(each.hit, page)} {each.hit.score:.2f}"
            groups.append((label, [(text, f"{question_id}.{number}.{what}") for text, what in choices]))
        controls.append(menu("Choose a picture…", "choose_hit", groups))
    if page.skip:
        controls.append(button("Previous", "previous", question_id))
    if page.results.more:
        controls.append(button("Next", "next", question_id))
    if page.details:
        controls.append(button("List" if page.grid else "Grid", "change_layout", question_id))
    if page.teaches:
        controls.append(button("Teach", "teach", question_id))
    return controls


def _numbered_names(page: ResultsPage) -> list[str]:
    return [f"{page.skip + i + 1}. {plain(file_name(each.hit.uri), 40)}" for i, each in enumerate(page.details)]


def match(hit: Hit, page: ResultsPage) -> str:
    """Return how well a hit fits, in words."""
    scale: Sequence[tuple[float, str]] = _SIMILARITY if page.by_similarity else _RELEVANCE
    return next(words for least, words in scale if hit.score >= least)


def _date(hit: Hit) -> list[str]:
    """Return the image's date, marked if it is only the file's time."""
    if not hit.taken:
        return []
    return [f"{'file of ' if hit.dated_by == 'file' else ''}{hit.taken:%-d %B %Y}"]


def description(details: HitDetails) -> str:
    """Return the facts about a hit and what it shows, in plain text."""
    shows = [f"shows {', '.join(details.tags)}"] if details.tags else []
    return " · ".join([*_facts(details, plain), *shows])


def _facts(details: HitDetails, quoted: Callable[[str], str] = escaped) -> list[str]:
    """Return the facts about a hit.

    Args:
        quoted: makes text from outside safe for where the facts are shown.
    """
    hit = details.hit
    facts = [quoted(details.folder)] if details.folder else []
    facts += _date(hit)
    facts.append(f"{hit.width}\u00a0×\u00a0{hit.height}")
    if details.copies:
        facts.append(f"and {details.copies} cop{'y' if details.copies == 1 else 'ies'}")
    if details.near_duplicates:
        facts.append(f"and {counted(details.near_duplicates, 'near-duplicate')}")
    return facts


def _name_and_link(details: HitDetails) -> str:
    name = f"*{escaped(file_name(details.hit.uri))}*"
    link = f"{name} · <{details.link}|Open>"
    # A clipped link would show its markup.
    return link if details.link and len(link) <= SECTION_TEXT // 2 else name


def _alt_text(details: HitDetails) -> str:
    name = plain(file_name(details.hit.uri))
    about = f"{name}: {', '.join(details.tags)}" if details.tags else name
    return plain(about, ALT_TEXT) or "image"
