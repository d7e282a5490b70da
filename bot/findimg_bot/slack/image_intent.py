"""What a message asks about the picture beside it: its tags, similar pictures, or to teach its name."""

import re

from findimg.text.typed.normalise import normalise
from findimg_bot.slack.blocks.button_values import HitTask
from findimg_bot.slack.message_text import MessageText

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


def image_task(message: MessageText) -> HitTask | None:
    """Return what a message asks about a picture beside it: `TAG`, `SIMILAR`, or None for nothing in particular."""
    asked = normalise(message.text).lstrip("¿¡ ")
    if _TAG.fullmatch(asked):
        return HitTask.TAG
    return HitTask.SIMILAR if _SIMILAR.fullmatch(asked) else None


def name_to_teach(message: MessageText) -> str:
    """Return the name that a message wants to teach, as in `teach lotus`, else an empty string."""
    match = _TEACH.fullmatch(message.text)
    return match["name"] if match else ""
