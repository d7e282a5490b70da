import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.library.manifest import IndexEntry, Manifest, SegmentEntry
from findimg.search.answers.results import Hit, TextMatch
from findimg.search.class_tags import Tag
from findimg.search.query import LONGEST
from findimg_bot.question_results import ImageResults, TagResults, WordResults
from findimg_bot.slack.blocks.elements import Block
from findimg_bot.slack.blocks.guidance import HELP, help_message
from findimg_bot.slack.blocks.home_tab import home_tab
from findimg_bot.slack.blocks.message import Message, text_message
from findimg_bot.slack.blocks.modals.choose_image import ImageRequest, choose_image_modal
from findimg_bot.slack.blocks.results.results_message import results_message
from findimg_bot.slack.blocks.results.results_page import HitDetails, HitThumbnails, ResultsPage
from findimg_bot.slack.blocks.results.single_image import copies_message, link_message, shared_image_message
from findimg_bot.slack.blocks.tags import tags_blocks, tags_message, words_message
from findimg_bot.slack.blocks.text import escaped, file_name, plain
from findimg_bot.slack.blocks.which_image import which_image_message
from findimg_bot.slack.limits import LimitError, check_message

MANIFEST = Manifest(
    version="20240601T120000Z",
    created="2024-06-01T12:00:00+00:00",
    run="r",
    inputs="i",
    backbone="efficientnet-lite0",
    fingerprint="f",
    words="glove.6B.50d",
    head="conse",
    dim=1280,
    visual_dim="128",
    coherence=[],
    sources=["s3://photos/2024"],
    images=12345,
    failed=0,
    noise_floor=0.01,
    recipe="r",
    measured_images=12345,
    segments=[
        SegmentEntry(
            name="5e6",
            images=12345,
            visual=IndexEntry(dim=128, counts=[12345], search_k=100, recall=1.0),
            joint=None,
            files={},
            build_files={},
        )
    ],
    files={},
)
DATE = "<!date^1717243200^{date_short_pretty} at {time}|1 June 2024, 12:00 UTC>"  # of the manifest
CAT = Hit("/photos/2024/party/cat.jpg", 0.83, 0, 640, 480, "ab" * 32, datetime(2024, 6, 1, 9, 30))
HOSTILE = [
    "<!channel>",
    "<@U1>",
    "<https://evil.example|your bank>",
    "&lt;!here&gt; & <#C1>",
    "*bold* _italic_ ~gone~ `code` ```block```",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.tac",
    "c\N{ZERO WIDTH SPACE}a\N{ZERO WIDTH JOINER}t",
    "\N{ZERO WIDTH SPACE}",
    "line\nbreak\ttab\0nul",
    "\ud800",
    "👨‍👩‍👧 🏖️",
    "&" * 10_000,
    "<" * 10_000,
    "`" * 10_000,
    "猫" * 10_000,
    "",
]
pieces = [text for text in HOSTILE if len(text) < 100]
hostile = st.sampled_from(pieces) | st.text(st.sampled_from("<>&*`~|!@# \n\u202e\u200b") | st.characters())
_OURS = re.compile(r"<(!date\^\d+\^|https://files\.example/[^<>|]*\|Open|@U1)[^<>]*>")


def hits(count: int) -> list[Hit]:
    return [replace(CAT, sha256=f"{i:064x}", uri=f"/photos/2024/party/cat{i}.jpg") for i in range(count)]


def page(details: Sequence[HitDetails], note: str = "", more: bool = False, **how: Any) -> ResultsPage:
    results = ImageResults(
        "cat", [each.hit for each in details], note, MANIFEST.version, 1.0, more, how.pop("total", None)
    )
    return ResultsPage(results, details, MANIFEST, how.pop("title", "Images for *cat*"), **how)


def found(
    count: int,
    note: str = "",
    more: bool = False,
    pictures: HitThumbnails | None = None,
    lead: Sequence[Block] = (),
    private: bool = True,
    **how: Any,
) -> Message:
    details = [HitDetails(hit, "party", ("cat", "animal")) for hit in hits(count)]
    shown = pictures or all_pictures(count)
    return results_message(page(details, note, more, **how), shown, "id", lead, private)


