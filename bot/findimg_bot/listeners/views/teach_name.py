"""`Teach` in the modal `Teach a name`."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.errors import QueryError
from findimg.taught.names import clean_name
from findimg_bot.listeners.request_context import person_of, services_of
from findimg_bot.listeners.teach_modal import chosen_so_far, teach_and_confirm
from findimg_bot.slack.blocks.modals.teach_name import NAME_BLOCK, read_submission, read_teach_request
from findimg_bot.slack.blocks.text import file_name, plain
from findimg_bot.slack.pictures.image_files import find_file
from findimg_bot.slack.replies import PrivateReply


async def teach_name(args: AsyncArgs) -> None:
    """Teach the name, and answer with the hits before and after."""
    view = args.payload
    services = services_of(args.context)
    submission, request = read_submission(view), read_teach_request(view)
    block = NAME_BLOCK
    try:
        services.teaching.check_may_teach(person_of(args.context))
        name = clean_name(submission.name)
        block = submission.ticks.block
        chosen, _ = await chosen_so_far(args.context, view)
        if both := sorted(chosen.like & chosen.unlike):
            raise QueryError(f"{file_name(both[0])} is ticked in both lists. Choose one of the two.")
        if not (chosen.like or chosen.unlike or request.files or submission.files):
            raise QueryError("Tick at least one picture, or upload one.")
    except QueryError as error:
        await args.ack(response_action="errors", errors={block: plain(str(error))})
        return
    await args.ack()
    user = str(args.context.user_id)
    reply = PrivateReply(args.client, request.channel, user, request.thread)
    async with services.handling_request("teach", reply):
        known = [await find_file(args.client, file, user, request.channel) for file in request.files]
        await teach_and_confirm(args.context, args.client, reply, name, chosen, [*known, *submission.files])
