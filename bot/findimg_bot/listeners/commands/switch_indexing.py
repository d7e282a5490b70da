"""`/findimg off` and `/findimg on`: whether the pictures of a channel are indexed."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.errors import QueryError
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.slack.blocks.elements import section
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.replies import ChannelReply, EphemeralReply
from findimg_bot.slack.visibility import all_channels

SWITCHES = ("off", "on")  # words of the command
_DONE = {  # by is_off
    True: (
        "findimg no longer finds the pictures of this channel",
        "They are hidden now, and the next change or run of index removes them. To find them again: `/findimg on`",
    ),
    False: ("findimg finds the pictures of this channel again", "To stop this: `/findimg off`"),
}


async def switch_indexing(args: AsyncArgs, is_off: bool) -> None:
    """Switch indexing off or on in the channel of a command, and tell everybody there who did it."""
    command = args.payload
    await args.ack()
    services = services_of(args.context)
    user, channel = command["user_id"], command["channel_id"]
    errors = EphemeralReply(args.respond, args.client, channel, user, answered=True)
    async with services.handling_request("switch", errors):
        team = str(args.context.team_id or team_of(args.context))
        own = await all_channels(
            args.client.users_conversations, user=user, types="public_channel,private_channel", team_id=team
        )
        if channel not in own:
            raise QueryError(
                "Only a member of a channel can do that, in the channel, and findimg must be a member, too. Pictures "
                "of direct messages are never indexed."
            )
        if not services.may_index(channel) and not is_off:
            raise QueryError("The operator of findimg does not let the pictures of this channel be indexed.")
        if not await services.channel_switch.switch(team, channel, is_off):
            raise QueryError(f"{_DONE[is_off][0]} already.")
        what, how = _DONE[is_off]
        said = f"<@{user}> switched: {what}."
        await ChannelReply(args.respond, args.client, channel, user).send(Message(said, [section(f"{said} {how}")]))