def all_pictures(count: int) -> HitThumbnails:
    return HitThumbnails({hit.sha256: {"slack_file": {"id": "F1"}} for hit in hits(count)})


def objects(given: Any) -> Iterator[dict[str, Any]]:
    """Yield all JSON objects in a message."""
    if isinstance(given, dict):
        yield given
        given = list(given.values())
    if isinstance(given, list | tuple):
        for each in given:
            yield from objects(each)


def buttons(blocks: Sequence[dict[str, Any]]) -> list[str]:
    return [each["text"]["text"] for each in objects(blocks) if each.get("type") == "button"]


def mrkdwn(blocks: Any) -> list[str]:
    return [each["text"] for each in objects(blocks) if each.get("type") == "mrkdwn"]


def alt_texts(blocks: Any) -> list[str]:
    return [each["alt_text"] for each in objects(blocks) if each.get("type") == "image"]


def check_harmless(message: Message) -> None:
    """Check that a message mentions nobody, has no foreign link, is valid text, and describes every image."""
    for text in [message.text, *mrkdwn(message.blocks)]:
        assert not {"<", ">"} & set(_OURS.sub("", text)), text
    check_message(message.text, message.blocks)
    json.dumps([message.text, message.blocks], ensure_ascii=False).encode()
    assert all(text.strip() for text in alt_texts(message.blocks))


def hostile_message(name: str, folder: str, query: str, note: str, tags: tuple[str, ...]) -> Message:
    text = TextMatch("text", ((note, False), (query, True)))
    many = [replace(hit, uri=f"/photos/{name}", matched=text) for hit in hits(5)]
    details = [HitDetails(hit, folder, tags, "https://files.example/a%20b", True, 3) for hit in many]
    pictures = replace(all_pictures(5), note=note)
    shown = page(details, note, True, title=f"Images for *{escaped(query)}*", skip=8, total=100)
    return results_message(shown, pictures, "x" * 16)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_an_answer_stays_plain_text(text: str) -> None:
    check_harmless(hostile_message(text, text, text, text, (text, text)))
    check_harmless(hostile_message(text, "", "", "", ()))
    check_harmless(tags_message(TagResults([Tag(text, 0.5)] * 10, "v", 1.0), text, {"slack_file": {"id": "F1"}}, "id"))
    check_harmless(words_message(WordResults([(text, 0.5)] * 10, 1.0), text))
    check_harmless(link_message(f"s3://photos/{text}", "https://files.example/a", 10))


@settings(max_examples=150, deadline=None)
@given(hostile, hostile, hostile, hostile, st.lists(hostile, max_size=3))
def test_any_text_makes_a_valid_answer(name: str, folder: str, query: str, note: str, tags: list[str]) -> None:
    check_harmless(hostile_message(name, folder, query, note, tuple(tags)))


@settings(max_examples=100, deadline=None)
@given(hostile, st.lists(hostile, max_size=10), st.booleans())
def test_any_text_makes_valid_tags_and_words(name: str, words: list[str], pictured: bool) -> None:
    image = {"slack_file": {"id": "F1"}} if pictured else None
    check_harmless(tags_message(TagResults([Tag(word, 0.5) for word in words], "v", 1.0), name, image, "id"))
    check_harmless(words_message(WordResults([(word, 0.5) for word in words], 1.0), name))


