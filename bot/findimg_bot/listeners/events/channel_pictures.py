"""Pictures are shared in channels, or deleted. Nobody expects an answer."""

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.slack_objects import SlackObject


async def file_shared(event: SlackObject, context: AsyncBoltContext) -> None:
    """Index the file, if it is a picture in a channel."""
    services = services_of(context)
    await services.picture_events.shared(_team(context), event["channel_id"], event["file_id"])


async def file_deleted(event: SlackObject, context: AsyncBoltContext) -> None:
    """Hide the file at once, and remove it from the library."""
    services = services_of(context)
    await services.picture_events.deleted(_team(context), event["file_id"])


async def message_deleted(event: SlackObject, context: AsyncBoltContext) -> None:
    """Hide the pictures of the message, unless another message of the channel shows them."""
    services = services_of(context)
    files = (event.get("previous_message") or {}).get("files") or ()
    await services.picture_events.message_deleted(
        _team(context), event["channel"], [str(file["id"]) for file in files if "id" in file]
    )


async def channel_closed(event: SlackObject, context: AsyncBoltContext) -> None:
    """Hide the pictures of a channel that was archived or deleted, or that the bot left."""
    services = services_of(context)
    await services.picture_events.channel_closed(_team(context), event["channel"])


async def channel_opened(event: SlackObject, context: AsyncBoltContext) -> None:
    """Index the pictures of a channel that is no longer archived. Its members see them at once."""
    services = services_of(context)
    services.visibility.forget_team(_team(context))
    await services.picture_events.channel_opened(_team(context), event["channel"])


async def member_joined(event: SlackObject, context: AsyncBoltContext) -> None:
    """Index the pictures of a channel that the bot joined. A person who joined sees them at once."""
    services = services_of(context)
    services.visibility.forget(_team(context), event["user"])
    if event["user"] == context.bot_user_id:
        await services.picture_events.channel_opened(_team(context), event["channel"])


async def member_left(event: SlackObject, context: AsyncBoltContext) -> None:
    """Hide the pictures of a channel that the bot left. A person who left sees them no longer."""
    services = services_of(context)
    services.visibility.forget(_team(context), event["user"])
    if event["user"] == context.bot_user_id:
        await services.picture_events.channel_closed(_team(context), event["channel"])


def _team(context: AsyncBoltContext) -> str:
    """Return the id of the workspace of an event, as addresses of pictures have it."""
    return str(context.team_id or team_of(context))
