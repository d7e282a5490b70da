"""What a person can do with one image of a results page: one function for each `HitTask`.

The menu calls them by `choose_hit.py`, and buttons by listeners of their own, such as `more_like_this.py`.
"""

import asyncio

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.errors import QueryError
from findimg.library.channels import channel_of
from findimg_bot.listeners.clicks import find_question, reply_to_click, reply_to_errors, thread_of_click
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.questions import Question
from findimg_bot.service.query_service import LargerAudienceError
from findimg_bot.slack.blocks.button_values import NO_IMAGE, read_hit_value
from findimg_bot.slack.blocks.results.single_image import confirm_sharing_message, link_message
from findimg_bot.slack.pictures.image_files import permalink
from findimg_bot.slack.replies import ChannelReply
from findimg_bot.state.store import StoredQuestion


async def uri_of_hit(context: AsyncBoltContext, choice: str) -> str:
    """Return the URI of the image that a choice such as `<question id>.<number>` is about.

    Raises:
        QueryError: the answer has expired, or belongs to somebody else.
    """
    return (await question_and_uri_of_hit(context, choice))[1]


async def question_and_uri_of_hit(context: AsyncBoltContext, choice: str) -> tuple[StoredQuestion, str]:
    """Return the stored question of a choice, and the URI of its image. Errors as of `uri_of_hit`."""
    question_id, number = read_hit_value(choice)
    stored = await find_question(context, question_id)
    if number >= len(stored.uris):
        raise QueryError(NO_IMAGE)
    return stored, stored.uris[number]


async def answer_similar(args: AsyncArgs, choice: str) -> None:
    """Answer the person who clicked with images like this one."""
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("similar", reply):
        stored, uri = await question_and_uri_of_hit(args.context, choice)
        question = Question("/similar", "", like=uri)
        await services.queries.search(args.client, team_of(args.context), reply, question)
        await services.teaching.count_click(person_of(args.context), stored.question, uri)


async def answer_tags(args: AsyncArgs, choice: str) -> None:
    """Answer the person who clicked with the image's tags."""
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("tag", reply):
        question = Question("/tag", "", like=await uri_of_hit(args.context, choice))
        await services.queries.show_tags(team_of(args.context), reply, question, None)


async def share_hit(args: AsyncArgs, choice: str) -> None:
    """Post the image to the channel, or to the thread of the answer. Ask before people see it who could not before."""
    services = services_of(args.context)
    body = args.body
    errors = reply_to_errors(args)
    async with services.handling_request("share", errors):
        stored, uri = await question_and_uri_of_hit(args.context, choice)
        channel, user = body["channel"]["id"], body["user"]["id"]
        reply = ChannelReply(args.respond, args.client, channel, user, thread_of_click(body))
        try:
            await services.queries.share_image(args.client, team_of(args.context), reply, uri)
        except LargerAudienceError as error:
            await errors.send(confirm_sharing_message(error.uri, error.posted_in, channel, choice))
            return
        await services.teaching.count_click(person_of(args.context), stored.question, uri)


async def answer_copies(args: AsyncArgs, choice: str) -> None:
    """Answer the person who clicked with the copies of the image."""
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("copies", reply):
        stored, uri = await question_and_uri_of_hit(args.context, choice)
        await services.queries.show_copies(reply, stored, uri)


async def answer_text(args: AsyncArgs, choice: str) -> None:
    """Answer the person who clicked with the image's text."""
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("text", reply):
        await services.queries.show_text(reply, await uri_of_hit(args.context, choice))


async def answer_link(args: AsyncArgs, choice: str) -> None:
    """Answer the person who clicked with a link to the original image."""
    services = services_of(args.context)
    reply = reply_to_click(args)
    async with services.handling_request("open", reply):
        uri = await uri_of_hit(args.context, choice)
        if channel_of(uri):
            await services.reader.check_visible(uri)
            link, minutes = await permalink(args.client, uri), 0
        else:
            link, minutes = await asyncio.to_thread(services.reader.link_to_original, uri)
        await reply.send(link_message(uri, link, minutes))
