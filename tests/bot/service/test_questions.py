import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg_bot.service.questions import _LIKE, _without, unescaped

FILE = "https://team.slack.com/files/U1ABC/F1ABC/holiday.jpg"
HANDED_OUT = "https://files.slack.com/files-pri/T1ABC-F1ABC/holiday.jpg"
MESSAGE = "https://team.slack.com/archives/C1ABC/p1717243200123456"
REPLY = f"{MESSAGE}?thread_ts=1717243100.000100&cid=C1ABC"


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("cat sofa", "cat sofa"),
        ("  cat\nsofa ", "cat\nsofa"),
        ("<@U1BOT> cat sofa", "cat sofa"),
        ("<@U1BOT|findimg> cat <@W2ANN>", "cat"),
        ("<#C1ABC|general> cat", "cat"),
        ("cat <!here>", "cat"),
        ("cat <!subteam^S1ABC|@photographers>", "cat"),
        ("<@U1BOT>", ""),
        ("", ""),
    ],
)
def test_mentions_are_removed(text: str, typed: str) -> None:
    assert unescaped(text) == typed


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("R&amp;D", "R&D"),
        ("&lt;cat&gt;", "<cat>"),
        ("&amp;lt;!channel&amp;gt;", "&lt;!channel&gt;"),
        ("&lt;@U1ABC&gt;", "<@U1ABC>"),
        ("a &lt; b", "a < b"),
    ],
)
def test_entities_are_decoded_once(text: str, typed: str) -> None:
    assert unescaped(text) == typed


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("<http://example.com|example.com> cat", "example.com cat"),
        ("<mailto:ann@example.com|ann@example.com>", "ann@example.com"),
        ("<https://example.com/a>", "https://example.com/a"),
        ("like:<https://example.com/a_b.jpg|example.com/a_b.jpg>", "like:example.com/a_b.jpg"),
    ],
)
def test_automatic_links_are_read_as_typed(text: str, typed: str) -> None:
    assert unescaped(text) == typed


@pytest.mark.parametrize("link", [FILE, HANDED_OUT, MESSAGE, REPLY])
@pytest.mark.parametrize("form", ["<{}>", "<{}|holiday.jpg>", "{}"])
def test_links_into_slack_are_kept(link: str, form: str) -> None:
    assert unescaped("like:" + form.format(link.replace("&", "&amp;"))) == f"like:{link}"


@settings(deadline=None)
@given(st.text(st.sampled_from("<>|&@#!;ltgamp \n") | st.characters()))
def test_any_text_can_be_unescaped(text: str) -> None:
    typed = unescaped(text)
    assert typed == typed.strip()


@settings(deadline=None)
@given(st.text(st.sampled_from('<>&;ltgamp*`"') | st.characters(codec="utf-8")).map(str.strip))
def test_escaping_round_trip(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert unescaped(escaped) == text


@pytest.mark.parametrize("form", ["{}", "like:{}", 'like:"{}"', "like:“{}”", '"{}"', "“{}”"])
def test_link_is_found_in_any_notation(form: str) -> None:
    match = _LIKE.fullmatch(form.format(FILE))
    assert match
    assert match["link"] == FILE


@pytest.mark.parametrize("word", ["cat", "like:cat.jpg", f"in:{FILE}", f"-{FILE}", f"http{FILE[5:]}", f"x{FILE}", ""])
def test_other_words_are_not_links(word: str) -> None:
    assert _LIKE.fullmatch(word) is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (FILE, ""),
        (f"like:{FILE}", ""),
        (f'type:png like:"{FILE}" class:"siamese cat"', 'type:png class:"siamese cat"'),
        (f"in:2024   {FILE}  after:2024-01-01", "in:2024 after:2024-01-01"),
        ("cat", "cat"),
    ],
)
def test_text_beside_a_link_is_kept(text: str, left: str) -> None:
    assert _without(text, FILE) == left
