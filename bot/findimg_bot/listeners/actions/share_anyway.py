"""`Share anyway`: post an image to a channel in which perhaps not everybody could see it before."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.actions.hit_actions import question_and_uri_of_hit
from findimg_bot.listeners.clicks import reply_to_errors, thread_of_click
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.slack.blocks.button_values import read_suffix
from findimg_bot.slack.replies import ChannelReply, ConversationReply, Reply


async def share_anyway(args: AsyncArgs) -> None:
    """Post the image, if the person may still see it, and remove the question."""
    await args.ack()
    services = services_of(args.context)
    choice, target = read_suffix(str(args.payload["value"]))
    user, here = args.body["user"]["id"], args.body["channel"]["id"]
    # A response_url belongs to the channel of the question.
    reply: Reply = ConversationReply(args.client, target, user)
    if target == here:
        reply = ChannelReply(args.respond, args.client, target, user, thread_of_click(args.body))
    async with services.handling_request("share", reply_to_errors(args)):
        stored, uri = await question_and_uri_of_hit(args.context, choice)
        await services.queries.share_image(args.client, team_of(args.context), reply, uri, is_confirmed=True)
        await args.respond(delete_original=True)
        await services.teaching.count_click(person_of(args.context), stored.question, uri)
