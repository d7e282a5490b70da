"""Shared by the listeners that teach names: the modal, and the confirmation."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError
from findimg_bot.listeners.clicks import find_question
from findimg_bot.listeners.request_context import person_of, services_of, team_of
from findimg_bot.questions import Question
from findimg_bot.service.question_from_message import add_uploaded_image
from findimg_bot.service.teaching import name_query
from findimg_bot.slack.blocks.elements import small_text
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.modals.teach_name import (
    Choices,
    TeachRequest,
    read_teach_request,
    read_ticks,
    teach_choices,
    teach_modal,
)
from findimg_bot.slack.blocks.results.results_message import results_message
from findimg_bot.slack.blocks.taught_names import lesson_blocks, nothing_new_message
from findimg_bot.slack.modal_reply import ModalReply
from findimg_bot.slack.pictures.download import download
from findimg_bot.slack.pictures.image_files import SlackFile
from findimg_bot.slack.replies import SEARCHING, Reply
from findimg_bot.slack_objects import SlackObject
from findimg_bot.state.store import StoredQuestion

# Marks a stored question that nobody asked: its URIs hold the choices on other pages of the modal.
_CHOICES_COMMAND = "/teach"


@dataclass(frozen=True, slots=True)
class PicturePage:
    """One page of pictures to choose from."""

    question: Question  # which pictures
    skip: int = 0  # number of pictures on earlier pages


async def open_teach_modal(
    context: AsyncBoltContext, client: AsyncWebClient, trigger: str, request: TeachRequest
) -> ModalReply:
    """Open the modal without pictures, which takes less than the 3 seconds that Slack allows.

    Raises:
        QueryError: the person may not teach.
        SlackClientError: Slack refused.
    """
    services = services_of(context)
    services.teaching.check_may_teach(person_of(context))
    opened = await client.views_open(trigger_id=trigger, view=teach_modal(request, [small_text(SEARCHING)]))
    return modal_reply(client, opened["view"]["id"], context, request)


def modal_reply(client: AsyncWebClient, view: str, context: AsyncBoltContext, request: TeachRequest) -> ModalReply:
    """Return the reply that shows pictures in an open modal, by the view's id."""
    return ModalReply(client, view, str(context.user_id), partial(teach_modal, request))


async def show_pictures(
    context: AsyncBoltContext,
    client: AsyncWebClient,
    reply: ModalReply,
    request: TeachRequest,
    page: PicturePage,
    chosen: Choices | None = None,
) -> None:
    """Show one page of pictures in the modal.

    Args:
        chosen: which images are ticked already.
    """
    services = services_of(context)
    build_message = partial(teach_choices, request=request, chosen=chosen or Choices())
    question = replace(page.question, layout="grid")
    await services.queries.search(client, team_of(context), reply, question, page.skip, build_message)


async def show_other_pictures(
    context: AsyncBoltContext,
    client: AsyncWebClient,
    view: SlackObject,
    choose: Callable[[TeachRequest, Choices, StoredQuestion | None], Awaitable[PicturePage]],
) -> None:
    """Keep what is ticked in the modal, and show other pictures in it.

    Args:
        view: the modal before the change.
        choose: takes what the modal is about, the choices on all pages, and the stored question of the shown page.
            Returns which pictures to show.
    """
    services = services_of(context)
    request = read_teach_request(view)
    async with services.handling_request("teach_pictures", modal_reply(client, view["id"], context, request)):
        services.teaching.check_may_teach(person_of(context))
        chosen, page = await chosen_so_far(context, view)
        request = await store_choices(context, request, chosen)
        reply = modal_reply(client, view["id"], context, request)
        await show_pictures(context, client, reply, request, await choose(request, chosen, page), chosen)


async def show_uploads(
    context: AsyncBoltContext,
    client: AsyncWebClient,
    reply: ModalReply,
    request: TeachRequest,
    files: Sequence[SlackFile],
) -> None:
    """Show pictures in Slack in the modal, and below them indexed ones that look like the first.

    Args:
        request: what the modal is about; the files are added.
    """
    services = services_of(context)
    request = replace(request, files=tuple(str(file["id"]) for file in files))
    reply.show = partial(teach_modal, request)
    question = await add_uploaded_image(services.uploads, client, Question("/similar", ""), files[0])
    await show_pictures(context, client, reply, request, PicturePage(question))


async def chosen_so_far(context: AsyncBoltContext, view: SlackObject) -> tuple[Choices, StoredQuestion | None]:
    """Return the choices on all pages of the modal, and the stored question of the shown page.

    Raises:
        QueryError: the page has expired.
    """
    ticks, request = read_ticks(view), read_teach_request(view)
    chosen = Choices()
    if request.chosen:
        chosen = Choices.read((await find_question(context, request.chosen)).uris)
    if not ticks.question:
        return chosen, None
    page = await find_question(context, ticks.question)
    return chosen.on_page(page.uris, ticks.choices(page.uris)), page


async def store_choices(context: AsyncBoltContext, request: TeachRequest, chosen: Choices) -> TeachRequest:
    """Store the choices until another page of the modal is shown. Return the request with their id."""
    if chosen == Choices():
        return replace(request, chosen="")
    services = services_of(context)
    stored = StoredQuestion(
        team_of(context), str(context.user_id), Question(_CHOICES_COMMAND, ""), uris=chosen.stored()
    )
    return replace(request, chosen=await asyncio.to_thread(services.store.save_question, stored))


async def teach_and_confirm(
    context: AsyncBoltContext,
    client: AsyncWebClient,
    reply: Reply,
    name: str,
    chosen: Choices,
    files: Sequence[SlackFile],
) -> None:
    """Teach a name, and answer with the hits before and after.

    Args:
        chosen: indexed images.
        files: images in Slack that show it.

    Raises:
        FindimgError: nothing was taught. The text says why.
    """
    services = services_of(context)
    person = person_of(context)
    services.teaching.check_may_teach(person)
    uploads = [await download(client, file) for file in files]
    result = await services.teaching.teach_lesson(person, name, chosen.like, chosen.unlike, uploads)
    report = result.report
    if not report.added:
        await reply.send(nothing_new_message(report.name))
        return
    counts = len(chosen.like) + len(files), len(chosen.unlike)
    lead = lesson_blocks(report.name, counts, (result.before, result.after), report.action)
    question = Question("/findimg", name_query(report.name))
    try:
        await services.queries.search(
            client, team_of(context), reply, question, build_message=partial(results_message, lead=lead)
        )
    except QueryError as error:
        # With negative examples alone, no image can be found.
        with suppress(QueryError):
            await reply.send(Message(str(error), [*lead, small_text(str(error))]))
