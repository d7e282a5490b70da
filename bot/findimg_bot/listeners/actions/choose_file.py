"""The menu of a message's pictures: similar images to the chosen one."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg_bot.listeners.clicks import reply_to_click
from findimg_bot.listeners.image_questions import answer_files
from findimg_bot.listeners.request_context import services_of
from findimg_bot.slack.blocks.button_values import read_suffix
from findimg_bot.slack.pictures.image_files import find_file


async def choose_file(args: AsyncArgs) -> None:
    """Answer the person who chose, if that person may see the file; the value is `<file id>.<task>`."""
    await args.ack()
    services = services_of(args.context)
    file_id, task = read_suffix(str(args.payload["selected_option"]["value"]))
    reply = reply_to_click(args)
    async with services.handling_request("similar", reply):
        file = await find_file(args.client, file_id, args.body["user"]["id"], args.body["channel"]["id"])
        await answer_files(task, [file], args.context, args.client, reply)