@settings(max_examples=100, deadline=None)
@given(hostile)
def test_any_error_makes_a_valid_message(text: str) -> None:
    message = text_message(f"No image {text} is indexed.")
    check_harmless(message)
    (block,) = message.blocks
    assert block["text"]["type"] == "plain_text"  # nothing in it formats


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat sofa", "cat sofa"),
        ("  cat \n\t sofa ", "cat sofa"),
        ("c\N{ZERO WIDTH SPACE}at\N{RIGHT-TO-LEFT OVERRIDE}", "cat"),
        ("größe 猫 🏖", "größe 猫 🏖"),
        ("cat\N{NO-BREAK SPACE}sofa\N{LINE SEPARATOR}dog", "cat sofa dog"),
        ("x" * 201, "x" * 199 + "…"),
        ("\0\ud800", ""),
    ],
)
def test_plain_text_is_one_line_without_invisible_characters(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("R&D <b>", "R&amp;D &lt;b&gt;"),
        ("&lt;", "&amp;lt;"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("*a*", "\u2060*\u2060a\u2060*\u2060"),
        ("`~", "\u2060`\u2060\u2060~\u2060"),
        ("IMG_2024_06.jpg", "IMG_2024_06.jpg"),
    ],
)
def test_escaped_text_neither_notifies_nor_formats(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (1, "strong match"),
        (0.75, "strong match"),
        (0.74, "good match"),
        (0.4, "good match"),
        (0.39, "fair match"),
        (0.15, "fair match"),
        (0.14, "faint match"),
        (0, "faint match"),
    ],
)
def test_relevance_is_shown_in_words(score: float, words: str) -> None:
    check_score(score, words, by_similarity=False)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (1, "nearly identical"),
        (0.98, "nearly identical"),
        (0.97, "very similar"),
        (0.8, "very similar"),
        (0.79, "similar"),
        (0.6, "similar"),
        (0.59, "somewhat similar"),
        (-1, "somewhat similar"),
    ],
)
def test_similarity_is_shown_in_words(score: float, words: str) -> None:
    check_score(score, words, by_similarity=True)


def test_row_shows_where_a_text_has_the_words() -> None:
    text = TextMatch("text", (("…status ", False), ("error 500", True), (" on <server>…", False)))
    details = [HitDetails(replace(CAT, matched=text), "", ())]
    blocks = results_message(page(details), HitThumbnails(), "id").blocks
    row = next(each for each in mrkdwn(blocks) if "cat.jpg" in each)
    assert row.replace("\N{ZERO WIDTH SPACE}", "").splitlines()[-1] == "text: …status *error 500* on &lt;server&gt;…"


def check_score(score: float, words: str, by_similarity: bool) -> None:
    """Check that the row says the score in words and the menu gives the number."""
    details = [HitDetails(replace(CAT, score=score), "", ())]
    blocks = results_message(page(details, by_similarity=by_similarity), HitThumbnails(), "id").blocks
    row = next(text for text in mrkdwn(blocks) if "cat.jpg" in text)
    assert row.splitlines()[0] == f"1. *cat.jpg*  {words}"
    (group,) = menu(blocks)["option_groups"]
    assert group["label"]["text"] == f"1. cat.jpg · {words} {score:.2f}"


def menu(blocks: Sequence[Block]) -> dict[str, Any]:
    """Return the menu of an answer's images."""
    return next(each for each in objects(blocks) if each.get("action_id") == "choose_hit")


def choices(blocks: Sequence[Block]) -> list[tuple[str, str]]:
    """Return the text and value of each choice in the menu."""
    groups = menu(blocks)["option_groups"]
    return [(option["text"]["text"], option["value"]) for group in groups for option in group["options"]]


def test_row_shows_name_folder_date_and_thumbnail() -> None:
    details = [HitDetails(CAT, "2024/party", ("cat", "animal"), "https://files.example/cat.jpg", copies=11)]
    pictures = HitThumbnails({CAT.sha256: {"slack_file": {"id": "F1"}}})
    title, row, *_ = results_message(page(details), pictures, "id").blocks
    assert title["text"]["text"] == "Images for *cat*"
    assert row["accessory"] == {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "cat.jpg: cat, animal"}
    assert row["text"]["text"] == (
        "1. *cat.jpg* · <https://files.example/cat.jpg|Open>  strong match\n"
        "2024/party · 1 June 2024 · 640\u00a0×\u00a0480 · and 11 copies"
    )


def test_row_without_folder_date_and_tags() -> None:
    hit = replace(CAT, taken=None)
    pictures = HitThumbnails({CAT.sha256: {"slack_file": {"id": "F1"}}})
    blocks = results_message(page([HitDetails(hit, "", ())]), pictures, "id").blocks
    assert "1. *cat.jpg*  strong match\n640\u00a0×\u00a0480" in mrkdwn(blocks)
    assert alt_texts(blocks) == ["cat.jpg"]


def test_date_of_the_file_is_marked() -> None:
    details = [HitDetails(replace(CAT, dated_by="file"), "2024/party", ())]
    blocks = results_message(page(details), HitThumbnails(), "id").blocks
    assert any("2024/party · file of 1 June 2024 · 640\u00a0×\u00a0480" in text for text in mrkdwn(blocks))


