"""What a message says about a hit: how well it fits, its date, size, folder and copies."""

from collections.abc import Callable, Sequence

from findimg.search.answers.results import Hit
from findimg.terminal import counted
from findimg_bot.slack.blocks.results.results_page import HitDetails, ResultsPage
from findimg_bot.slack.blocks.text import escaped, file_name, plain
from findimg_bot.slack.limits import ALT_TEXT, SECTION_TEXT

_RELEVANCE = ((0.75, "strong match"), (0.4, "good match"), (0.15, "fair match"), (-1.0, "faint match"))
_SIMILARITY = ((0.98, "nearly identical"), (0.8, "very similar"), (0.6, "similar"), (-1.0, "somewhat similar"))


def match_in_words(hit: Hit, page: ResultsPage) -> str:
    """Return how well a hit fits, in words."""
    scale: Sequence[tuple[float, str]] = _SIMILARITY if page.by_similarity else _RELEVANCE
    return next(words for least, words in scale if hit.score >= least)


def dates(hit: Hit) -> list[str]:
    """Return the image's date, marked if it is only the file's time."""
    if not hit.taken:
        return []
    return [f"{'file of ' if hit.dated_by == 'file' else ''}{hit.taken:%-d %B %Y}"]


def description(details: HitDetails) -> str:
    """Return the facts about a hit and what it shows, in plain text."""
    shows = [f"shows {', '.join(details.tags)}"] if details.tags else []
    return " · ".join([*facts(details, plain), *shows])


def facts(details: HitDetails, quoted: Callable[[str], str] = escaped) -> list[str]:
    """Return the facts about a hit.

    Args:
        quoted: makes text from outside safe for where the facts are shown.
    """
    hit = details.hit
    found = [quoted(details.folder)] if details.folder else []
    found += dates(hit)
    found.append(f"{hit.width}\u00a0×\u00a0{hit.height}")
    if details.copies:
        found.append(f"and {details.copies} cop{'y' if details.copies == 1 else 'ies'}")
    if details.near_duplicates:
        found.append(f"and {counted(details.near_duplicates, 'near-duplicate')}")
    return found


def name_and_link(details: HitDetails) -> str:
    """Return the image's name in bold, with a link to the original if there is one, in mrkdwn."""
    name = f"*{escaped(file_name(details.hit.uri))}*"
    link = f"{name} · <{details.link}|Open>"
    # A clipped link would show its markup.
    return link if details.link and len(link) <= SECTION_TEXT // 2 else name


def alt_text(details: HitDetails) -> str:
    """Return the text for people who do not see the picture: its name and what it shows."""
    name = plain(file_name(details.hit.uri))
    about = f"{name}: {', '.join(details.tags)}" if details.tags else name
    return plain(about, ALT_TEXT) or "image"
