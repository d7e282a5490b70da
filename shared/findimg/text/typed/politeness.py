"""Words that people put around a query: greetings, requests, "please" and "thanks", in the languages of most teams.

Each table holds regular expressions in lower case, one a line. A blank matches any white space, and the edges of words
are added.
"""

import re

_GREETINGS = r"""
hi+|hiya|yo|hello+|hey+(?: hey+)*|howdy|good (?:morning|afternoon|evening|day)|ok(?:ay)?
hallo|guten (?:morgen|tag|abend)|moin|servus|grüezi|grüß gott
bonjour|bonsoir|salut|coucou
hola|buenos días|buenas(?: tardes| noches)?
ciao|buongiorno|olá|bom dia|boa tarde|hej|hoi|cześć|привет|здравствуйте
"""
# These are greetings only before punctuation: `morning sun` and `dear friends` are queries.
_WORDS_TOO = r"(?:sup|greetings|morning|dear|liebe[rs]?|so|well|now|and|salve)"
_GREETED = r" (?:there|all|team|everyone|everybody|folks|guys|bot|zusammen|leute|à tous|a todos)"
_REQUESTS = r"""
(?:can|could|may) (?:we|i)(?: please| pls| plz)? (?:get|have|see)(?: an?| some| any| the)?
(?:can|could|would|will|may) (?:you|u|we|i)(?: please| pls| plz)?
(?:would you |do you )?mind (?:finding|showing|getting|sending)(?: me| us)?
(?:would it be|is it) possible to (?:see|find|get|show|have)(?: me| us)?
(?:i(?:'m| am)? |we(?:'re| are)? )?(?:trying|hoping) to (?:find|see|get)
(?:i(?:'m| am)? |we(?:'re| are)? )?(?:looking|searching|search|look) for(?: the following)?
(?:i|we)(?:'d| would)? (?:need|want|like|love)(?: to (?:see|find|have|get))?
(?:i |we )?wanna (?:see|find|have|get)
(?:do (?:you|we) have|have (?:you|we) got|have (?:you|we)|(?:is|are) there)(?: any| some)?
(?:does |has |did )?(?:any|some)(?:body|one)(?: here)? (?:have|has|got|seen|know|see)(?: any| some)?
got any|any|some
(?:(?:the|that|this) (?:one|pic|picture|photo|image|shot)|ones?) (?:with|of|showing)(?: an?| the)?
(?:any|some)(?:thing|one) (?:with|of|showing)(?: an?| the)?
(?:help (?:me|us) )?(?:show|find|get|give|send|bring|fetch|pull up)(?: me| us)(?: any| some| all)?
help (?:me|us) (?:to )?(?:find|get|see)|need(?: an?| some| any)?|(?:any|some)(?:body|one) got(?: any| some| an?)?
(?:which|what) (?:pics?|pictures?|photos?|images?|shots?) (?:show|have|contain|are of)(?: an?| the| some| any)?
gimme|lemme see|let (?:me|us) see|let's see|find|search|look up
where (?:is|are|can (?:i|we) (?:find|see|get))|where's
(?:what|how) about
(?:re|fwd?|aw|wg|tr|rv|search|query|find|suche|request|wanted|anfrage|subject|betreff|objet|asunto|oggetto)\s*:
(?:pics?|pictures?|photos?|images?|shots?)(?: of| with| showing)(?: an?| the| some| any)?
(?:an?|the) (?:pic|picture|photo|photograph|image|shot) (?:of|with|showing)(?: an?| the| some| any)?
bitte|zeige? (?:mir|uns)(?: bitte| mal)*|zeigen sie (?:mir|uns)(?: bitte)?|gib (?:mir|uns)(?: bitte)?
(?:ich|wir) (?:suchen?|brauchen?|möchten?|will|wollen|hätten? gerne?)(?: gerne?)?(?: bitte)?(?: nach)?
suche?(?: bitte)?(?: nach)?|finde(?: bitte)?
(?:kannst du|könntest du|können sie|könnten sie|könnt ihr|könntet ihr)(?: mir| uns)?(?: bitte| mal)*
(?:hast du|habt ihr|haben sie|haben wir|gibt es|gibt's)|wo (?:ist|sind|finde ich|finden wir|gibt es)
(?:hat|hätte) (?:jemand|wer|einer)(?: von euch)?(?: hier)?
(?:(?:ein|das|dem) )?(?:bild(?:er)?|fotos?)(?: von| mit)(?: eine[mnr]?| der| dem)?
montrez?[- ](?:moi|nous)|trouvez?(?:[- ](?:moi|nous))?|donnez?[- ](?:moi|nous)
(?:je|nous) (?:cherch(?:e|ons)|voudr(?:ais|ions)|veux|voulons|aimerais)(?: voir| trouver)?
(?:peux-tu|pouvez-vous|tu peux|vous pouvez|pourrais-tu|pourriez-vous)(?: me| nous)?(?: montrer| trouver)?
(?:as-tu|avez-vous|tu as|vous avez|y a-t-il|est-ce qu'il y a)|où (?:est|sont)
(?:une? |des |la |les )?(?:photos?|images?) (?:de |d'|du |des |avec )(?:une? )?(?:l'|la |le )?
muéstra(?:me|nos)|enséña(?:me|nos)|busc(?:o|amos)|quiero(?: ver)?|quisiera(?: ver)?|me gustaría ver
(?:puedes|podrías)(?: mostrarme| buscar| encontrar)?|dónde está[n]?
(?:una? )?(?:fotos?|im[aá]gene?s?) de(?: una?| la| el)?
mostra(?:mi|ci)|cerco|cerchiamo|vorrei(?: vedere)?|(?:puoi|potresti)(?: mostrarmi| trovare)?|dove (?:è|sono)
(?:una )?foto (?:di|del|della|con)(?: una?)?
mostre?-me|procuro|estou procurando|queria ver|покажи(?:те)?(?: мне)?|найди(?:те)?
"""
_PLEASE = r"""
please|pls+|plz+|kindly
bitte|bitte schön
s'il (?:te|vous) pla[iî]t|svp|stp|s\.v\.p\.?
(?:if|when|whenever) (?:you|u) (?:have|get|got) (?:a (?:sec|second|minute|min|moment|chance)|(?:some )?time)
if(?: at all)? possible|if (?:you|u) can|or so
por favor|porfa|per favore|per piacere|por gentileza
alsjeblieft|alstublieft|proszę|пожалуйста|lütfen|من فضلك|لو سمحت|בבקשה
"""
_THANKS = r"""
(?:(?:many|big|a million) )?thanks|thank (?:you|u)|thanx|thx+|tysm|ty|tia|cheers(?: mate)?|kthxbye
(?:vielen |herzlichen |besten |1000 |tausend )?dank(?:e)?(?: dir| euch| ihnen)?(?: schön| sehr)?|merci (?:dir|euch)
danke? (?:schon mal|im voraus|vorab)
merci(?: beaucoup| bien| d'avance)?|(?:muchas |mil )?gracias|grazie(?: mille)?|(?:muito )?obrigad[oa]
dank je(?: wel)?|dziękuję|спасибо|teşekkürler|ありがとう(?:ございます)?|谢谢|謝謝|شكرا|תודה
"""
_THANKED = (
    r" a lot| so much| very much| in advance| a million| a bunch| again| guys| all| team| everyone| bot"
    r"| for (?:your|the|any|all) (?:help|time)"
)
_CHATTER = r"lol|lmao|ha(?:ha)+h?|hehe+|asap|etc|btw|fyi|xd+"
_GERMAN_REQUEST = re.compile(
    r"(?i)^\W*(?:bitte\W+)?(?:kannst|könntest|können|könnten|könntet|könnt|möchte|ich will|ich möchte)\b"
)
_GERMAN_VERB = re.compile(r"(?i)\s(?:zeigen|finden|suchen|geben|schicken|sehen|haben)\W*$")
_ASKED = re.compile(r"[^\W_]|\ue000")
_EDGE = r"[\s,;:.!?…]"


