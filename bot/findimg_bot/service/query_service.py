"""Answers questions with messages in Slack: results pages, one shared image, previews, tags, words, copies and text.

The way of a question: `library_reader.py` finds the results, `thumbnail_sender.py` gets their thumbnails,
`slack/blocks/` builds the message from both, and a `Reply` (`slack/replies.py`) sends it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import QueryError, UnknownWordError
from findimg.library.channels import channel_of
from findimg_bot.questions import Question
from findimg_bot.service.library_reader import LibraryReader
from findimg_bot.service.request_handling import TeachableError
from findimg_bot.service.teaching import Teaching, suggested_name
from findimg_bot.service.thumbnail_sender import ThumbnailSender
from findimg_bot.slack.blocks.button_values import hit_value
from findimg_bot.slack.blocks.elements import Block, small_text
from findimg_bot.slack.blocks.image_text import image_text_message
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.results.results_message import results_message
from findimg_bot.slack.blocks.results.results_page import HitThumbnails, ResultsMessageBuilder, ResultsPage
from findimg_bot.slack.blocks.results.single_image import copies_message, link_preview, shared_image_message
from findimg_bot.slack.blocks.tags import tags_blocks, tags_message, words_message
from findimg_bot.slack.blocks.taught_names import unknown_words_message
from findimg_bot.slack.blocks.text import file_name, notification_text
from findimg_bot.slack.pictures.image_files import SlackFile
from findimg_bot.slack.replies import RefusedError, Reply
from findimg_bot.slack.visibility import left_out
from findimg_bot.state.store import Store, StoredQuestion

MAX_TAGGED = 5  # images of one message
_SHOWN_BY_SLACK = ("image/png", "image/jpeg", "image/gif")


class LargerAudienceError(QueryError):
    """People who may not see a picture would see it, so the person who shares it must confirm.

    Attributes:
        uri: the picture.
        posted_in: the Slack channel in which it was posted, as mrkdwn.
    """

    def __init__(self, uri: str, posted_in: str):
        super().__init__("That picture was posted in another channel. Confirm that it may be shared.")
        self.uri = uri
        self.posted_in = posted_in


class QueryService:
    """Answers questions, and stores each of them for its buttons."""

    def __init__(self, reader: LibraryReader, teaching: Teaching, store: Store, thumbnail_sender: ThumbnailSender):
        """Args:
        reader: finds the answers.
        teaching: knows to whom answers offer to teach.
        store: keeps the questions.
        thumbnail_sender: sends the answers that show thumbnails.
        """
        self._reader = reader
        self._teaching = teaching
        self._store = store
        self._thumbnail_sender = thumbnail_sender

    async def search(
        self,
        client: AsyncWebClient,
        team: str,
        reply: Reply,
        question: Question,
        skip: int = 0,
        build_message: ResultsMessageBuilder = results_message,
    ) -> None:
        """Answer with one results page, and controls for more.

        Args:
            skip: number of hits on earlier pages.
            build_message: builds the answer from the results page, for a modal in another way.
        """
        try:
            page = await self._reader.results_page(question, await self._reader.channels_visible_in(reply), skip=skip)
        except UnknownWordError as error:
            # A modal has its own fields for another try.
            if build_message is not results_message or not suggested_name(question) or not self._shows_teach(reply):
                raise
            question_id = await self._store_question(team, reply, question)
            raise TeachableError(str(error), unknown_words_message(str(error), question_id)) from error
        if reason := left_out.get():
            page = replace(page, results=replace(page.results, note=f"{page.results.note} {reason}".strip()))
        await self._send_page(
            client, team, reply, question, replace(page, teaches=self._shows_teach(reply)), build_message
        )

    async def share_image(
        self, client: AsyncWebClient, team: str, reply: Reply, uri: str, is_confirmed: bool = False
    ) -> None:
        """Show one indexed image to everybody in the channel of `reply`.

        Args:
            is_confirmed: whether the person knows that the image was posted in another channel.

        Raises:
            LargerAudienceError: the image was posted in another channel, and the person must confirm.
            QueryError: the image is no longer indexed, or the person may not see it.
        """
        details = await self._reader.hit_details(uri)
        posted_in = channel_of(uri)
        if posted_in not in (None, reply.channel) and not is_confirmed:
            raise LargerAudienceError(uri, f"<#{posted_in}>")
        question = Question("/similar", "", like=uri)
        question_id = await self._store_question(team, reply, question, 0, (uri,))

        async def send_image(pictures: HitThumbnails, attempt: int) -> None:
            source = pictures.sources.get(details.hit.sha256)
            message = shared_image_message(details, source, reply.user, hit_value(question_id, 0))
            await reply.send(message, pictures.fresh)

        await self._thumbnail_sender.send_with_thumbnails(client, team, [details.hit], send_image)

    async def show_link_previews(
        self,
        client: AsyncWebClient,
        team: str,
        links: Sequence[str],
        unfurl: Callable[[dict[str, list[Block]]], Awaitable[None]],
    ) -> None:
        """Show previews of links to indexed images. Other links are passed over.

        Args:
            unfurl: sends the previews, the blocks of each link. It raises `RefusedError` when Slack refuses them.
        """
        found = await self._reader.details_by_link(links)
        if not found:
            return
        uris = tuple(details.hit.uri for details in found.values())
        stored = StoredQuestion(team, "", Question("/similar", "", like=uris[0]), 0, uris)
        question_id = await asyncio.to_thread(self._store.save_question, stored)

        async def send_previews(pictures: HitThumbnails, attempt: int) -> None:
            previews = {}
            for number, (link, details) in enumerate(found.items()):
                source = pictures.sources.get(details.hit.sha256)
                previews[link] = link_preview(details, source, hit_value(question_id, number))
            await unfurl(previews)

        hits = [details.hit for details in found.values()]
        await self._thumbnail_sender.send_with_thumbnails(client, team, hits, send_previews)

    async def show_tags(self, team: str, reply: Reply, question: Question, file: SlackFile | None) -> None:
        """Answer with the tags of an image.

        Args:
            file: the image in Slack, None when the question is about an indexed one.
        """
        results = await self._reader.tags(question, await self._reader.channels_visible_in(reply))
        question_id = await self._store_question(team, reply, question)
        name = question.name or file_name(question.like or question.text)
        source = _source_in_slack(file)
        try:
            await reply.send(tags_message(results, name, source, question_id))
        except RefusedError:
            if source is None:
                raise
            await reply.send(tags_message(results, name, None, question_id))

    async def show_tags_of_all(
        self,
        team: str,
        reply: Reply,
        images: Sequence[tuple[Question, SlackFile]],
        count: int,
        failures: Sequence[str] = (),
    ) -> None:
        """Answer with the tags of several uploaded images.

        Args:
            count: number of images in the message, of which `images` and those of `failures` are the first.
            failures: why other images of the message have no tags, a sentence each.
        """
        tagged = [
            (await self._reader.tags(question), question.name, file, await self._store_question(team, reply, question))
            for question, file in images
        ]
        names = ", ".join(question.name for question, _ in images)

        def message(with_pictures: bool) -> Message:
            blocks: list[Block] = []
            for results, name, file, question_id in tagged:
                source = _source_in_slack(file) if with_pictures else None
                blocks += tags_blocks(results, name, source, question_id)
            blocks += [small_text(failure) for failure in failures]
            if count > len(images) + len(failures):
                blocks.append(small_text(f"The first {len(images) + len(failures)} of {count} images."))
            return Message(notification_text(f"Tags of {names}"), blocks)

        try:
            await reply.send(message(with_pictures=True))
        except RefusedError:
            await reply.send(message(with_pictures=False))

    async def show_tags_and_similar(self, client: AsyncWebClient, team: str, reply: Reply, question: Question) -> None:
        """Answer with an uploaded image's tags and the most similar images."""
        lead: list[Block] = []
        # A library whose encoder has no classes knows no tags.
        with suppress(QueryError):
            results = await self._reader.tags(question)
            lead = tags_blocks(results, question.name, None, None)
        await self.search(client, team, reply, question, build_message=partial(results_message, lead=lead))

    async def show_related_words(self, reply: Reply, word: str) -> None:
        """Answer with the nearest words."""
        results = await self._reader.related_words(word)
        await reply.send(words_message(results, word))

    async def show_copies(self, reply: Reply, stored: StoredQuestion, uri: str) -> None:
        """Answer with the images that an answer folded behind one of its hits.

        Raises:
            QueryError: the library has changed, and the image has no copies in this answer any more.
        """
        hit = await self._reader.find_hit(
            stored.question, stored.skip, uri, await self._reader.channels_visible_in(reply)
        )
        if hit is None or not (hit.copies or hit.near_duplicates):
            raise QueryError("The library has changed since this answer. Ask again.")
        await reply.send(copies_message(uri, hit.copies, hit.near_duplicates))

    async def show_text(self, reply: Reply, uri: str) -> None:
        """Answer with the text of an indexed image, so that it can be copied.

        Raises:
            QueryError: the image is no longer indexed, or has no text any more.
        """
        text = await self._reader.image_text(uri, await self._reader.channels_visible_in(reply))
        if not text:
            raise QueryError("The library has changed since this answer. Ask again.")
        await reply.send(image_text_message(uri, text))

    async def _send_page(
        self,
        client: AsyncWebClient,
        team: str,
        reply: Reply,
        question: Question,
        page: ResultsPage,
        build_message: ResultsMessageBuilder,
    ) -> None:
        """Store the question for the buttons, get the page's thumbnails, build the message and send it."""
        hits = page.results.hits
        question_id = await self._store_question(team, reply, question, page.skip, tuple(hit.uri for hit in hits))

        async def send_page(pictures: HitThumbnails, attempt: int) -> None:
            message = build_message(page, pictures, question_id, private=reply.private, cards=attempt == 0)
            await reply.send(message, pictures.fresh)

        await self._thumbnail_sender.send_with_thumbnails(client, team, hits, send_page, page.skip + 1, page.grid)

    async def _store_question(
        self, team: str, reply: Reply, question: Question, skip: int = 0, uris: tuple[str, ...] = ()
    ) -> str:
        stored = StoredQuestion(team, reply.user if reply.private else "", question, skip, uris)
        return await asyncio.to_thread(self._store.save_question, stored)

    def _shows_teach(self, reply: Reply) -> bool:
        """Return whether an answer offers to teach. In public answers it does, because anybody may click."""
        return not reply.private or self._teaching.is_offered_to(reply.user)


def _source_in_slack(file: SlackFile | None) -> Block | None:
    if file is None or file.get("mimetype") not in _SHOWN_BY_SLACK:
        return None
    return {"slack_file": {"id": file["id"]}}
