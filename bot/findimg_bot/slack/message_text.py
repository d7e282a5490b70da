"""What a text in Slack holds: the query, and the links to pictures and other addresses.

`read_message` takes the text of a command, a mention or a direct message as Slack sends it. It removes what Slack and
people put around a query: the bot's address, mentions, links, formatting and entities. The rest is for
`findimg.search.query.parse`, which understands punctuation, emoji and polite words itself.

- `MessageText.text` is the query. With links it holds only the words beside them.
- `MessageText.links` are links to files and messages in Slack: the picture that the text is about.
- `MessageText.web_links` are other addresses, to be answered with `ONLY_SLACK`.
- `MessageText.intent` classifies `MessageText.text` as a query, a call for help, small talk, or a text without words.
  It ignores the links, so check these first.
"""

import html
import re
from collections.abc import Collection
from dataclasses import dataclass

from findimg.search.query.filters import FIELDS
from findimg.search.query.scanner import HIGHEST_WEIGHT
from findimg.text.typed.mail import without_letter_frame, without_quoted_mail
from findimg.text.typed.spoken_dates import with_date_filters
from findimg_bot.slack.pictures.image_files import is_link
from findimg_bot.slack.text_intent import Intent, intent_of

_PLACEHOLDER = "\ue000"  # of a link while the text around it is read
_LONGEST = 3000  # characters that are read; a query has at most 1,000
_BRACKETS = re.compile(r"<(?P<target>[^<>|\s][^<>|]*)(?:\|(?P<label>[^<>]*))?>")
# A channel or a person as the value of a filter, as in Slack's own search; findimg has no such filter.
_SLACK_FILTER = re.compile(r"(?i)(?<!\S)-?(?:in|to|with):\s*<[#@][^<>|]*(?:\|[^<>]*)?>")
# Who posted a picture, which the parser names as unknown.
_POSTED_BY = re.compile(r"(?i)(?<!\S)(?P<filter>-?(?:from|by):)\s*<@[^<>|]*(?:\|[^<>]*)?>")
_COPY = re.compile(r"(?i)(?<![^\s(])(?:/?cc|fyi|ping)[:,]?\s*(?=<[@!])")
_NAME = re.compile(r"(?<![\w@＠.:/'\"])(?:<[@＠][\w-]+(?:\|[^<>]*)?>|[@＠][\w-][\w.-]*)")
_QUOTE = "[\"'“”„«»‘’‚「」『』＂]?"
_ADDRESS = re.compile(r"(?i)(?<![^\s(\[:：\"'“”„«»‘’‚「『＂])(?:https?://|www\.)[^\s<>\"“”„«»’」』＂]+")
_LINK = re.compile(rf"(?i)(?:(?<!\s)\s+)?(?:like[:：]\s*)?{_QUOTE}{_PLACEHOLDER}{_QUOTE}\s*")
_CODE_BLOCK = re.compile(r"```(?:\n)?(.*?)```", re.DOTALL)
_LINE_START = re.compile(
    r"""(?mx) ^[ \t]*+ (?: (?:>{1,3}|[•◦▪‣])[ \t]* | [*–—+-][ \t]+ | \[[ xX✓]?\][ \t]+ | \d\ufe0f?\u20e3[ \t]*
      | \d{1,2}[.)](?:[ \t]+|(?=[^\W\d_])) | \((?:\d{1,2}|[a-zA-Z])\)[ \t]+ | [a-zA-Z][)][ \t]+ )++ (?=\S)"""
)
# `A. zebra` may also be a name, so it needs a second line of its kind.
_LETTERED = re.compile(r"(?m)^[ \t]*(?:[a-zA-Z]|[ivx]{1,4})\.[ \t]+(?=\S)")
# Formatting touches the words inside it and no letters outside, and no part of a filter or an address.
_FORMATTED = re.compile(r"(?<![\w:/.])(?P<mark>[*_~`])(?P<inside>(?=\S)[^\n]*?(?<=\S))(?P=mark)(?!\w)")
_NUMBERED = re.compile(r"(?P<word>[^\W\d_][\w.'-]*|[\"”“»«][^\"”“»«\n]*[\"”“»«]):(?P<number>\d+(?:\.\d+)?)(?![^\s\W])")


