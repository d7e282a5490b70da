"""Links in messages that the app unfurls, and their previews."""

import html
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from findimg_bot.local_slack.model.state import Json, Message, Team

_LINK = re.compile(r"<(https?://[^<>|\s]+)(?:\|[^<>]*)?>")


def links_to(domains: Iterable[str], text: str) -> list[Json]:
    """Return the links in a text to some domains and their subdomains, as events describe them.

    Args:
        text: of a message, with links in angle brackets.
    """
    found: dict[str, str] = {}
    for link in urls_in(text):
        host = urlsplit(link).hostname or ""
        domain = next((each for each in domains if host == each or host.endswith(f".{each}")), None)
        if domain:
            found[link] = domain
    return [{"url": url, "domain": domain} for url, domain in found.items()]


def urls_in(text: str) -> list[str]:
    """Return the addresses of the links in a message's text."""
    return [html.unescape(link) for link in _LINK.findall(text)]


def unfurl_id(message: Message) -> str:
    """Return the id under which the app can add previews to a message."""
    return f"{message.channel.id}.{message.ts}"


def message_of(team: Team, name: str) -> Message | None:
    """Return the message with an unfurl id."""
    channel, _, ts = name.partition(".")
    return team.message(channel, ts)


def preview(number: int, url: str, blocks: Iterable[Json], app: str) -> Json:
    """Return a preview as an attachment of the message with the link.

    Args:
        number: of the attachment in its message, from 1 on.
        blocks: with their ids.
        app: id of the app.
    """
    about = {"id": number, "is_app_unfurl": True, "app_unfurl_url": url, "from_url": url, "app_id": app}
    return about | {"fallback": f"[no preview available] {url}", "blocks": list(blocks)}