def test_menu_offers_only_what_an_image_allows() -> None:
    plain_hit = [HitDetails(CAT, "", ())]
    every = [HitDetails(CAT, "", (), on_request=True, copies=1)]
    assert choices(results_message(page(plain_hit), HitThumbnails(), "id").blocks) == [
        ("More like this", "id.0.similar"),
        ("Share this one", "id.0.share"),
    ]
    assert choices(results_message(page(every), HitThumbnails(), "id").blocks)[2:] == [
        ("Open", "id.0.open"),
        ("Copies (1)", "id.0.copies"),
    ]
    written = [HitDetails(CAT, "", (), has_text=True)]
    assert choices(results_message(page(written), HitThumbnails(), "id").blocks)[2:] == [("Copy text", "id.0.text")]
    public = results_message(page(plain_hit), HitThumbnails(), "id", private=False).blocks
    assert choices(public) == [("More like this", "id.0.similar")]


def test_images_with_a_public_address_are_cards() -> None:
    details = [HitDetails(CAT, "2024/party", ("cat",), on_request=True)]
    pictures = HitThumbnails({CAT.sha256: {"image_url": "https://files.example/t.jpg"}})
    blocks = results_message(page(details), pictures, "id").blocks
    (card,) = next(block for block in blocks if block["type"] == "carousel")["elements"]
    assert card["hero_image"] == {
        "type": "image",
        "image_url": "https://files.example/t.jpg",
        "alt_text": "cat.jpg: cat",
    }
    assert [card[name]["text"] for name in ("title", "subtitle", "body")] == [
        "cat.jpg",
        "strong match",
        "2024/party · 1 June 2024",
    ]
    assert [(each["action_id"], each["value"]) for each in card["actions"]] == [
        ("more_like_this", "id.0"),
        ("open_image", "id.0"),
    ]
    rows = results_message(page(details), pictures, "id", cards=False).blocks
    assert "carousel" not in [block["type"] for block in rows]


def test_link_that_is_too_long_is_left_out() -> None:
    details = [HitDetails(CAT, "party", (), "https://files.example/" + "%E7%8C%AB" * 340)]
    message = results_message(page(details), HitThumbnails(), "id")
    check_harmless(message)
    assert message.blocks[1]["text"]["text"].startswith("1. *cat.jpg*  strong match\n")


def test_full_page_fits_slacks_limits() -> None:
    tagged = TagResults([Tag("cat", 0.9)] * 10, MANIFEST.version, 1.0)
    lead = tags_blocks(tagged, "cat.jpg", {"slack_file": {"id": "F1"}}, "id")
    pictures = replace(all_pictures(8), sheet={"slack_file": {"id": "F2"}}, note="Slack is slow")
    message = found(8, note="A note.", more=True, pictures=pictures, skip=8, lead=lead)
    assert len(message.blocks) <= 50
    assert len(alt_texts(message.blocks)) == 10


def test_each_choice_carries_the_hits_number() -> None:
    similar = [value for text, value in choices(found(5).blocks) if text == "More like this"]
    assert similar == [f"id.{number}.similar" for number in range(5)]


def test_buttons_lead_to_the_pages_before_and_after() -> None:
    assert buttons(found(8, more=True).blocks) == ["Next", "Grid", "Teach"]
    assert buttons(found(8, more=True, skip=8).blocks) == ["Previous", "Next", "Grid", "Teach"]
    assert buttons(found(3, skip=8).blocks) == ["Previous", "Grid", "Teach"]
    assert buttons(found(0, skip=8).blocks) == ["Previous", "Teach"]
    assert buttons(found(0).blocks) == ["Teach"]


def test_only_teachers_see_the_button_to_teach() -> None:
    assert buttons(found(8, teaches=False).blocks) == ["Grid"]
    assert buttons(found(0, teaches=False).blocks) == []


def test_grid_shows_the_sheet_and_no_rows() -> None:
    message = found(8, pictures=HitThumbnails(sheet={"slack_file": {"id": "F1"}}), grid=True, skip=8)
    assert len(alt_texts(message.blocks)) == 1
    assert [block["type"] for block in message.blocks] == ["section", "image", "context", "actions", "context"]
    assert mrkdwn(message.blocks)[1].startswith("9. cat0.jpg · 10. cat1.jpg")
    assert "List" in buttons(message.blocks)


