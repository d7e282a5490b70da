"""Enter in the search field of the modal `Teach a name`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.request_context import services_of
from findimg_bot.listeners.teach_modal import PicturePage, show_other_pictures
from findimg_bot.service.question_from_message import read_search_question
from findimg_bot.slack.blocks.modals.teach_name import Choices, TeachRequest, read_search
from findimg_bot.slack.message_text import read_message
from findimg_bot.state.store import StoredQuestion


async def search_to_teach(args: AsyncArgs) -> None:
    """Keep what is ticked, and show the pictures for the new words."""
    await args.ack()
    services = services_of(args.context)
    view = args.body["view"]

    async def choose(request: TeachRequest, chosen: Choices, page: StoredQuestion | None) -> PicturePage:
        message = read_message(read_search(view))
        user = str(args.context.user_id)
        return PicturePage(await read_search_question(services.uploads, args.client, message, user, request.channel))

    await show_other_pictures(args.context, args.client, view, choose)
