"""`More like the ticked ones` in the modal `Teach a name`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.teach_modal import PicturePage, show_other_pictures
from findimg_bot.questions import Question
from findimg_bot.slack.blocks.modals.teach_name import Choices, TeachRequest, read_ticks
from findimg_bot.state.store import StoredQuestion


async def like_ticked(args: AsyncArgs) -> None:
    """Keep what is ticked, and show pictures that look like one that is ticked, on this page if there is one."""
    await args.ack()
    view = args.body["view"]

    async def choose(request: TeachRequest, chosen: Choices, page: StoredQuestion | None) -> PicturePage:
        if page is None:
            return PicturePage(Question("/findimg", request.name))
        liked = read_ticks(view).choices(page.uris).like or chosen.like
        return (
            PicturePage(Question("/similar", "", like=min(liked))) if liked else PicturePage(page.question, page.skip)
        )

    await show_other_pictures(args.context, args.client, view, choose)