def _alternatives(table: str) -> str:
    return "|".join(line for line in table.strip("\n").splitlines()).replace(" ", r"\s+")


_GREETING = re.compile(rf"(?i)\W*(?:{_alternatives(_GREETINGS)}|{_WORDS_TOO})(?!\w)")
# One greeting, "please" or "thanks", for a text that consists of nothing else.
COURTESIES = (
    rf"(?:{_alternatives(_GREETINGS)}|{_WORDS_TOO})(?:{_alternatives(_GREETED)})?|{_alternatives(_PLEASE)}"
    rf"|(?:{_alternatives(_THANKS)})(?:{_alternatives(_THANKED)})?|{_CHATTER}"
)
_COURTESY = re.compile(
    rf"(?i)(?P<quoted>\"[^\"]*\")"
    rf"|(?<![^\s,;.!?])(?:{_alternatives(_PLEASE)})(?![^\s,;.!?])"
    rf"|(?:[,;.!?…\s-]|^)+(?:{_alternatives(_THANKS)})(?:{_alternatives(_THANKED)})?{_EDGE}*$"
    rf"|(?<=[\s,;.!?])(?:{_CHATTER}){_EDGE}*$"
)
_OPENING = re.compile(
    rf"(?i)^{_EDGE}*(?:"
    rf"(?:{_alternatives(_GREETINGS)})(?:{_alternatives(_GREETED)})?(?:\s*[,;.!]+|(?=\s))"
    rf"|{_WORDS_TOO}(?:{_alternatives(_GREETED)})?(?:\s*[,;.!]+|\s+-+(?=\s))"
    rf"|(?:{_alternatives(_REQUESTS)})(?:(?<=[:'\s])|(?=[\s,;:.!]|$))"
    rf"){_EDGE}*"
)


