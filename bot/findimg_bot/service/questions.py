"""Reads questions from what a person types in Slack, with the image that a question is about."""

import html
import re
from dataclasses import replace
from datetime import date

from slack_sdk.web.async_client import AsyncWebClient

from findimg.search.query import parse
from findimg_bot.service.answers import Layout, Question
from findimg_bot.service.query_service import QueryService
from findimg_bot.slack.blocks.text import plain
from findimg_bot.slack.uploads import SlackFile, find_linked, find_newest, is_link

_GRID = re.compile(r"grid\s+(?=\S)", re.IGNORECASE)
_BRACKETS = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
_LIKE = re.compile(r"""(?:like:)?["“”]?(?P<link>https://[^\s"“”]+)["“”]?""")


def unescaped(text: str) -> str:
    """Return what was typed, without Slack's markup for links, mentions and entities."""

    def typed(match: re.Match[str]) -> str:
        target, label = match[1], match[2]
        if target[:1] in ("@", "#", "!"):
            return ""
        return target if label is None or is_link(target) else label

    return html.unescape(_BRACKETS.sub(typed, text)).strip()


async def read_search_question(
    service: QueryService, client: AsyncWebClient, text: str, user: str, channel: str
) -> Question:
    """Return the question of `/findimg`. `like:` may hold a link to an image in Slack.

    Args:
        text: as `unescaped` returns it.

    Raises:
        FindimgError: the text cannot be parsed, or the person may not see the image.
    """
    layout: Layout = "list"
    if match := _GRID.match(text):
        layout, text = "grid", text[match.end() :]
    question = Question("/findimg", text, layout=layout)
    like = parse(text, today=date.today()).like
    if like is None or not is_link(like):
        return question
    about = await add_uploaded_image(service, client, question, await find_linked(client, like, user, channel))
    return replace(about, text=_without(text, like))


async def read_image_question(
    service: QueryService, client: AsyncWebClient, command: str, text: str, user: str, channel: str
) -> tuple[Question, SlackFile | None] | None:
    """Return the question of `/tag` or `/similar`, and the image in Slack that it is about.

    That image is the one that the text links to, else an indexed one that the text names, else the newest in the
    channel.

    Args:
        text: as `unescaped` returns it.

    Returns:
        The question, with None for an indexed image; or None when there is no image.

    Raises:
        FindimgError: the text cannot be parsed, or the person may not see the image.
    """
    link = next((match["link"] for match in map(_LIKE.fullmatch, text.split()) if match and is_link(match["link"])), "")
    question = Question(command, _without(text, link) if link else text)
    if link:
        file: SlackFile | None = await find_linked(client, link, user, channel)
    elif text and parse(text, image="like:" not in text.lower(), today=date.today()).like:
        return question, None
    else:
        file = await find_newest(client, channel)
    if file is None:
        return None
    return await add_uploaded_image(service, client, question, file), file


async def add_uploaded_image(
    service: QueryService, client: AsyncWebClient, question: Question, file: SlackFile
) -> Question:
    """Return the question with the features of an image in Slack.

    Raises:
        FindimgError: the image cannot be downloaded or decoded.
    """
    features = await service.embed(client, file)
    return replace(question, features=features, name=plain(str(file.get("name") or "image")))


def _without(text: str, link: str) -> str:
    return " ".join(word for word in text.split() if link not in word)
