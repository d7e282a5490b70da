"""`Share anyway`: post an image to a channel in which perhaps not everybody could see it before."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.actions.hit_actions import chosen_question_and_image
from findimg_bot.listeners.clicks import reply_to_errors, thread_of_click
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.slack.blocks.button_values import read_suffix
from findimg_bot.slack.replies import ChannelReply, ConversationReply, Reply


async def share_anyway(
    ack: AsyncAck,
    action: dict[str, Any],
    body: dict[str, Any],
    context: AsyncBoltContext,
    client: AsyncWebClient,
    respond: AsyncRespond,
) -> None:
    """Post the image, if the person may still see it, and remove the question."""
    await ack()
    services = services_of(context)
    choice, target = read_suffix(str(action["value"]))
    user, here = body["user"]["id"], body["channel"]["id"]
    # A response_url belongs to the channel of the question.
    reply: Reply = ConversationReply(client, target, user)
    if target == here:
        reply = ChannelReply(respond, client, target, user, thread_of_click(body))
    async with services.handling_request("share", reply_to_errors(body, client, respond)):
        stored, uri = await chosen_question_and_image(context, choice)
        await services.queries.share(client, team_of(context), reply, uri, is_confirmed=True)
        await respond(delete_original=True)
        await services.teaching.count_click(person_of(context), stored.question, uri)
