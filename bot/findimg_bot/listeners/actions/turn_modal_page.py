"""`Next` and `Previous` in the modal `Find a picture`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.clicks import find_question
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.service.library_reader import PAGE
from findimg_bot.slack.blocks.modals.find_picture import NEXT_IN_MODAL, results_in_modal
from findimg_bot.slack.modal_reply import ModalReply


async def turn_modal_page(args: AsyncArgs) -> None:
    """Show another page of the same hits."""
    await args.ack()
    services = services_of(args.context)
    reply = ModalReply(args.client, args.body["view"]["id"], args.body["user"]["id"])
    async with services.handling_request(args.payload["action_id"], reply):
        stored = await find_question(args.context, args.payload["value"])
        step = PAGE if args.payload["action_id"] == NEXT_IN_MODAL else -PAGE
        skip = max(0, stored.skip + step)
        await services.queries.search(
            args.client, team_of(args.context), reply, stored.question, skip, results_in_modal
        )
