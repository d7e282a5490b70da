"""For all listeners of clicks: the stored question that a click is about, and the reply to the click.

`actions/hit_actions.py` has what a person can do with one hit.
"""

import asyncio

from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.kwargs_injection.async_args import AsyncArgs

from findimg.errors import QueryError
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.slack.blocks.button_values import hit_value, question_of_value
from findimg_bot.slack.blocks.results.single_image import MORE_LIKE_THIS
from findimg_bot.slack.blocks.text import file_name
from findimg_bot.slack.blocks.which_image import CHOOSE_HIT
from findimg_bot.slack.channel_ids import is_direct
from findimg_bot.slack.pictures.image_files import blocks_of
from findimg_bot.slack.replies import ConversationReply, EphemeralReply, PrivateReply
from findimg_bot.slack_objects import SlackObject
from findimg_bot.state.store import StoredQuestion

# Elements by which `hits_of_results_message` recognises a message that shows hits. Each such message has one of them.
# Their values start with the id of the stored question. Other elements need not be here.
_RECOGNISED_BY = (CHOOSE_HIT, MORE_LIKE_THIS)


async def find_question(context: AsyncBoltContext, question_id: str) -> StoredQuestion:
    """Return the stored question of a button, if the person who clicks may see its answer.

    Raises:
        QueryError: the question has expired, or belongs to somebody else.
    """
    services = services_of(context)
    stored = await asyncio.to_thread(services.store.find_question, question_id)
    if stored is None or stored.team != team_of(context) or stored.user not in ("", context.user_id):
        raise QueryError("That answer has expired. Ask again.")
    return stored


async def hits_of_results_message(context: AsyncBoltContext, message: SlackObject) -> dict[str, str]:
    """Return the images in one of findimg's own results messages: choices `<question id>.<number>`, and names.

    A message that forwards an answer has the same images.
    """
    for block in blocks_of(message):
        for element in block.get("elements") or ():
            value = str(element.get("value") or "")
            for group in element.get("option_groups") or ():
                value = value or str(group["options"][0].get("value") or "")
            if element.get("action_id") in _RECOGNISED_BY and value:
                question_id = question_of_value(value)
                stored = await find_question(context, question_id)
                return {hit_value(question_id, number): file_name(uri) for number, uri in enumerate(stored.uris)}
    return {}


def thread_of_click(body: SlackObject) -> str | None:
    """Return the thread that contains the clicked message, None when it is not in a thread."""
    container = body["container"]
    thread = container.get("thread_ts") or body.get("message", {}).get("thread_ts")
    # The first message of a thread is shown in the channel.
    return str(thread) if thread and thread != container.get("message_ts") else None


def reply_to_errors(args: AsyncArgs) -> EphemeralReply | PrivateReply:
    """Return a reply for the errors of a click whose answer is sent another way."""
    user = args.body["user"]["id"]
    channel = args.body.get("channel", {}).get("id", "")
    if not channel:  # a click in the Home tab
        return PrivateReply(args.client, "", user)
    return EphemeralReply(args.respond, args.client, channel, user, thread_of_click(args.body), answered=True)


def reply_to_click(args: AsyncArgs, replace: bool = False) -> EphemeralReply | ConversationReply:
    """Return the reply to a click, in the thread of the clicked message.

    Args:
        replace: whether the answer replaces the message with the button.
    """
    container, user, channel = args.body["container"], args.body["user"]["id"], args.body["channel"]["id"]
    thread = thread_of_click(args.body)
    public = not container.get("is_ephemeral")
    if public and (replace or is_direct(channel)):
        instead_of = container["message_ts"] if replace else None
        return ConversationReply(args.client, channel, user, thread, instead_of, respond=args.respond)
    return EphemeralReply(args.respond, args.client, channel, user, thread, replace)
