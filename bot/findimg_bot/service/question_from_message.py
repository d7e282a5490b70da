"""Turns what a person sends in Slack into a question, with the image that it is about.

`query_service.py` answers the question.
"""

import re
from dataclasses import replace
from datetime import date

from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg.search.query import parse
from findimg_bot.questions import Layout, Question
from findimg_bot.service.upload_encoder import UploadEncoder
from findimg_bot.slack.blocks.text import plain
from findimg_bot.slack.message_text import MessageText
from findimg_bot.slack.pictures.image_files import ONLY_SLACK, SlackFile, find_linked, find_newest

_GRID = re.compile(r"grid\s+(?=\S)", re.IGNORECASE)


async def read_search_question(
    uploads: UploadEncoder, client: AsyncWebClient, message: MessageText, user: str, channel: str
) -> Question:
    """Return the question of a search. A link to an image in Slack makes it a search for similar images.

    Raises:
        FindimgError: the text has no meaning, or the person may not see the image.
    """
    layout: Layout = "list"
    text = message.text
    if match := _GRID.match(text):
        layout, text = "grid", text[match.end() :]
    question = Question("/findimg", text, layout=layout)
    if message.links:
        file = await find_linked(client, message.links[0], user, channel)
        return await add_uploaded_image(uploads, client, question, file)
    if message.web_links and not text:
        raise QueryError(ONLY_SLACK)
    return question


async def read_image_question(
    uploads: UploadEncoder, client: AsyncWebClient, command: str, message: MessageText, user: str, channel: str
) -> tuple[Question, SlackFile | None] | None:
    """Return the question of `/tag` or `/similar`, and the image in Slack that it is about.

    That image is the one that the text links to, else an indexed one that the text names, else the newest in the
    channel.

    Returns:
        The question, with None for an indexed image; or None when there is no image.

    Raises:
        FindimgError: the text has no meaning, or the person may not see the image.
    """
    text = message.text
    question = Question(command, text)
    if message.links:
        file: SlackFile | None = await find_linked(client, message.links[0], user, channel)
    elif message.web_links and not text:
        raise QueryError(ONLY_SLACK)
    elif text and parse(text, image="like:" not in text.lower(), today=date.today()).like:
        return question, None
    else:
        file = await find_newest(client, channel)
    if file is None:
        return None
    return await add_uploaded_image(uploads, client, question, file), file


async def add_uploaded_image(
    uploads: UploadEncoder, client: AsyncWebClient, question: Question, file: SlackFile
) -> Question:
    """Return the question with the features of an image in Slack.

    Raises:
        FindimgError: the image cannot be downloaded or decoded.
    """
    features = await uploads.features(client, file)
    return replace(question, features=features, name=plain(str(file.get("name") or "image")))
