"""`Remove ticked` in the modal with a name's examples."""

from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.errors import FindimgError
from findimg.terminal import counted
from findimg_bot.errors import explain
from findimg_bot.listeners.actions.teaching.taught_name_modal import after_change
from findimg_bot.listeners.request_context import person_of, services_of
from findimg_bot.slack.blocks.modals.taught_name import closing_modal, read_ticked_examples


async def taught_name(args: AsyncArgs) -> None:
    """Take the ticked examples back, and show those that are left."""
    view = args.payload
    services = services_of(args.context)
    key, contents = read_ticked_examples(view)
    try:
        count = await services.teaching.remove_examples(person_of(args.context), key, contents)
        shown = await after_change(args.context, view, f"{counted(count, 'example')} removed.")
    except FindimgError as error:
        shown = closing_modal(explain(error))
    # Slack could show an acknowledgement after a later update of the modal, so this is the acknowledgement.
    await args.ack(response_action="update", view=shown)
