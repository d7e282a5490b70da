"""`More pictures` and `Previous pictures` in the modal `Teach a name`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.clicks import find_question
from findimg_bot.listeners.teach_modal import PicturePage, show_other_pictures
from findimg_bot.service.library_reader import PAGE
from findimg_bot.slack.blocks.modals.teach_name import NEXT_TO_TEACH, Choices, TeachRequest
from findimg_bot.state.store import StoredQuestion


async def turn_teach_page(args: AsyncArgs) -> None:
    """Keep what is ticked, and show another page of the same pictures."""
    await args.ack()

    async def choose(request: TeachRequest, chosen: Choices, page: StoredQuestion | None) -> PicturePage:
        stored = await find_question(args.context, args.payload["value"])
        step = PAGE if args.payload["action_id"] == NEXT_TO_TEACH else -PAGE
        return PicturePage(stored.question, max(0, stored.skip + step))

    await show_other_pictures(args.context, args.client, args.body["view"], choose)
