"""From what a person types in Slack to a question, with the image that it is about."""

import html
import re
from dataclasses import replace
from datetime import date

from slack_sdk.web.async_client import AsyncWebClient

from findimg.search.query import parse
from findimg_bot.service.answers import Question
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.blocks import plain
from findimg_bot.slack.uploads import File, find_linked, find_newest, is_link

_BRACKETS = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_LIKE = re.compile(r"""(?:like:)?["“”]?(?P<link>https://[^\s"“”]+)["“”]?""")


def unescaped(text: str) -> str:
    """What was typed, without what Slack makes of it: links in brackets, mentions of people and channels, entities."""

    def typed(match: re.Match[str]) -> str:
        target, label = match[1], match[2]
        if target[:1] in ("@", "#", "!"):
            return ""
        return target if label is None or is_link(target) else label

    return html.unescape(_BRACKETS.sub(typed, text)).strip()


async def ask_words(desk: QueryService, client: AsyncWebClient, text: str, user: str, channel: str) -> Question:
    """The question of `/findimg`; `like:` with a link to an image in Slack is about that image.

    Args:
        text: as `unescaped` gives it.

    Raises:
        FindimgError: it cannot be understood, or this person may not see the image.
    """
    question = Question("/findimg", text)
    like = parse(text, today=date.today()).like
    if like is None or not is_link(like):
        return question
    about = await ask_about(desk, client, question, await find_linked(client, like, user, channel))
    return replace(about, text=_without(text, like))


async def ask_image(
    desk: QueryService, client: AsyncWebClient, command: str, text: str, user: str, channel: str
) -> tuple[Question, File | None] | None:
    """The question of `/tag` and `/similar`, and the image in Slack that it is about: the one that the text links to,
    else an indexed one that it names, else the newest in the channel; None when there is none.

    Args:
        text: as `unescaped` gives it.

    Raises:
        FindimgError: it cannot be understood, or this person may not see the image.
    """
    link = next((match["link"] for match in map(_LIKE.fullmatch, text.split()) if match and is_link(match["link"])), "")
    question = Question(command, _without(text, link) if link else text)
    if link:
        file: File | None = await find_linked(client, link, user, channel)
    elif text and parse(text, image="like:" not in text.lower(), today=date.today()).like:
        return question, None
    else:
        file = await find_newest(client, channel)
    if file is None:
        return None
    return await ask_about(desk, client, question, file), file


async def ask_about(desk: QueryService, client: AsyncWebClient, question: Question, file: File) -> Question:
    """The same question about an image in Slack.

    Raises:
        FindimgError: the image cannot be brought here or read.
    """
    seen = await desk.see(client, file)
    return replace(question, seen=seen, name=plain(str(file.get("name") or "image")))


def _without(text: str, link: str) -> str:
    return " ".join(word for word in text.split() if link not in word)
