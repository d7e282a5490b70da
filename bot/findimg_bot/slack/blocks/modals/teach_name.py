"""The modal in which a person gives example pictures for a name."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field

from findimg.search.query import LONGEST
from findimg.search.query.filters import FORMATS
from findimg.taught.names import LONGEST_NAME
from findimg.terminal import counted
from findimg_bot.slack.blocks.elements import (
    Block,
    actions,
    button,
    checkboxes,
    file_input,
    image,
    labelled,
    plain_section,
    plain_text,
    small_text,
    text_field,
    text_input,
)
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.results.results_message import heading_blocks, picture_note, rows
from findimg_bot.slack.blocks.results.results_page import HitThumbnails, ResultsPage
from findimg_bot.slack.blocks.text import file_name, notification_text, plain
from findimg_bot.slack.limits import ALT_TEXT, IDENTIFIER, check_view, clip
from findimg_bot.slack_objects import SlackObject

TEACH = "teach"  # callback_id
SEARCH_TO_TEACH = "search_to_teach"  # action_id of the search field
PREVIOUS_TO_TEACH, NEXT_TO_TEACH, LIKE_TICKED = "previous_to_teach", "next_to_teach", "like_ticked"  # of the buttons
MOST_IN_MODAL = 5
NAME_BLOCK = "name"
_SEARCH, _UPLOADS = "look_for", "uploads"
_NAME, _FILES = "name", "files"
_LIKE, _UNLIKE = "like", "unlike"
_EXPLANATION = "Tick pictures that show it. One is enough to start, and three find most others."


@dataclass(frozen=True, slots=True)
class TeachRequest:
    """What the modal is about. The modal carries it in its `private_metadata`."""

    name: str  # suggested; may be empty
    channel: str  # id of the channel for the answer; empty is the direct message
    thread: str | None = None  # timestamp of the thread for the answer
    files: tuple[str, ...] = ()  # ids of files in Slack that show it
    chosen: str = ""  # id of the stored choices on other pages


@dataclass(frozen=True, slots=True)
class Choices:
    """The indexed images that a person chose, by URI."""

    like: frozenset[str] = frozenset()
    unlike: frozenset[str] = frozenset()

    def on_page(self, uris: Collection[str], page: "Choices") -> "Choices":
        """Return the choices with those for one page replaced."""
        return Choices((self.like - set(uris)) | page.like, (self.unlike - set(uris)) | page.unlike)

    def stored(self) -> tuple[str, ...]:
        """Return the choices as a stored question holds them: `+` or `-` before each URI."""
        return (*(f"+{uri}" for uri in sorted(self.like)), *(f"-{uri}" for uri in sorted(self.unlike)))

    @classmethod
    def read(cls, stored: Sequence[str]) -> "Choices":
        """Return the choices that `stored` returned."""
        marked = {mark: frozenset(each[1:] for each in stored if each.startswith(mark)) for mark in "+-"}
        return cls(marked["+"], marked["-"])


@dataclass(frozen=True, slots=True)
class Ticks:
    """The check boxes that are ticked on the shown page."""

    question: str = ""  # id of the stored question of the page; empty where no page is shown
    like: frozenset[int] = frozenset()  # numbers on the page, from 0
    unlike: frozenset[int] = frozenset()
    block: str = NAME_BLOCK  # id of the block for errors

    def choices(self, uris: Sequence[str]) -> Choices:
        """Return the chosen images of a page."""

        def of(numbers: Collection[int]) -> frozenset[str]:
            return frozenset(uri for number, uri in enumerate(uris) if number in numbers)

        return Choices(of(self.like), of(self.unlike))


@dataclass(frozen=True, slots=True)
class Submission:
    """What a person submitted."""

    name: str
    ticks: Ticks
    files: tuple[SlackObject, ...] = field(default=())  # uploaded in the modal, as Slack describes them


def teach_modal(request: TeachRequest, blocks: Sequence[Block] = ()) -> Block:
    """Return the modal.

    Args:
        request: what it is about.
        blocks: the pictures to choose from, or why there are none.
    """
    name = text_field("lotus", _NAME, LONGEST_NAME, request.name)
    look_for = text_input("flower", SEARCH_TO_TEACH, LONGEST, focus=False)
    fields = [labelled(NAME_BLOCK, "Name, as people will search for it", name)]
    for number, file in enumerate(request.files, 1):
        about = "The picture that shows it" if len(request.files) == 1 else f"Picture {number} that shows it"
        fields.append(image({"slack_file": {"id": file}}, about))
    if not request.files:
        fields.append(plain_section(_EXPLANATION))
    fields.append(labelled(_SEARCH, "Look for more pictures of it", look_for, dispatches=True, optional=True))
    if not request.files:
        chooser = file_input(_FILES, list(FORMATS), MOST_IN_MODAL)
        uploads = [labelled(_UPLOADS, "Or upload pictures that show it", chooser, optional=True)]
    else:
        uploads = []
    view = {
        "type": "modal",
        "callback_id": TEACH,
        "title": plain_text("Teach a name"),
        "submit": plain_text("Teach"),
        "close": plain_text("Cancel"),
        "private_metadata": json.dumps(asdict(request), ensure_ascii=False),
        "blocks": [*fields, *blocks, *uploads],
    }
    check_view(view)
    return view


def teach_choices(
    page: ResultsPage,
    pictures: HitThumbnails,
    question_id: str,
    *,
    request: TeachRequest,
    chosen: Choices,
    **_: object,
) -> Message:
    """Return the numbered pictures of one page, and check boxes for them.

    Args:
        question_id: id of the stored question, which names the page's images.
        request: what the modal is about.
        chosen: which images are ticked already, on any page.
    """
    hits = page.results.hits
    blocks = heading_blocks(page)
    if pictures.sheet and hits:
        names = ", ".join(plain(file_name(hit.uri), 60) for hit in hits)
        blocks.append(image(pictures.sheet, clip(f"In this order: {names}", ALT_TEXT)))
    else:
        blocks += rows(page, pictures)
    blocks += picture_note(pictures)
    if hits:
        name = f'"{plain(request.name, LONGEST_NAME)}"' if request.name else "it"
        boxes = [
            (f"{page.skip + number + 1}. {plain(file_name(hit.uri), 60)}", str(number))
            for number, hit in enumerate(hits)
        ]
        for action, label, uris in (
            (_LIKE, f"These show {name}", chosen.like),
            (_UNLIKE, f"These don't show {name}", chosen.unlike),
        ):
            ticked = [str(number) for number, hit in enumerate(hits) if hit.uri in uris]
            # Slack keeps what is ticked by block_id, so another page needs other ids.
            block = clip(f"{action}.{question_id}", IDENTIFIER)
            blocks.append(labelled(block, label, checkboxes(action, boxes, ticked), optional=True))
    here = {hit.uri for hit in hits}
    if elsewhere := (chosen.like | chosen.unlike) - here:
        blocks.append(small_text(f"You chose {counted(len(elsewhere), 'picture')} on other pages, too."))
    turning = [button("Previous pictures", PREVIOUS_TO_TEACH, question_id)] if page.skip else []
    if page.results.more:
        turning.append(button("More pictures", NEXT_TO_TEACH, question_id))
    if hits:
        turning.append(button("More like the ticked ones", LIKE_TICKED, question_id))
    if turning:
        blocks.append(actions(turning))
    return Message(notification_text("Pictures to choose from"), blocks)


def channel_of_teach_modal(view: SlackObject) -> str | None:
    """Return the channel in which the modal was opened, empty for none. Return None for another modal."""
    if view.get("callback_id") != TEACH:
        return None
    return str(json.loads(view.get("private_metadata") or "{}").get("channel", ""))


def read_teach_request(view: SlackObject) -> TeachRequest:
    """Return what a modal is about."""
    stored = json.loads(view["private_metadata"])
    return TeachRequest(**(stored | {"files": tuple(stored["files"])}))


def read_search(view: SlackObject) -> str:
    """Return what the person typed to look for other pictures."""
    return str(_value(view, _SEARCH, SEARCH_TO_TEACH).get("value") or "")


def read_ticks(view: SlackObject) -> Ticks:
    """Return the ticked check boxes."""
    numbers: dict[str, frozenset[int]] = {_LIKE: frozenset(), _UNLIKE: frozenset()}
    question, shown = "", NAME_BLOCK
    for block, elements in view["state"]["values"].items():
        action, _, rest = block.partition(".")
        if action in numbers and rest:
            question = rest
            shown = block if action == _LIKE else shown
            options = elements[action].get("selected_options") or ()
            numbers[action] = frozenset(int(option["value"]) for option in options)
    return Ticks(question, numbers[_LIKE], numbers[_UNLIKE], shown)


def read_submission(view: SlackObject) -> Submission:
    """Return what a person submitted."""
    name = str(_value(view, NAME_BLOCK, _NAME).get("value") or "")
    return Submission(name, read_ticks(view), tuple(_value(view, _UPLOADS, _FILES).get("files") or ()))


def _value(view: SlackObject, block: str, action: str) -> SlackObject:
    found: SlackObject = view["state"]["values"].get(block, {}).get(action, {})
    return found
