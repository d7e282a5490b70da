"""Teaches names with example images: who may, and what changes."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from findimg.errors import FindimgError, QueryError
from findimg.library.channels import Channels
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.search.taught.examples import indexed_example
from findimg.settings import Settings
from findimg.taught.audit import Activity, activities, audit
from findimg.taught.events import CancelEvent, Example, ExampleEvent, new_click
from findimg.taught.log import TaughtLog
from findimg.taught.names import clean_name
from findimg.taught.state import CLICKS_WEIGHT, TaughtName
from findimg.taught.teaching import (
    Lesson,
    TeachReport,
    add_lesson,
    erase_examples,
    find_name,
    last_action,
    remove_example,
    remove_name,
    undo,
    undo_person,
)
from findimg.text.lexicon import FILLERS
from findimg_bot.questions import Question, parse_question
from findimg_bot.served_library import ServedLibrary
from findimg_bot.service.bounded_executor import BoundedExecutor
from findimg_bot.slack.person import Person

FIRST_HITS = 10  # that a confirmation compares
_MOST_AT_ONCE = 10  # of one lesson
_LEFT_OUT = FILLERS - {"my", "our", "your"}  # words of a query that are no part of a name: `photos of our booth`
_NOT_A_TEACHER = "Only some people may teach findimg here. Ask the operator of findimg to add you to FINDIMG_TEACHERS."
_GUEST = "Only people of the workspace that installed findimg may teach it. Its operator can add you: FINDIMG_TEACHERS."
_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LessonResult:
    """What a lesson changed."""

    report: TeachReport
    before: tuple[str, ...]  # URIs of the first hits for the name
    after: tuple[str, ...]


class Teaching:
    """Changes and lists the taught names of the live library."""

    def __init__(
        self,
        settings: Settings,
        served_library: ServedLibrary,
        searches: BoundedExecutor,
        embeddings: BoundedExecutor,
        visible: Callable[[], Awaitable[Channels]],
    ):
        """Args:
        searches: runs what needs the library.
        embeddings: runs the encoder.
        visible: returns the Slack channels whose images the person who asks may see.
        """
        self._visible = visible
        self._teachers = settings.teacher_ids
        self._counts_clicks = settings.learn == "clicks"
        self._served_library = served_library
        self._searches = searches
        self._embeddings = embeddings

    def may_teach(self, person: Person) -> bool:
        """Return whether a person may teach.

        People of other organisations may not, unless the setting names them, even if the bot answers them.
        """
        if self._teachers:
            return bool(self._teachers & {person.user, person.qualified_id})
        return person.is_member and bool(person.user)

    def is_offered_to(self, user: str) -> bool:
        """Return whether answers to a person, by id, offer to teach. `check_may_teach` decides when the person does."""
        return not self._teachers or any(each.rpartition("/")[2] == user for each in self._teachers)

    def check_may_teach(self, person: Person) -> None:
        """Check that a person may teach.

        Raises:
            QueryError: the person may not. The text says who can change that.
        """
        if not self.may_teach(person):
            raise QueryError(_NOT_A_TEACHER if self._teachers or person.is_member else _GUEST)

    async def teach_lesson(
        self,
        person: Person,
        name: str,
        like: Collection[str] = (),
        unlike: Collection[str] = (),
        uploads: Sequence[bytes] = (),
    ) -> LessonResult:
        """Teach a name.

        Args:
            person: who teaches.
            name: the word or phrase.
            like: URIs of indexed images that show it.
            unlike: URIs of indexed images that do not show it.
            uploads: image files from outside the library that show it.

        Raises:
            QueryError: the person may not teach, the name is not valid, an image is gone, or a limit is exceeded.
            ImageError: an upload is not an image that findimg reads.
            StorageError: the library cannot be written.
        """
        self.check_may_teach(person)
        if len(uploads) > _MOST_AT_ONCE:
            raise QueryError(f"At most {_MOST_AT_ONCE} pictures can be taught at once. Choose fewer.")
        outside: list[Example] = []
        thumbnails: dict[str, bytes] = {}
        for data in uploads:
            example, small = await self._embeddings.run(partial(self._served_library.outside_example, data))
            outside.append(example)
            thumbnails[example.sha256] = small

        def work(searcher: Searcher, log: TaughtLog) -> LessonResult:
            shown = [indexed_example(searcher, searcher.look_up(uri)[0]) for uri in sorted(like)]
            not_shown = [indexed_example(searcher, searcher.look_up(uri)[0]) for uri in sorted(unlike)]
            before = first_hits(searcher, name)
            lesson = Lesson(name, [*shown, *outside], not_shown, thumbnails)
            report = add_lesson(self._served_library.library.storage, log, person.qualified_id, lesson)
            self._served_library.taught.use_known(searcher)
            return LessonResult(report, before, first_hits(searcher, name))

        return await self._run(work)

    async def count_click(self, person: Person, question: Question, uri: str) -> None:
        """Count that a person used an image of an answer, if the settings allow it and the question is a taught name.

        Args:
            person: whose click counts only if the person may teach. It is not stored.
            question: of the answer.
            uri: of the image.
        """
        if not self._counts_clicks or question.command != "/findimg" or not self.may_teach(person):
            return

        def work(searcher: Searcher, log: TaughtLog) -> None:
            name = searcher.taught.find(question.text)
            if name is None:
                return
            example = indexed_example(searcher, searcher.look_up(uri)[0])
            known = next((each for each in name.examples if each.example.sha256 == example.sha256), None)
            if known is None or known.weight < CLICKS_WEIGHT:
                log.append([new_click(name.name, example)])

        try:
            await self._run(work)
        except FindimgError as error:
            _log.warning("A click was not counted: %s", error)

    async def undo(self, person: Person, action: str) -> int:
        """Take back what one action taught, and return the number of examples.

        Raises:
            QueryError: the person may not teach, or it was undone already.
            StorageError: the library cannot be written.
        """
        self.check_may_teach(person)
        return await self._run(lambda _, log: undo(log, person.qualified_id, action))

    async def undo_last(self, person: Person, name: str) -> int:
        """Take back what changed a name last, and return the number of examples. Errors as of `undo`."""
        self.check_may_teach(person)
        return await self._run(
            lambda _, log: undo(log, person.qualified_id, last_action(find_name(log.refresh(), name)))
        )

    async def remove_name(self, person: Person, name: str) -> int:
        """Take a name back with all its examples, and return their number. Errors as of `undo`."""
        self.check_may_teach(person)
        return await self._run(lambda _, log: remove_name(log, person.qualified_id, name))

    async def remove_examples(self, person: Person, name: str, contents: Collection[str]) -> int:
        """Take examples of a name back, by the SHA-256 of their images, and return their number.

        Errors as of `undo`.
        """
        self.check_may_teach(person)

        def work(_: Searcher, log: TaughtLog) -> int:
            for sha256 in sorted(contents):
                remove_example(log, person.qualified_id, name, sha256)
            return len(contents)

        return await self._run(work)

    async def undo_person(self, person: Person, taught_by: str) -> int:
        """Take back everything that one person taught, and return the number of examples. Errors as of `undo`."""
        self.check_may_teach(person)
        return await self._run(lambda _, log: undo_person(log, person.qualified_id, taught_by))

    async def erase_own(self, person: Person) -> int:
        """Delete everything that a person taught, so that nothing of it is left. Everybody may do so for themselves.

        Raises:
            StorageError: the library cannot be written.
        """
        storage = self._served_library.library.storage
        return await self._run(lambda _, log: erase_examples(storage, log, people=[person.qualified_id]))

    async def list_names(self) -> list[TaughtName]:
        """Return the taught names, the newest first.

        Raises:
            StorageError: the library cannot be read.
        """
        return await self._run(lambda _, log: list(log.refresh().names.values())[::-1])

    async def find_name(self, key: str) -> TaughtName:
        """Return a taught name.

        Raises:
            QueryError: nobody taught it.
            StorageError: the library cannot be read.
        """
        return await self._run(lambda _, log: find_name(log.refresh(), key))

    async def activities(self) -> list[Activity]:
        """Return what each person taught, the last one to teach first.

        Raises:
            StorageError: the library cannot be read.
        """
        return await self._run(lambda _, log: activities(log.refresh().events))

    async def history(self, most: int) -> list[ExampleEvent | CancelEvent]:
        """Return what people did, the newest first.

        Raises:
            StorageError: the library cannot be read.
        """

        def work(_: Searcher, log: TaughtLog) -> list[ExampleEvent | CancelEvent]:
            log.refresh()
            return audit(log.events())[:most]

        return await self._run(work)

    async def _run(self, work: Callable[[Searcher, TaughtLog], T]) -> T:
        """Run work that may change the events, and let answers use them at once."""
        visible = await self._visible()

        def run() -> T:
            with self._served_library.lend(visible) as searcher:
                try:
                    return work(searcher, self._served_library.taught.log)
                finally:
                    self._served_library.taught.use_known(searcher)

        return await self._searches.run(run)


def first_hits(searcher: Searcher, name: str) -> tuple[str, ...]:
    """Return the URIs of the first hits for a name, none where the word is unknown."""
    try:
        return tuple(hit.uri for hit in searcher.find(parse(name_query(name)), FIRST_HITS).hits)
    except QueryError:
        return ()


def name_query(name: str) -> str:
    """Return the query for exactly one name."""
    try:
        terms = parse(name).terms
        if all(term.is_plain for term in terms) and " ".join(term.text for term in terms) == name:
            return name
    except QueryError:
        pass
    return name if '"' in name else f'"{name}"'


def suggested_name(question: Question) -> str:
    """Return the name that a question asks for, empty if it does not ask for one thing by words."""
    try:
        query = parse_question(replace(question, features=None, like=None))
        if question.command != "/findimg" or query.like:
            return ""
        plain = [term for term in query.terms if term.weight > 0 and not term.alternatives]
        if len(plain) != len(query.terms):
            return ""
        return clean_name(" ".join(term.text for term in plain if term.text.lower() not in _LEFT_OUT))
    except QueryError:
        return ""
