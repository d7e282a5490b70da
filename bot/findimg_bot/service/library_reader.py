"""Reads what the person who asks may see of the live version: results pages, tags, texts and links.

For each read, `findimg_bot/served_library.py` lends findimg's `Searcher`, and `findimg_bot/question_results.py` asks it
for the results.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TypeVar

from findimg.library.channels import NO_CHANNELS, Channels, channel_of
from findimg.library.manifest import Manifest
from findimg.search.answers.results import Hit
from findimg.search.searcher import Searcher
from findimg_bot.errors import SlackAccessError
from findimg_bot.question_results import (
    ImageResults,
    TagResults,
    WordResults,
    example_words,
    find_results,
    related_words,
)
from findimg_bot.questions import Question
from findimg_bot.served_library import NoVisibleImageError, ServedLibrary
from findimg_bot.service.bounded_executor import BoundedExecutor
from findimg_bot.service.original_links import LINK_SECONDS, OriginalLinks, path_below
from findimg_bot.slack.blocks.results.results_page import HitDetails, ResultsPage
from findimg_bot.slack.blocks.text import escaped, file_name
from findimg_bot.slack.channel_ids import is_direct
from findimg_bot.slack.replies import Reply
from findimg_bot.slack.visibility import Visibility, left_out

T = TypeVar("T")
PAGE = 8  # hits in one answer
TAGS = 10
_ALT_TAGS = 3


class LibraryReader:
    """Searches the live version in a bounded thread pool, without images that the person may not see."""

    def __init__(
        self, served_library: ServedLibrary, pool: BoundedExecutor, links: OriginalLinks, visibility: Visibility
    ):
        """Use a library.

        Args:
            served_library: the published version of the library.
            pool: runs the searches.
            links: makes links to originals.
            visibility: knows the Slack channels of each person.
        """
        self._served_library = served_library
        self._pool = pool
        self._links = links
        self._visibility = visibility

    async def results_page(
        self, question: Question, visible: Channels = NO_CHANNELS, count: int = PAGE, skip: int = 0
    ) -> ResultsPage:
        """Return one page of hits.

        Args:
            visible: the Slack channels whose pictures may be shown.
            count: maximum number of hits.
            skip: number of hits on earlier pages.

        Raises:
            FindimgError: the question or the library is the reason why there is no answer.
        """

        def read_page(searcher: Searcher) -> ResultsPage:
            results = find_results(searcher, question, count, skip)
            assert isinstance(results, ImageResults)
            return ResultsPage(
                results,
                [self._details(searcher, hit) for hit in results.hits],
                searcher.manifest,
                _title(question),
                skip,
                by_similarity=results.by_similarity,
                grid=question.layout == "grid",
            )

        return await self._read(visible, read_page)

    async def find_hit(self, question: Question, skip: int, uri: str, visible: Channels) -> Hit | None:
        """Return one hit of a page, None if the page does not have it any more.

        Args:
            skip: number of hits on earlier pages.
            uri: the hit's image.
            visible: the Slack channels whose pictures may be shown.

        Raises:
            FindimgError: the question or the library is the reason why there is no answer.
        """

        def read_hit(searcher: Searcher) -> Hit | None:
            results = find_results(searcher, question, PAGE, skip)
            hits = results.hits if isinstance(results, ImageResults) else []
            return next((hit for hit in hits if hit.uri == uri), None)

        return await self._read(visible, read_hit)

    async def hit_details(self, uri: str) -> HitDetails:
        """Return what an answer shows of an indexed image.

        Raises:
            QueryError: the image is not indexed, or the person who asks may not see it.
        """

        def read_details(searcher: Searcher) -> HitDetails:
            item, _ = searcher.look_up(uri)
            return self._details(searcher, _hit(searcher, item))

        return await self._read(await self.visible_channels(), read_details)

    async def details_by_link(self, links: Sequence[str]) -> dict[str, HitDetails]:
        """Return what an answer shows of indexed images, by their links. Other links are passed over."""

        def read_details(searcher: Searcher) -> dict[str, HitDetails]:
            items = {link: self._linked_item(searcher, link) for link in dict.fromkeys(links)}
            return {
                link: self._details(searcher, _hit(searcher, item)) for link, item in items.items() if item is not None
            }

        return await self._read(NO_CHANNELS, read_details)

    async def tags(self, question: Question, visible: Channels = NO_CHANNELS) -> TagResults:
        """Return the tags of an image.

        Raises:
            FindimgError: the question or the library is the reason why there is no answer.
        """

        def read_tags(searcher: Searcher) -> TagResults:
            results = find_results(searcher, replace(question, command="/tag"), TAGS)
            assert isinstance(results, TagResults)
            return results

        return await self._read(visible, read_tags)

    async def image_text(self, uri: str, visible: Channels) -> str:
        """Return the text of an indexed image, empty if it has none.

        Raises:
            QueryError: the image is not indexed, or is in none of the channels.
        """

        def read_text(searcher: Searcher) -> str:
            return searcher.look_up(uri)[1].text

        return await self._read(visible, read_text)

    async def links_to_originals(self, hits: Sequence[HitDetails]) -> list[str]:
        """Return a link to each hit, which may be valid for some minutes only. It is empty where there is none.

        Raises:
            StorageError: the storage cannot be used.
        """

        def make() -> list[str]:
            return [
                each.link or (self._links.temporary_link(each.hit.uri) if self._links.can_link(each.hit.uri) else "")
                for each in hits
            ]

        return await asyncio.to_thread(make)

    async def check_visible(self, uri: str) -> None:
        """Check that the person who asks may see an indexed image.

        Raises:
            QueryError: the person may not, or the image is not indexed. Both get the same sentence.
        """

        def look_up(searcher: Searcher) -> None:
            searcher.look_up(uri)

        await self._read(await self.visible_channels(), look_up)

    def link_to_original(self, uri: str) -> tuple[str, int]:
        """Return a link to an indexed image, and for how many minutes it is valid; 0 for a public address.

        Raises:
            StorageError: the storage cannot be used.
        """
        with self._served_library.lend_everything() as searcher:
            link = self._links.public_link(uri, searcher.manifest.sources)
        return (link, 0) if link else (self._links.temporary_link(uri), LINK_SECONDS // 60)

    async def visible_manifest(self) -> Manifest:
        """Return the live version's manifest, with the number of images that the person who asks may see.

        Raises:
            FindimgError: there is no version.
        """

        def read_manifest(searcher: Searcher) -> Manifest:
            return searcher.manifest

        return await self._read(await self.visible_channels(), read_manifest)

    async def example_words(self, count: int) -> list[str]:
        """Return at most `count` words to search for, which images show that the person who asks may see.

        Raises:
            FindimgError: there is no version.
        """

        def read_words(searcher: Searcher) -> list[str]:
            return example_words(searcher, count)

        return await self._read(await self.visible_channels(), read_words)

    async def related_words(self, word: str) -> WordResults:
        """Return the words nearest to a word.

        Raises:
            FindimgError: the word is unknown, or the library has no words.
        """
        return await self._pool.run(lambda: related_words(self._served_library.words(), word, TAGS))

    async def visible_channels(self) -> Channels:
        """Return the Slack channels whose pictures the person who asks may see."""
        indexed = await asyncio.to_thread(self._served_library.channels)
        return await self._visibility.of_viewer(indexed) if indexed else NO_CHANNELS

    async def channels_visible_in(self, reply: Reply) -> Channels:
        """Return the Slack channels whose pictures an answer may show.

        An answer that a whole channel sees shows pictures of that channel only, because it may have guests.
        """
        if reply.private or is_direct(reply.channel):
            return await self.visible_channels()
        return frozenset({reply.channel})

    async def _read(self, visible: Channels, read: Callable[[Searcher], T]) -> T:
        """Call a function with the live version, in the thread pool."""

        def read_lent_version() -> T:
            with self._served_library.lend(visible) as searcher:
                return read(searcher)

        try:
            return await self._pool.run(read_lent_version)
        except NoVisibleImageError as error:
            if reason := left_out.get():
                raise SlackAccessError(reason) from error
            raise

    def _linked_item(self, searcher: Searcher, link: str) -> int | None:
        uri = self._links.uri_of_public_link(
            link, searcher.manifest.sources, lambda uri: searcher.catalog.item(uri) is not None
        )
        return searcher.catalog.item(uri) if uri else None

    def _details(self, searcher: Searcher, hit: Hit) -> HitDetails:
        sources = searcher.manifest.sources
        tags: tuple[str, ...] = ()
        if searcher.knows_words:
            tags = tuple(tag.word for tag in searcher.tags(searcher.features(hit.item), _ALT_TAGS))
        return HitDetails(
            hit,
            self._folder_or_channel(hit.uri, sources),
            tags,
            self._links.public_link(hit.uri, sources),
            # Slack has a link to each of its files.
            self._links.can_link(hit.uri) or channel_of(hit.uri) is not None,
            len(hit.copies),
            len(hit.near_duplicates),
            bool(searcher.written(hit.item)),
        )

    def _folder_or_channel(self, uri: str, sources: Sequence[str]) -> str:
        """Return an image's folder below its source, or the name of its Slack channel."""
        if channel := channel_of(uri):
            name = self._visibility.names.get(channel)
            return f"#{name}" if name else ""
        folder = str(PurePosixPath(path_below(uri, sources)).parent)
        return folder if folder != "." else ""


def _hit(searcher: Searcher, item: int) -> Hit:
    """Return an indexed image as a hit that is named, not found."""
    row = searcher.catalog.row(item)
    facts = row.facts
    return Hit(row.uri, 1.0, item, facts.width, facts.height, row.sha256, facts.taken, dated_by=row.dated_by)


def _title(question: Question) -> str:
    like = question.name or (file_name(question.like) if question.like else "")
    about = f" {escaped(question.text)}" if question.text else ""
    if like:
        return f"Images like *{escaped(like)}*{about}"
    return f"Images for *{escaped(question.text)}*"
