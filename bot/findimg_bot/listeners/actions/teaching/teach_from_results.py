"""`Teach` below a results page: opens the modal with the page's pictures."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.clicks import find_question, reply_to_errors, thread_of_click
from findimg_bot.listeners.request_context import services_of
from findimg_bot.listeners.teach_modal import PicturePage, open_teach_modal, show_pictures
from findimg_bot.service.teaching import suggested_name
from findimg_bot.slack.blocks.modals.teach_name import TeachRequest


async def teach_from_results(args: AsyncArgs) -> None:
    """Open the modal for the page's question."""
    await args.ack()
    services = services_of(args.context)
    errors = reply_to_errors(args)
    async with services.handling_request("teach", errors):
        stored = await find_question(args.context, args.payload["value"])
        name = suggested_name(stored.question)
        request = TeachRequest(name, args.body["channel"]["id"], thread_of_click(args.body))
        reply = await open_teach_modal(args.context, args.client, args.body["trigger_id"], request)
        async with services.handling_request("teach_pictures", reply):
            await show_pictures(args.context, args.client, reply, request, PicturePage(stored.question, stored.skip))
