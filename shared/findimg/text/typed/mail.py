"""What mail puts around a text: salutations, signatures, headers, and the mail that is answered or forwarded."""

import re
from collections.abc import Sequence

from findimg.text.typed.politeness import without_politeness

_SALUTATION = re.compile(
    r"(?i)(?P<greeting>hi|hello|hey|dear|hallo|liebe[rs]?|bonjour|hola|ciao)(?P<comma> *,)?"
    r"(?P<name>(?: +[\w@.'-]*\w[.-]?){0,3}) *(?P<end>[,!.:]*) *"
)
_EVERYBODY = ("all", "everyone", "everybody", "folks", "guys", "team", "there", "zusammen", "leute")
_SIGNATURE = re.compile(
    r"""(?ix) (?: --+ | [–—]+ | _+ | \*{3,} | ={3,}
      | sent\s(?:from|with|via)\s(?:my|mail|outlook|yahoo|gmail|proton|samsung|android|i(?:phone|pad)|blackberry)\b.*
      | get\soutlook\sfor\s.* | gesendet\s(?:von|mit)\s.* | von\smeinem?\s.*gesendet | envoyé\s(?:de|depuis)\s.*
      | enviado\s(?:desde|do|de)\s.* | inviato\sdal?\s.* | verzonden\s(?:van|vanaf)\s.*
      | (?:with\s)?(?:(?:best|kind|kindest|warm|warmest)\s)?regards | (?:all\s(?:the|my)\s)?best(?:\swishes)?
      | cheers | yours(?:\s\w+)? | sincerely(?:\syours)? | warmly | take\scare | talk\ssoon | br | kr | rgds
      | (?:many\s)?(?:thanks|thank\syou|thx)(?:\s(?:again|in\sadvance|so\smuch|very\smuch|a\slot))? | tia
      | (?:(?:viele|liebe|beste|schöne|herzliche|freundliche|sonnige)\s)?(?:grüße|grüsse|gruß)(?:\s(?:aus|von)\s.*)?
      | (?:mit\s)?freundliche[nm]?\sgr(?:üßen?|uß) | lg | vg | mfg | danke | merci | gracias | grazie
      | (?:bien\s)?cordialement | bien\sà\s(?:vous|toi) | amicalement | bises | bisous | à\sbientôt
      | (?:un\s)?(?:cordial\s)?saludos? | atentamente | un\sabrazo | (?:(?:cordiali|distinti)\s)?saluti | cordialmente
      | (?:met\s)?vriendelijke\sgroet(?:en)? | groeten | atenciosamente | abraços
    ) [\s,.!]*"""
)
_FROM = "from|von|de|da|van"
_HEADERS = "to|cc|bcc|date|sent|reply-to|an|kopie|gesendet|datum|à|envoyé|para|enviado|fecha|a|data|inviato|aan"
_SUBJECTS = "subject|betreff|objet|asunto|oggetto|onderwerp"
_HEADER = re.compile(
    rf"(?i)[ \t*]*(?:(?P<sender>{_FROM})|(?:{_HEADERS})|(?P<subject>{_SUBJECTS}))[ \t*]*[:：](?P<value>.*)"
)
_DIVIDER = re.compile(
    r"""(?ix) [\s_-]* (?: (?:begin\s)?(?:original|forwarded)\smessage | (?:ursprüngliche|weitergeleitete)\snachricht
      | message\s(?:d'origine|transféré) | mensaje\s(?:original|reenviado) | messaggio\s(?:originale|inoltrato)
    ) [\s:_-]* | \s*_{5,}\s*"""
)
_ATTRIBUTION = re.compile(
    r"""(?imx) ^[ \t]* (?:on|am|le|el|il|op|em)\b [^\n]{2,150} (?:\n[^\n]{1,150})?
      \b(?:wrote|schrieb|a\sécrit|escribió|ha\sscritto|schreef|escreveu)\b [^\n:]{0,80} : [ \t]*$"""
)
_WORD = re.compile(r"\w")


def without_quoted_mail(text: str) -> str:
    """Return a text without the mail that it answers, and without the headers of mail that it forwards.

    Args:
        text: in which quoted lines begin with `>`.
    """
    answered = _without_answered(text)
    lines = answered.splitlines()
    while headers := _headers(lines):
        before = [line for line in lines[: headers.start] if not _DIVIDER.fullmatch(line)]
        if _has_words(before):
            return "\n".join(before)  # the rest is the mail that is answered
        after = lines[headers.stop :]
        lines = after if _has_words(after) else _subject(lines[headers.start : headers.stop])
    divider = next((at for at, line in enumerate(lines) if _DIVIDER.fullmatch(line) and _WORD.search(line)), None)
    if divider is not None and _has_words(lines[:divider]):
        lines = lines[:divider]
    return "\n".join(lines)


def without_letter_frame(lines: Sequence[str]) -> list[str]:
    """Return the lines of a mail-like text between its salutation and its signature, without empty ones."""
    begin = next((number for number, line in enumerate(lines) if line), 0)
    is_paragraph = not all(lines[begin + 1 : begin + 2])  # an empty line follows
    filled = [line for line in lines if line]
    end = next((number for number, line in enumerate(filled) if number and _SIGNATURE.fullmatch(line)), len(filled))
    start = end > 1 and _is_salutation(filled[0], is_paragraph)
    return filled[int(start) : end]


def _is_salutation(line: str, is_paragraph: bool) -> bool:
    """Return whether a line only greets: `Hi Anna,`, and neither `hi zebra` nor `hi, find a zebra!`.

    Args:
        is_paragraph: whether an empty line follows.
    """
    match = _SALUTATION.fullmatch(line)
    if not match:
        return False
    name = match["name"].strip()
    if not name or match["greeting"].lower() in ("dear", "liebe", "lieber", "liebes"):
        return True
    if without_politeness(name) != name:
        return False
    is_name = all(word[:1].isupper() for word in name.split())
    return (is_paragraph and is_name) or name.lower() in _EVERYBODY or (bool(match["end"]) and not match["comma"])


def _without_answered(text: str) -> str:
    """Return a text without a line such as "On Monday Anna wrote:" and the quotation that follows it."""
    found = _ATTRIBUTION.search(text)
    if not found:
        return text
    before, rest = text[: found.start()], text[found.end() :].splitlines()
    quoted = [line for line in rest if line.lstrip().startswith(">")]
    own = [line for line in rest if not line.lstrip().startswith(">")] if quoted else []
    kept = "\n".join([before, *own])
    return kept if _WORD.search(kept) else "\n".join(rest)


def _headers(lines: Sequence[str]) -> range | None:
    """Return the first block of at least two headers, one of which names the sender."""
    start = 0
    while start < len(lines):
        end = start
        found = []
        while end < len(lines) and (header := _HEADER.fullmatch(lines[end])):
            found.append(header)
            end += 1
        if len(found) > 1 and any(header["sender"] for header in found):
            return range(start, end)
        start = end + 1
    return None


def _subject(headers: Sequence[str]) -> list[str]:
    found = [header for line in headers if (header := _HEADER.fullmatch(line)) and header["subject"]]
    return [header["value"] for header in found[:1]]


def _has_words(lines: Sequence[str]) -> bool:
    return any(_WORD.search(line) for line in lines)
