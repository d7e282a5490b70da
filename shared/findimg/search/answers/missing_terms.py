"""The remark of an answer about the terms that no image has."""

from collections.abc import Sequence

from findimg.search.evidence.term_group import TermGroup
from findimg.search.terms.corrections import SpellingChecker
from findimg.text.enumeration import enumerated
from findimg.text.spelling import did_you_mean


def missing_terms(groups: Sequence[TermGroup], spelling: SpellingChecker, has_sentences: bool) -> str:
    """Return a remark that names terms that no image has, with other spellings.

    Args:
        groups: of these terms.
        spelling: suggests other spellings.
        has_sentences: whether a term may be a sentence, which has no other spelling.
    """
    notes = []
    for verb, chosen in (
        ("shows", [group for group in groups if not group.is_only_text]),
        ("shows or says", [group for group in groups if group.is_only_text and not group.required]),
    ):
        terms = [each for group in chosen for each in (group.term, *group.term.alternatives)]
        if terms:
            names = [repr(each.typed or each.text) for each in terms]
            notes.append(f"Nothing here {verb} {enumerated(names, 'or')}.")
        if verb == "shows":
            words = [each.text for each in terms if not (has_sentences and " " in each.text)]
            suggestions = [found for text in words for found in spelling.suggestions(text)]
            notes.append(did_you_mean(suggestions).strip() if suggestions else "")
    for term in (group.term for group in groups if group.required):
        texts = [repr(text) for text in term.texts]
        has = "has the caption" if term.text_kind == "caption" else "has the written words"
        notes.append(f"No image {has} {enumerated(texts, 'or')}.")
    return " ".join(filter(None, notes))
