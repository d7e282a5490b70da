"""`Share` in the modal `Find a picture`."""

from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.actions.hit_actions import question_and_uri_of_hit
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.service.query_service import LargerAudienceError
from findimg_bot.slack.blocks.modals.find_picture import read_picture_to_share
from findimg_bot.slack.blocks.results.single_image import confirm_sharing_message
from findimg_bot.slack.replies import ChannelReply, PrivateReply


async def share_picture(args: AsyncArgs) -> None:
    """Close the modal, and post the chosen picture to the chosen conversation.

    The response_url lets findimg post where it is not a member, because the person chose the conversation.
    """
    await args.ack()
    services = services_of(args.context)
    user = args.body["user"]["id"]
    choice, channel = read_picture_to_share(args.payload)
    url = next((each["response_url"] for each in args.body["response_urls"] if each["channel_id"] == channel), None)
    private = PrivateReply(args.client, "", user)
    async with services.handling_request("share", private):
        stored, uri = await question_and_uri_of_hit(args.context, choice)
        reply = ChannelReply(AsyncRespond(response_url=url), args.client, channel, user)
        try:
            await services.queries.share_image(args.client, team_of(args.context), reply, uri)
        except LargerAudienceError as error:
            await private.send(confirm_sharing_message(error.uri, error.posted_in, channel, choice))
            return
        await services.teaching.count_click(person_of(args.context), stored.question, uri)
