"""The modal in which a person searches, looks at pictures and shares one."""

from collections.abc import Sequence

from findimg.search.query import LONGEST
from findimg_bot.slack.blocks.button_values import hit_value
from findimg_bot.slack.blocks.elements import (
    Block,
    actions,
    button,
    conversation_select,
    labelled,
    plain_text,
    select,
    text_input,
)
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.results.results_message import heading_blocks, picture_note, rows
from findimg_bot.slack.blocks.results.results_page import HitThumbnails, ResultsPage
from findimg_bot.slack.blocks.text import file_name, notification_text, plain
from findimg_bot.slack.limits import check_view
from findimg_bot.slack_objects import SlackObject

SEARCH, SHARE = "find_picture", "share_picture"  # callback_id of the modal, by what its submit button does
SEARCH_IN_MODAL = "search_in_modal"  # action_id of the text field
PREVIOUS_IN_MODAL, NEXT_IN_MODAL = "previous_in_modal", "next_in_modal"  # action_id of the buttons
_WORDS, _PICTURE, _CONVERSATION = "words", "picture", "conversation"  # block_id
_CHANNEL = "channel"


def find_picture_modal(blocks: Sequence[Block] = ()) -> Block:
    """Return the modal with a text field, and below it an answer.

    The text field is the same in all states of the modal, so Slack keeps what the person typed.

    Args:
        blocks: the answer. With an input for the picture, the modal shares that picture.
    """
    shares = any(block.get("block_id") == _PICTURE for block in blocks)
    words = labelled(
        _WORDS,
        "What does the picture show?",
        text_input("cat sofa", SEARCH_IN_MODAL, min(LONGEST, 3000)),
        dispatches=True,
    )
    view = {
        "type": "modal",
        "callback_id": SHARE if shares else SEARCH,
        "title": plain_text("Find a picture"),
        "submit": plain_text("Share" if shares else "Find"),
        "close": plain_text("Close"),
        "blocks": [words, *blocks],
    }
    check_view(view)
    return view


def refusal_modal(reason: str) -> Block:
    """Return a modal that says why the person gets no answer."""
    view = {
        "type": "modal",
        "title": plain_text("Find a picture"),
        "close": plain_text("Close"),
        "blocks": [{"type": "section", "text": plain_text(reason)}],
    }
    check_view(view)
    return view


def results_in_modal(page: ResultsPage, pictures: HitThumbnails, question_id: str, **_: object) -> Message:
    """Return the answer below the text field: one page of hits, and inputs that share one of them.

    Args:
        question_id: id of the stored question, which the buttons carry.
    """
    blocks = [*heading_blocks(page), *rows(page, pictures), *picture_note(pictures)]
    turning = [button("Previous", PREVIOUS_IN_MODAL, question_id)] if page.skip else []
    if page.results.more:
        turning.append(button("Next", NEXT_IN_MODAL, question_id))
    if turning:
        blocks.append(actions(turning))
    if page.details:
        names = [
            (f"{page.skip + number + 1}. {plain(file_name(each.hit.uri), 60)}", hit_value(question_id, number))
            for number, each in enumerate(page.details)
        ]
        blocks.append(labelled(_PICTURE, "Picture to share", select("Choose a picture…", _PICTURE, names)))
        blocks.append(
            labelled(_CONVERSATION, "Share to conversation", conversation_select("Choose a conversation…", _CHANNEL))
        )
    return Message(notification_text("Pictures that were found"), blocks)


def read_words(view: SlackObject) -> str:
    """Return what the person typed into the modal."""
    return str(view["state"]["values"].get(_WORDS, {}).get(SEARCH_IN_MODAL, {}).get("value") or "")


def read_picture_to_share(view: SlackObject) -> tuple[str, str]:
    """Return the chosen picture, as `button_values.hit_value` writes it, and the id of the conversation."""
    values = view["state"]["values"]
    return values[_PICTURE][_PICTURE]["selected_option"]["value"], values[_CONVERSATION][_CHANNEL][
        "selected_conversation"
    ]