def test_page_shows_its_position() -> None:
    assert mrkdwn(found(5).blocks)[0] == "Images for *cat*"
    assert mrkdwn(found(8, more=True).blocks)[0] == "Images for *cat* · 1 to 8"
    assert mrkdwn(found(8, more=True, total=1042).blocks)[0] == "Images for *cat* · 1 to 8 of 1,042"
    assert mrkdwn(found(2, skip=8, total=10).blocks)[0] == "Images for *cat* · 9 to 10 of 10"
    assert mrkdwn(found(0, skip=8).blocks)[0] == "Images for *cat*: no more images."
    assert mrkdwn(found(0).blocks)[0] == "Images for *cat*: nothing found."


def test_shared_image_is_large_and_names_the_person() -> None:
    details = HitDetails(CAT, "2024/party", ("cat",))
    message = shared_image_message(details, {"slack_file": {"id": "F1"}}, "U1", "id.0")
    check_harmless(message)
    assert [block["type"] for block in message.blocks] == ["section", "image", "context", "actions"]
    assert mrkdwn(message.blocks)[1].endswith("shared by <@U1> with findimg")
    assert buttons(message.blocks) == ["More like this"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_plain_text_in_other_messages(text: str) -> None:
    details = HitDetails(replace(CAT, uri=f"/photos/{text}"), text, (text,))
    check_harmless(shared_image_message(details, {"slack_file": {"id": "F1"}}, "U1", "id.0"))
    check_harmless(
        which_image_message(f"Which picture of {plain(text, 50)}?", [(text, "id.0.similar")] * 8, "choose_hit")
    )
    check_harmless(copies_message(f"/photos/{text}", [f"/backup/{text}"] * 30, [f"/raw/{text}"] * 3))


def test_note_is_shown_when_nothing_is_found() -> None:
    note = "Nothing here shows 'zebra'."
    message = found(0, note)
    assert f":information_source: {note}" in mrkdwn(message.blocks)
    assert message.text == f"Nothing found. {note}"


def test_notification_text_lists_the_names() -> None:
    assert found(1).text == "1 image: cat0.jpg"
    assert found(2).text == "2 images: cat0.jpg, cat1.jpg"
    assert found(5).text.startswith("5 images: ")


def test_missing_thumbnail_leaves_text_and_a_reason() -> None:
    pictures = HitThumbnails({hits(5)[0].sha256: {"slack_file": {"id": "F1"}}}, note="Some thumbnails are missing.")
    message = found(5, pictures=pictures)
    assert len(alt_texts(message.blocks)) == 1
    assert ":warning: Some thumbnails are missing." in mrkdwn(message.blocks)
    assert sum("cat" in text and "match" in text for text in mrkdwn(message.blocks)) == 5


def test_contact_sheet_describes_its_images() -> None:
    message = found(3, pictures=HitThumbnails(sheet={"slack_file": {"id": "F1"}}))
    assert alt_texts(message.blocks) == ["In this order: cat0.jpg, cat1.jpg, cat2.jpg"]


def test_footer_shows_image_count_and_local_time() -> None:
    assert mrkdwn(found(5).blocks)[-1] == f"12,345 images · indexed {DATE}"


def test_tags_have_bars_scores_and_two_buttons() -> None:
    tagged = TagResults([Tag("cat", 0.84), Tag("animal", 0.12)], MANIFEST.version, 1.0)
    message = tags_message(tagged, "cat.jpg", {"slack_file": {"id": "F1"}}, "id")
    assert message.text == "Tags of cat.jpg: cat, animal"
    assert alt_texts(message.blocks) == ["cat.jpg: cat, animal"]
    assert mrkdwn(message.blocks) == ["Tags of *cat.jpg*:\n▰▰▰▰▱ *cat* 0.84\n▰▱▱▱▱ *animal* 0.12"]
    assert buttons(message.blocks) == ["Find similar", "Another image…"]


def test_image_without_tags_gets_a_message() -> None:
    message = tags_message(TagResults([], MANIFEST.version, 1.0), "fog.jpg", None, "id")
    assert mrkdwn(message.blocks) == ["No known word describes *fog.jpg*."]
    assert message.text == "Tags of fog.jpg: no known word"


def test_words_have_distances() -> None:
    message = words_message(WordResults([("dog", 0.0), ("puppy", 0.5)], 1.0), "dog")
    assert message.text == "Words near dog: dog, puppy"
    assert mrkdwn(message.blocks) == ["Words near *dog*, with their distances:\n▰▰▰▰▰ *dog* 0.00\n▰▰▰▰▱ *puppy* 0.50"]


def test_link_message_shows_its_validity() -> None:
    message = link_message("s3://photos/a <b>.jpg", "https://files.example/x?a=1", 10)
    assert mrkdwn(message.blocks) == [
        "<https://files.example/x?a=1|Open a &lt;b&gt;.jpg>",
        "Anyone with this link can open the image for 10 minutes.",
    ]


@pytest.mark.parametrize("command", ["/findimg", "/similar", "/tag", "/teach", "/words"])
def test_help_examples_can_be_typed_as_shown(command: str) -> None:
    message = help_message(command)
    check_harmless(message)
    assert f"`{command}" in HELP[command]


def test_home_tab_shows_index_and_help() -> None:
    blocks = home_tab(MANIFEST.model_copy(update={"failed": 7}))["blocks"]
    texts = mrkdwn(blocks)
    assert texts[0] == f"*12,345 images* are indexed, as of {DATE}. 7 could not be read."
    assert texts[1] == "From s3://photos/2024 · efficientnet-lite0 · glove.6B.50d"
    assert all(any(command in text for text in texts) for command in HELP)
    assert buttons(blocks) == ["Tag an image", "Find similar images"]


def test_home_tab_without_a_version_shows_the_problem() -> None:
    blocks = home_tab(None, "No version is published in /library. Run findimg-jobs index first.")["blocks"]
    texts = mrkdwn(blocks)
    assert texts[0] == ":warning: No version is published in /library. Run findimg-jobs index first."
    assert all(any(command in text for text in texts) for command in HELP)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_source_names_stay_plain_text_on_the_home_tab(text: str) -> None:
    for view in (home_tab(MANIFEST.model_copy(update={"sources": [text] * 20})), home_tab(None, text)):
        for shown in mrkdwn(view):
            assert "<" not in _OURS.sub("", shown)
        json.dumps(view, ensure_ascii=False).encode()


@pytest.mark.parametrize("command", ["/tag", "/similar"])
@pytest.mark.parametrize("character", ["x", "🏖", '"', "\\", "é"])
def test_modal_carries_the_longest_query(command: str, character: str) -> None:
    text = character * LONGEST
    view = choose_image_modal(ImageRequest(command, "C123456789", text, "1.000100"), "note")
    assert json.loads(view["private_metadata"]) == {
        "command": command,
        "channel": "C123456789",
        "text": text,
        "thread": "1.000100",
    }


def test_modal_drops_invisible_characters() -> None:
    view = choose_image_modal(ImageRequest("/tag", "", "\0" * 500 + "type:png\n" + "\0" * 400))
    assert json.loads(view["private_metadata"])["text"] == "type:png"


def test_modal_accepts_one_file_of_a_readable_format() -> None:
    (block,) = choose_image_modal(ImageRequest("/tag", ""))["blocks"]
    assert block["element"]["max_files"] == 1
    assert {"jpg", "png", "heic", "webp"} <= set(block["element"]["filetypes"])


@pytest.mark.parametrize(
    ("uri", "name"), [("s3://b/2024/cat.jpg", "cat.jpg"), ("/photos/größe 猫.png", "größe 猫.png"), ("", "")]
)
def test_file_name_is_the_last_part_of_the_uri(uri: str, name: str) -> None:
    assert file_name(uri) == name


def test_invalid_message_is_rejected_before_sending() -> None:
    with pytest.raises(LimitError, match="51 blocks"):
        Message("x", [{"type": "divider"}] * 51)


def test_link_that_slack_would_truncate_is_refused() -> None:
    with pytest.raises(QueryError, match="longer than Slack can show"):
        link_message("s3://b/x.jpg", "https://example.com/" + "x" * 3000, 10)