@dataclass(frozen=True, slots=True)
class MessageText:
    """What a text in Slack means."""

    text: str  # the query, for `parse`
    links: tuple[str, ...] = ()  # to files and messages in Slack, in their order
    web_links: tuple[str, ...] = ()  # to anything else
    intent: Intent = "query"


def read_message(text: str, names: Collection[str] = ("findimg",)) -> MessageText:
    """Return what a text means.

    Args:
        text: as Slack sends it, with `<@U…>`, `<https://…|label>`, `&amp;` and formatting. Only its beginning is read
            where it is much longer than a query may be.
        names: what people call the bot.
    """
    text = text[:_LONGEST].encode(errors="ignore").decode()
    links: list[str] = []
    web_links: list[str] = []

    def take_link(address: str) -> str:
        if is_link(address):
            links.append(address)
            return _PLACEHOLDER
        web_links.append(address)
        return " "

    def typed_text(match: re.Match[str]) -> str:
        target, label = html.unescape(match["target"]), match["label"]
        if target.startswith("!date^"):
            return label or ""
        if target[0] in "@#!" or target.startswith(("mailto:", "tel:")):
            return " "
        if not re.match(r"https?://", target, re.IGNORECASE):
            return target if label is None else label
        if is_link(target):
            return take_link(target)
        # Slack makes a link of a name with a dot: `st.bernard` is typed, not sent as an address.
        bare = re.sub(r"(?i)^https?://|/$", "", target)
        if label is not None and label == bare and not label.lower().startswith("www."):
            return label
        take_link(target)
        return " " if label is None or re.match(r"(?i)https?://|www\.", label) else label

    referred = _POSTED_BY.sub(r"\g<filter>@somebody", _SLACK_FILTER.sub(" ", text.replace(_PLACEHOLDER, "")))
    referred = _COPY.sub(" ", referred)
    plain = html.unescape(_BRACKETS.sub(typed_text, referred))
    plain = _ADDRESS.sub(lambda match: take_link(match[0].rstrip(".,;!?)")), plain)
    plain = _LINK.sub(" ", plain)
    asked = with_date_filters(_without_address(_without_formatting(plain), names))
    return MessageText(asked, tuple(links), tuple(dict.fromkeys(web_links)), intent_of(asked))


def _without_formatting(text: str) -> str:
    text = _LINE_START.sub("", without_quoted_mail(_CODE_BLOCK.sub(r" \1 ", text)))
    if len(_LETTERED.findall(text)) > 1:
        text = _LETTERED.sub("", text)
    while (simpler := _FORMATTED.sub(r"\g<inside>", text)) != text:
        text = simpler
    return " ".join(without_letter_frame([line.strip() for line in text.splitlines()])).strip()


def _without_address(text: str, names: Collection[str]) -> str:
    """Return a text without names of people and of the bot: `@findimg: pizza`, `hey findimg, pizza`."""
    name = "|".join(map(re.escape, names))
    called = re.compile(
        rf"(?i)^\W*(?:(?:hi|hey|hello|ok|dear)[\s,]+)?(?:[@＠/](?:{name})(?!\w)|(?:{name})(?:\s*[:：,]|\s+(?=\S)))"
        r"[\s:：,;.!]*"
    )
    shorter = re.sub(r"^[\s:：,;]++(?<=\s)", "", called.sub("", text))
    return _NUMBERED.sub(_without_weight, _NAME.sub(" ", shorter)).strip()


def _without_weight(match: re.Match[str]) -> str:
    """Return `room 101` for `room:101`, whose number is no weight."""
    if match["word"].lower() in FIELDS or 0 < float(match["number"]) <= HIGHEST_WEIGHT:
        return match[0]
    return f"{match['word']} {match['number']}"
