"""Answers about pictures in Slack: their tags, or similar pictures. Without a picture, a modal asks for one."""

from collections.abc import Sequence

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError
from findimg_bot.errors import access_error, explain
from findimg_bot.listeners.request_context import services_of, team_of
from findimg_bot.questions import Question
from findimg_bot.service.query_service import MAX_TAGGED, QueryService
from findimg_bot.service.question_from_message import add_uploaded_image
from findimg_bot.slack.blocks.button_values import HitTask, with_suffix
from findimg_bot.slack.blocks.modals.choose_image import ImageRequest, choose_image_modal
from findimg_bot.slack.blocks.text import escaped
from findimg_bot.slack.blocks.which_image import CHOOSE_FILE, which_image_message
from findimg_bot.slack.pictures.image_files import SlackFile
from findimg_bot.slack.replies import Reply


async def answer_image_question(
    queries: QueryService, client: AsyncWebClient, team: str, reply: Reply, question: Question, file: SlackFile | None
) -> None:
    """Answer with an image's tags or with similar images."""
    if question.command == "/tag":
        await queries.show_tags(team, reply, question, file)
    else:
        await queries.search(client, team, reply, question)


async def answer_file(
    command: str, file: SlackFile, context: AsyncBoltContext, client: AsyncWebClient, reply: Reply, text: str = ""
) -> None:
    """Answer `/tag` or `/similar` about an image in Slack."""
    services = services_of(context)
    async with services.handling_request(command[1:], reply):
        question = await add_uploaded_image(services.uploads, client, Question(command, text), file)
        await answer_image_question(services.queries, client, team_of(context), reply, question, file)


async def answer_files(
    task: str, files: Sequence[SlackFile], context: AsyncBoltContext, client: AsyncWebClient, reply: Reply
) -> None:
    """Answer about the images of one message: the tags of each, or images like the one that the person chooses.

    Args:
        task: `HitTask.TAG` or `HitTask.SIMILAR`, or the suffix of a value that has one of them.
    """
    services = services_of(context)
    if len(files) == 1:
        question = await add_uploaded_image(services.uploads, client, Question(f"/{task}", ""), files[0])
        await answer_image_question(services.queries, client, team_of(context), reply, question, files[0])
    elif task == HitTask.TAG:
        await _tag_all(files, context, client, reply)
    else:
        choices = [(str(file.get("name") or "image"), with_suffix(str(file["id"]), HitTask.SIMILAR)) for file in files]
        await reply.send(which_image_message("Similar images to which picture?", choices, CHOOSE_FILE))


async def _tag_all(files: Sequence[SlackFile], context: AsyncBoltContext, client: AsyncWebClient, reply: Reply) -> None:
    """Answer with the tags of each image, and with the reason for each that has none.

    Raises:
        FindimgError: the reason, if no image can be read.
    """
    services = services_of(context)
    images: list[tuple[Question, SlackFile]] = []
    failures: list[str] = []
    errors: list[FindimgError] = []
    for file in files[:MAX_TAGGED]:
        try:
            images.append((await add_uploaded_image(services.uploads, client, Question("/tag", ""), file), file))
        except FindimgError as error:
            errors.append(error)
            failures.append(f"*{escaped(str(file.get('name') or 'image'))}*: {explain(error)}")
    if not images:
        raise errors[0]
    await services.queries.show_tags_of_all(team_of(context), reply, images, len(files), failures)


async def open_image_modal(client: AsyncWebClient, trigger: str, request: ImageRequest, note: str = "") -> None:
    """Open the modal that asks for an image.

    Args:
        note: why the person has to choose one.

    Raises:
        FindimgError: Slack refused, mostly because a modal must open within 3 seconds of a click or command.
    """
    try:
        await client.views_open(trigger_id=trigger, view=choose_image_modal(request, note))
    except SlackApiError as error:
        raise access_error(error) from error
