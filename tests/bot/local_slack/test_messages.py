import pytest

from findimg_bot.local_slack.model.messages import entities, escaped_text


@pytest.mark.parametrize(
    ("typed", "passed_on"),
    [
        ("cats & <dogs>", "cats &amp; &lt;dogs&gt;"),
        ("cats &amp; &lt;dogs&gt;", "cats &amp; &lt;dogs&gt;"),
        ("<@U0123> what is this?", "<@U0123> what is this?"),
        ("<#C0123> <!here> <b>", "<#C0123> <!here> &lt;b&gt;"),
        ("like:https://example.com/a?b=1&c=2", "like:<https://example.com/a?b=1&amp;c=2>"),
        ("<https://example.com>", "<https://example.com>"),
        ("see https://a.example, and http://b.example/", "see <https://a.example,> and <http://b.example/>"),
        ("<@U0123", "&lt;@U0123"),
        ("", ""),
    ],
)
def test_typed_text_is_escaped_as_slack_does(typed: str, passed_on: str) -> None:
    assert escaped_text(typed) == passed_on


def test_entities_are_escaped_once() -> None:
    assert entities("a & b &lt; c < d") == "a &amp; b &lt; c &lt; d"
    assert entities(entities("&<>")) == entities("&<>") == "&amp;&lt;&gt;"
