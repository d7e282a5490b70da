"""What a person means with a text in Slack: the query, the pictures it links to, or a word of greeting.

`read_message` takes the text of a command, a mention or a direct message as Slack sends it. It removes what Slack and
people put around a query: the bot's address, mentions, links, formatting and entities. The rest is for
`findimg.search.query.parse`, which understands punctuation, emoji and polite words itself.

- `MessageText.text` is the query. With links it holds only the words beside them.
- `MessageText.links` are links to files and messages in Slack: the picture that the text is about.
- `MessageText.web_links` are other addresses, to be answered with `ONLY_SLACK`.
- `MessageText.intent` tells a query from a call for help, small talk, and a text without words. It is about
  `MessageText.text` alone: look at the links first.
"""

import html
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from findimg.text.emoji import open_emoji
from findimg.text.normalise import plain_characters
from findimg_bot.slack.image_files import is_link

ONLY_SLACK = "I can look only at pictures in Slack. Upload the picture here, or send a link to one that is in Slack."

Intent = Literal["query", "help", "small_talk", "nothing"]
_PLACE = "\ue000"  # of a link while the text around it is read
_BRACKETS = re.compile(r"<(?P<target>[^<>|\s][^<>|]*)(?:\|(?P<label>[^<>]*))?>")
_QUOTE = "[\"'“”„«»‘’‚「」『』＂]?"
_ADDRESS = re.compile(r"(?i)(?<![^\s(\[:：\"'“”„«»‘’‚「『＂])https?://[^\s<>\"“”„«»’」』＂]+")
_LINK = re.compile(rf"(?i)\s*(?:like[:：]\s*)?{_QUOTE}{_PLACE}{_QUOTE}\s*")
_CODE_BLOCK = re.compile(r"```(?:\n)?(.*?)```", re.DOTALL)
_LINE_START = re.compile(r"(?m)^[ \t]*(?:(?:>{1,3}|[•◦▪‣])[ \t]*|[*][ \t]+|\d{1,2}[.)][ \t]+|-[ \t]+)+(?=\S)")
# Formatting touches the words inside it and no letters outside, and no part of a filter or an address.
_FORMATTED = re.compile(r"(?<![\w:/.])(?P<mark>[*_~`])(?P<inside>(?=\S)[^\n]*?(?<=\S))(?P=mark)(?!\w)")
_HELP = """
help; h; usage; commands; manual; instructions; help me; help please; please help; i need help; need help; can you help
can you help me; how does this work; how does it work; how do you work; how do i use this; how do i use you; how to use
what can you do; what can i ask; what can i type; what do you do; who are you; what are you; what is findimg
"""
_HELP_TEXTS = frozenset(text.strip() for line in _HELP.splitlines() for text in line.split(";") if text.strip())
_SMALL_TALK = re.compile(
    r"""(?ix) (?: (?:
      hi+ | hiya | hello+ | hey+ | yo | howdy | greetings | good\s(?:morning|afternoon|evening|night|day) | morning
    | (?:many\s|ok(?:ay)?\s)?thanks | thanx | thx | ty | tysm | thank\s(?:you|u) | cheers | much\sappreciated
    | (?:a\slot|so\smuch|very\smuch|in\sadvance|a\sbunch|again)
    | (?:that(?:'s|\sis|\swas)\s)?(?:great|nice|cool|awesome|perfect|amazing|lovely|excellent|wonderful|brilliant)
    | (?:good|nice|great)\s(?:one|job|work|bot) | well\sdone | love\sit | wow | lol | haha(?:ha)* | yay
    | ok | okay | k | yes | yep | yeah | no | nope | sure | got\sit | never\smind | nvm | sorry | oops | my\sbad
    | bye | goodbye | good\sbye | see\s(?:you|ya) | later | how\sare\syou(?:\sdoing)? | how's\sit\sgoing | what's\sup
    | sup | you're\swelcome | no\s(?:problem|worries|thanks) | test | testing | ping
    | there | everyone | everybody | all | team | folks | friend | findimg | bot | you | so | very | really | just
    ) (?: [\s,;.!?…'-]+ | $ ) )+"""
)
_FILLERS = "there everyone everybody all team folks friend bot you so very really just later"
_NO_SMALL_TALK = frozenset(_FILLERS.split())  # a query when they are alone


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
        text: as Slack sends it, with `<@U…>`, `<https://…|label>`, `&amp;` and formatting.
        names: what people call the bot.
    """
    links: list[str] = []
    web_links: list[str] = []

    def place(address: str) -> str:
        if is_link(address):
            links.append(address)
            return _PLACE
        web_links.append(address)
        return " "

    def typed(match: re.Match[str]) -> str:
        target, label = html.unescape(match["target"]), match["label"]
        if target.startswith("!date^"):
            return label or ""
        if target[0] in "@#!":
            return " "
        if not re.match(r"https?://", target, re.IGNORECASE):
            return target if label is None else label
        if is_link(target):
            return place(target)
        # Slack makes a link of a name with a dot: `st.bernard` is typed, not sent as an address.
        bare = re.sub(r"(?i)^https?://|/$", "", target)
        if label is not None and label == bare:
            return label
        place(target)
        return " " if label is None or re.match(r"https?://", label, re.IGNORECASE) else label

    plain = html.unescape(_BRACKETS.sub(typed, text.replace(_PLACE, "")))
    plain = _ADDRESS.sub(lambda match: place(match[0].rstrip(".,;!?)")), plain)
    plain = _LINK.sub(" ", plain)
    asked = _without_address(_without_formatting(plain), names)
    return MessageText(asked, tuple(links), tuple(dict.fromkeys(web_links)), _intent(asked))


def _without_formatting(text: str) -> str:
    text = _LINE_START.sub("", _CODE_BLOCK.sub(r" \1 ", text))
    while (simpler := _FORMATTED.sub(r"\g<inside>", text)) != text:
        text = simpler
    return " ".join(line.strip() for line in text.splitlines()).strip()


def _without_address(text: str, names: Collection[str]) -> str:
    """Return a text without the name of the bot: `@findimg: pizza`, `hey findimg, pizza`, `/findimg pizza`."""
    name = "|".join(map(re.escape, names))
    called = re.compile(
        rf"(?i)^\W*(?:(?:hi|hey|hello|ok|dear)[\s,]+)?(?:[@＠/](?:{name})(?!\w)|(?:{name})(?:\s*[:：,]|\s+(?=\S)))"
        r"[\s:：,;.!]*"
    )
    shorter = re.sub(r"^[\s:：,;]+(?=\s)", "", called.sub("", text))
    return re.sub(rf"(?i)(?<!\S)[@＠](?:{name})(?!\w)", "", shorter).strip()


def _intent(text: str) -> Intent:
    if not text:
        return "nothing"
    if re.fullmatch(r"[?？\s]+", text):
        return "help"
    plain = plain_characters(open_emoji().replace(text)).lower()
    words = re.sub(r"[^\w\s']+", " ", plain)
    words = " ".join(words.split())
    if words in _HELP_TEXTS:
        return "help"
    if not words:
        return "small_talk"  # only emoji or punctuation
    if _SMALL_TALK.fullmatch(plain.strip()) and words not in _NO_SMALL_TALK:
        return "small_talk"
    return "query"
