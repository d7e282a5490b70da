"""What a text means: a query, a call for help, small talk, or nothing that can be searched for.

`image_intent.py` says what a text asks about the picture beside it.
"""

import re
from typing import Literal

from findimg.text.typed.normalise import plain_text
from findimg.text.typed.politeness import COURTESIES, without_politeness

Intent = Literal["query", "help", "small_talk", "nothing"]
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


def intent_of(text: str) -> Intent:
    """Return what a text means.

    Args:
        text: without Slack's markup and without links.
    """
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
