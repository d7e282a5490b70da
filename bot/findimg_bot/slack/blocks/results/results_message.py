"""The message of one results page: its hits as compact rows, as cards, or on a contact sheet, and its buttons."""

from collections.abc import Sequence

from findimg.terminal import counted
from findimg_bot.slack.blocks.button_values import HitTask, hit_value, with_suffix
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
from findimg_bot.slack.blocks.results.hit_text import alt_text, dates, facts, match_in_words, name_and_link
from findimg_bot.slack.blocks.results.results_page import HitDetails, HitThumbnails, ResultsPage
from findimg_bot.slack.blocks.results.single_image import MORE_LIKE_THIS
from findimg_bot.slack.blocks.text import escaped, escaped_match, file_name, local_date, notification_text, plain
from findimg_bot.slack.blocks.which_image import CHOOSE_HIT
from findimg_bot.slack.limits import ALT_TEXT, SECTION_TEXT, clip

# action_id of each button
PREVIOUS, NEXT, CHANGE_LAYOUT = "previous", "next", "change_layout"
OPEN_IMAGE, TEACH_FROM_RESULTS = "open_image", "teach"


def results_message(
    page: ResultsPage,
    pictures: HitThumbnails,
    question_id: str,
    lead: Sequence[Block] = (),
    private: bool = True,
    cards: bool = True,
) -> Message:
    """Return the message that shows one results page.

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
        choices = [hit_value(question_id, number) for number in range(len(hits))]
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
    name = f"{page.skip + number + 1}. {name_and_link(details)}"
    text = f"{name}  {match_in_words(details.hit, page)}\n{' · '.join(facts(details))}"
    # The name is shown already.
    if details.hit.matched and details.hit.matched.kind != "name":
        text += f"\n{escaped_match(details.hit.matched)}"
    source = pictures.sources.get(details.hit.sha256)
    return section(text, thumbnail(source, alt_text(details)) if source else None)


def _card(details: HitDetails, choice: str, pictures: HitThumbnails, page: ResultsPage) -> Block:
    hit = details.hit
    body = [plain(details.folder, 80)] if details.folder else []
    body += dates(hit)
    buttons = [button("More like this", MORE_LIKE_THIS, choice)]
    if details.on_request or details.link:
        buttons.append(button("Open", OPEN_IMAGE, choice))
    picture = thumbnail(pictures.sources[hit.sha256], alt_text(details))
    return card(picture, plain(file_name(hit.uri)) or "image", match_in_words(hit, page), " · ".join(body), buttons)


def _controls(page: ResultsPage, question_id: str, private: bool) -> list[Block]:
    controls = []
    if page.details:
        groups = []
        for number, (each, name) in enumerate(zip(page.details, _numbered_names(page), strict=True)):
            choices = [("More like this", HitTask.SIMILAR)]
            if private:
                choices.append(("Share this one", HitTask.SHARE))
            if each.on_request or each.link:
                choices.append(("Open", HitTask.OPEN))
            if folded := each.copies + each.near_duplicates:
                choices.append((f"Copies ({folded})", HitTask.COPIES))
            if each.has_text:
                choices.append(("Copy text", HitTask.TEXT))
            label = f"{name} · {match_in_words(each.hit, page)} {each.hit.score:.2f}"
            groups.append(
                (label, [(text, with_suffix(hit_value(question_id, number), task)) for text, task in choices])
            )
        controls.append(menu("Choose a picture…", CHOOSE_HIT, groups))
    if page.skip:
        controls.append(button("Previous", PREVIOUS, question_id))
    if page.results.more:
        controls.append(button("Next", NEXT, question_id))
    if page.details:
        controls.append(button("List" if page.grid else "Grid", CHANGE_LAYOUT, question_id))
    if page.teaches:
        controls.append(button("Teach", TEACH_FROM_RESULTS, question_id))
    return controls


def _numbered_names(page: ResultsPage) -> list[str]:
    return [f"{page.skip + i + 1}. {plain(file_name(each.hit.uri), 40)}" for i, each in enumerate(page.details)]
