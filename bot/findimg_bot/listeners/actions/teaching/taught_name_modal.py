"""`Examples…` beside a taught name, and the buttons of the modal that it opens."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.kwargs_injection.async_args import AsyncArgs
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError
from findimg.terminal import counted
from findimg_bot.errors import explain
from findimg_bot.listeners.clicks import reply_to_errors
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.slack.blocks.modals.taught_name import closing_modal, read_shown_name, taught_name_modal
from findimg_bot.slack.replies import PrivateReply
from findimg_bot.slack_objects import SlackObject


async def open_taught(args: AsyncArgs) -> None:
    """Open the modal with the name's examples; the value is the name's key."""
    await args.ack()
    services = services_of(args.context)
    channel = args.body.get("channel", {}).get("id", "")
    async with services.handling_request("taught", reply_to_errors(args)):
        name = await services.teaching.find_name(str(args.payload["value"]))
        await args.client.views_open(
            trigger_id=args.body["trigger_id"], view=taught_name_modal(name, channel, team_of(args.context))
        )


async def undo_last(args: AsyncArgs) -> None:
    """Take back what changed the name last."""
    await args.ack()
    services = services_of(args.context)
    key, view = str(args.payload["value"]), args.body["view"]
    try:
        count = await services.teaching.undo_last(person_of(args.context), key)
        shown = await after_change(args.context, view, f"{counted(count, 'example')} taken back.")
    except FindimgError as error:
        shown = closing_modal(explain(error))
    await _show(args.client, args.body, args.context, shown)


async def remove_name(args: AsyncArgs) -> None:
    """Take the name back."""
    await args.ack()
    services = services_of(args.context)
    try:
        count = await services.teaching.remove_name(person_of(args.context), str(args.payload["value"]))
        shown = closing_modal(f"The name is gone, with {counted(count, 'example')}.")
    except FindimgError as error:
        shown = closing_modal(explain(error))
    await _show(args.client, args.body, args.context, shown)


async def _show(client: AsyncWebClient, body: SlackObject, context: AsyncBoltContext, shown: dict[str, Any]) -> None:
    """Change the modal. If Slack refuses, the person gets the reason as a direct message."""
    async with services_of(context).handling_request("taught", PrivateReply(client, "", body["user"]["id"])):
        await client.views_update(view_id=body["view"]["id"], view=shown)


async def after_change(context: AsyncBoltContext, view: SlackObject, note: str) -> dict[str, Any]:
    """Return the modal after a change: the name's examples, or that the name is gone.

    Args:
        view: the modal before the change.
        note: what was done.
    """
    services = services_of(context)
    shown = read_shown_name(view)
    names = {name.key: name for name in await services.teaching.list_names()}
    if shown.key not in names:
        return closing_modal(f"{note} No example is left, so the name is gone.")
    return taught_name_modal(names[shown.key], shown.channel, team_of(context), note)
