"""What a person means with a text in Slack: the query, the pictures it links to, or a word of greeting.

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
from typing import Literal

from findimg.search.query.filters import FIELDS
from findimg.search.query.scanner import HIGHEST_WEIGHT
from findimg.text.mail import without_letter_frame, without_quoted_mail
from findimg.text.normalise import normalise, plain_text
from findimg.text.politeness import COURTESIES, without_politeness
from findimg.text.spoken_dates import with_date_filters
from findimg_bot.slack.pictures.image_files import is_link

Intent = Literal["query", "help", "small_talk", "nothing"]
_PLACE = "\ue000"  # of a link while the text around it is read
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
_LINK = re.compile(rf"(?i)(?:(?<!\s)\s+)?(?:like[:：]\s*)?{_QUOTE}{_PLACE}{_QUOTE}\s*")
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
_HELP = """
help; h; usage; commands; manual; instructions; help me; help please; please help; i need help; need help; can you help
can you help me; how does this work; how does it work; how do you work; how do i use this; how do i use you; how to use
what can you do; what can i ask; what can i type; what do you do; who are you; what are you; what is findimg
how to use this; how to use findimg; how do i search; how do i use findimg; what is this bot; help pls; any help
hilfe; hilfe bitte; bitte hilfe; wie geht das; wie funktioniert das; was kannst du; wer bist du
aide; à l'aide; aide moi; comment ça marche; ayuda; cómo funciona; aiuto; come funziona; ajuda; como funciona; помощь
"""
_HELP_TEXTS = frozenset(text.strip() for line in _HELP.splitlines() for text in line.split(";") if text.strip())
# The longest first: a phrase that matches is not tried again.
_PHRASE = rf"""
      guten\stag | gute\snacht | bis\s(?:bald|später|dann) | au\srevoir | à\sbientôt | wie\sgeht's | ça\sva
    | good\snight | (?:much|very)\sappreciated | appreciate(?:d|\sit) | a\slot | so\smuch | very\smuch | in\sadvance
    | (?:good|nice|great|bad)\s(?:one|job|work|bot) | well\sdone | love\s(?:it|this|you) | not\s(?:really|sure|yet|now)
    | (?:(?:that|this|it)(?:'s|\sis|\swas)\s)? (?:(?:so|very|really|just)\s)?
      (?:great|nice|cool|awesome|perfect|amazing|lovely|excellent|wonderful|brilliant|super|fantastic|genial|parfait)
    | oh(?:\s(?:no|yes|well|ok|nice|wow))? | got\sit | sounds\sgood | makes\ssense | i\s(?:see|know|got\sit)
    | that(?:'s|\sis)?\s(?:helped|right|wrong|it|all) | (?:that|it|this)\s(?:works|helps|helped|worked)
    | never\smind | my\sbad | bye(?:\sbye)? | good\sbye | see\s(?:you|ya)(?:\slater)?
    | happy\s(?:monday|friday|new\syear)
    | how\sare\syou(?:\sdoing)? | how's\sit\sgoing | what's\s(?:up|new) | anybody\s(?:here|there) | you\sthere
    | are\syou\s(?:there|ok|alive|awake|working|real|a\s(?:bot|robot|human))
    | (?:is|does)\s(?:this|it)\s(?:working|work|on)
    | you're\swelcome | no\s(?:problem|worries|idea)
    | {COURTESIES.replace(chr(92) + "s+", chr(92) + "s")}
    | wow | woohoo | yay | omg | h+m+ | u+h+ | u+m+ | a+h+a* | idk | np | yw | brb | gm | gn | lgtm | whatever
    | ok | okay | okey | kk? | yes | yep | yeah | ja | oui | si | sí | no | nope | nein | non | sure | maybe
    | nevermind | nvm | sorry | oops | goodbye | later | whatsup | sup | test(?:ing|123)? | ping | helo | heya | thank
    | tschüss? | tschau | adiós
    | there | everyone | everybody | all | team | folks | friend | findimg | bot | you | so | very | really | just
"""
# Possessive: a text that is no small talk is given up at its first other word.
_SMALL_TALK = re.compile(rf"(?ix) (?: (?>(?:{_PHRASE}) (?!\w)) (?: [\s,;.!?…'-]++ | $ ) )++")
_FILLERS = (
    "there everyone everybody all team folks friend bot you so very really just later dear morning greetings salve"
)
_NO_SMALL_TALK = frozenset(_FILLERS.split())  # a query when they are alone
# Words that name nothing: a text of them alone points at a picture, or at the answer before.
_POINTING_WORDS = """
a an another any again anything else give here i it its me more my next one ones other others same show some something
that the these this those us we what which
"""
_POINTING = frozenset(_POINTING_WORDS.split())
_TAG = re.compile(
    r"""(?ix) (?: /?tags? | (?:tag|describe|identify|explain|recogni[sz]e) (?:\s(?:this|that|it|these|them))?
      | what(?:'s|s|\sis|\sare)? (?:\s(?:this|that|these|it|here|on\s(?:this|that|it)|in\s(?:this|that|it|here)))+
      | what(?:'s|s|\sis)\s(?:in|on)\sthe | what\s(?:do|can)\syou\ssee(?:\s(?:here|in\s(?:this|it)|on\s(?:this|it)))?
      | (?:what|which)\s(?:kind\sof\s|sort\sof\s|type\sof\s)?\w+\s(?:is|are)\s(?:this|that|these|it)
      | was\sist\sdas | was\ssieht\sman(?:\shier)? | qu'est-ce\sque\sc'est(?:\sque\sça)? | c'est\squoi
      | qué\ses\s(?:esto|eso) | (?:che\s)?cos'è(?:\squesto)?
    ) (?:\sa)? (?:\s(?:image|picture|photo|pic)s?)? (?:\sof)? \W*"""
)
_SIMILAR = re.compile(
    r"""(?ix) (?: (?:find\s|search\s|any(?:thing)?\s|something\s|some\s)?(?:/?similar|alike)
      (?:\sto\s(?:this|that|it|these))?
      | (?:find\s|(?:do\s(?:we|you)\shave\s)?any\s)?more(?:\s(?:like|of)\s(?:this|that|it|these|those))?
      | (?:find\s)?(?:others?|some|something|ones|anything)?\s?like\s(?:this|that|it|these)
      | (?:ähnliche|mehr\s(?:davon|wie\sdas))(?:\sbilder)? | similaires?
    ) (?:\s(?:ones?|image|picture|photo|pic)s?)? \W*"""
)
_TEACH = re.compile(r"(?is)/?teach(?:\s+(?:this|that|it|these|them))?\s*:?\s+(?:as\s+)?(?P<name>\S.*)")


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
        if target[0] in "@#!" or target.startswith(("mailto:", "tel:")):
            return " "
        if not re.match(r"https?://", target, re.IGNORECASE):
            return target if label is None else label
        if is_link(target):
            return place(target)
        # Slack makes a link of a name with a dot: `st.bernard` is typed, not sent as an address.
        bare = re.sub(r"(?i)^https?://|/$", "", target)
        if label is not None and label == bare and not label.lower().startswith("www."):
            return label
        place(target)
        return " " if label is None or re.match(r"(?i)https?://|www\.", label) else label

    referred = _POSTED_BY.sub(r"\g<filter>@somebody", _SLACK_FILTER.sub(" ", text.replace(_PLACE, "")))
    referred = _COPY.sub(" ", referred)
    plain = html.unescape(_BRACKETS.sub(typed, referred))
    plain = _ADDRESS.sub(lambda match: place(match[0].rstrip(".,;!?)")), plain)
    plain = _LINK.sub(" ", plain)
    asked = with_date_filters(_without_address(_without_formatting(plain), names))
    return MessageText(asked, tuple(links), tuple(dict.fromkeys(web_links)), _intent(asked))


def image_task(message: MessageText) -> Literal["tag", "similar"] | None:
    """Return what a message asks about a picture beside it: its tags, similar images, or nothing in particular."""
    asked = normalise(message.text).lstrip("¿¡ ")
    if _TAG.fullmatch(asked):
        return "tag"
    return "similar" if _SIMILAR.fullmatch(asked) else None


def name_to_teach(message: MessageText) -> str:
    """Return the name that a message wants to teach, as in `teach lotus`, else an empty string."""
    match = _TEACH.fullmatch(message.text)
    return match["name"] if match else ""


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


def _intent(text: str) -> Intent:
    if not text:
        return "nothing"
    if re.fullmatch(r"[?？\s]+", text):
        return "help"
    plain = plain_text(text).lower().strip(" \n¿¡")
    words = " ".join(re.sub(r"[^\w\s'à-ÿ]+", " ", plain).split())
    if words in _HELP_TEXTS:
        return "help"
    if not re.search(r"\w", words):
        return "small_talk"  # only emoji or punctuation
    if _SMALL_TALK.fullmatch(plain) and words not in _NO_SMALL_TALK:
        return "small_talk"
    pointing = re.findall(r"\w+", without_politeness(plain))
    return "nothing" if set(pointing) <= _POINTING else "query"