# Chinese, Japanese and Korean write requests without spaces around what is asked for.
_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_EAST_ASIAN_OPENING = re.compile(
    r"^\s*(?:请|請|麻烦|麻煩)?(?:你)?(?:给我看看?|給我看看?|给我|給我|帮我找|幫我找|找一下|有没有|有沒有|我想看|我要看)"
)
_EAST_ASIAN_END = re.compile(
    r"""(?x) (?: 的(?:照片|图片|圖片|相片)[吗嗎]? | の(?:写真|画像)
      | (?:の(?:写真|画像))?[をはが](?:見せて|探して|ください|下さい|お願い|あります|ある|欲しい|ほしい)[\u3041-\u3096]*
      | \s*(?:사진|이미지)(?:을|를|이|가|은|는)?\s*(?:보여|찾아|있|주세요|줘)?[\uac00-\ud7af]*(?:\s(?:줘|주세요))?
    ) [\s。！？!?.]*$"""
)


def without_politeness(text: str) -> str:
    """Return `text` without greetings, requests, "please" and "thanks"; all of it when nothing else would be left.

    Args:
        text: a query with plain quotation marks and dashes, as `normalise` makes them.
    """
    asked = _without_courtesy(text)
    while (shorter := _without_opening(asked)) != asked:
        asked = shorter
    return _without_east_asian_request(_without_courtesy(asked)).strip()


def is_greeting(text: str) -> bool:
    """Return whether a text begins with a greeting."""
    return _GREETING.match(text) is not None


def _without_courtesy(text: str) -> str:
    shorter = _COURTESY.sub(lambda match: match["quoted"] or " ", text)
    return shorter if _ASKED.search(shorter) else text


def _without_east_asian_request(text: str) -> str:
    if not _EAST_ASIAN.search(text):
        return text
    shorter = _EAST_ASIAN_END.sub("", _EAST_ASIAN_OPENING.sub("", text))
    return shorter if _ASKED.search(shorter) else text


def _without_opening(text: str) -> str:
    shorter = _OPENING.sub("", text, count=1)
    if not _ASKED.search(shorter):
        return text
    # In German the verb of a request comes last: "kannst du mir einen Hund zeigen?"
    return _GERMAN_VERB.sub("", shorter) if _GERMAN_REQUEST.match(text) else shorter
