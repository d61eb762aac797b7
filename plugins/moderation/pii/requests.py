"""Requests to reveal what is known of other people."""

import re
from typing import Final

from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text

_ASK: Final = (
    r"(?:give|show|tell|send|provide|get|fetch|e-?mail|forward|share with) (?:me|us)|reveal|"
    r"disclose|leak|dump|"
    r"expose|exfiltrate|list|print|output|display|export|share|read out|repeat|look up|"
    r"what (?:is|are|was|were)|what's|who (?:is|are|were|else)|i (?:want|need|would like)|can i "
    r"(?:have|see|get)|"
    r"let me (?:see|have)"
)
_PRIVATE: Final = (
    r"(?:home |private |personal |mobile |cell |contact |bank |date of |social |passport |"
    r"medical |e-?mail )?"
    r"(?:phone(?: number)?s?|telephone(?: number)?s?|numbers?|e-?mails?(?: address(?:es)?)?|"
    r"address(?:es)?|"
    r"ssns?|social security numbers?|salar(?:y|ies)|birth ?da(?:y|te)s?|dates? of birth|birth|"
    r"contact (?:details?|information|info|data)|personal (?:details?|information|info|data)|"
    r"private data|"
    r"details|passports?|passport numbers?|ids?|national ids?|bank (?:details?|accounts?)|"
    r"accounts?|"
    r"ibans?|credit cards?(?: numbers?)?|card numbers?|passwords?|resumes?|cvs?|scores?|"
    r"interview notes|"
    r"medical (?:records?|history)|names?|conversations?|messages?|records?|applications?|answers?)"
)
_SENSITIVE: Final = (
    r"(?:(?:home|private) (?:address|phone(?: number)?)|ssn|social security number|date of birth|"
    r"passport number|bank (?:account|details)(?: number)?|credit card(?: number)?|iban|password|"
    r"medical (?:record|history)|national id(?: number)?)"
)
_OTHERS: Final = (
    r"(?:the )?(?:other|another|previous|prior|last|next|rest of the|remaining|rejected|"
    r"competing|every other|all(?: of)?(?: the)?"
    r"(?: other)?|every(?:one|body)?(?: else)?|each)\b ?"
)
_PEOPLE: Final = (
    r"(?:candidates?|applicants?|interviewees?|users?|people|persons?|employees?|customers?|"
    r"clients?|"
    r"tenants?|contestants?|colleagues?|job ?seekers?|hires?|patients?|who applied|else)(?:'s?|s')?"
)
_GAP: Final = r"[^.!?\n]{0,60}?"

_OF_OTHERS: Final = re.compile(
    rf"\b(?:{_ASK})\b(?: {_GAP})?\b{_PRIVATE}\b{_GAP} (?:of|for|from|about|belonging to) "
    rf"{_OTHERS}{_PEOPLE}",
    re.IGNORECASE,
)
_OTHERS_OWN: Final = re.compile(
    rf"\b(?:{_ASK})\b(?: {_GAP})? ?\b{_OTHERS}{_PEOPLE} {_GAP}\b{_PRIVATE}\b", re.IGNORECASE
)
_NAMED: Final = re.compile(
    rf"\b(?i:give me|show me|tell me|send me|reveal|disclose|leak|what is|what's) "
    rf"{_GAP}(?i:\b{_SENSITIVE})"
    r" (?:of|for) (?!the\b|your\b|our\b|my\b|a\b|an\b)(?:[A-Z][\w'\-]+)|"
    rf"\b(?i:give me|show me|tell me|send me|reveal|disclose|leak|what is|what's) "
    rf"[A-Z][\w\-]+(?: [A-Z][\w\-]+)?'s? "
    rf"(?i:{_SENSITIVE})"
)
_ELSEWHERE: Final = re.compile(
    r"\b(?:dame|dime|muestra(?:me)?|lista|revela)\b[^.!?\n]{0,60}?\b(?:telefonos?|correos?|"
    r"direccion(?:es)?|"
    r"datos|salarios?|numeros?)\b[^.!?\n]{0,40}?\b(?:otros|demas|todos los) (?:candidatos|"
    r"usuarios|solicitantes)|"
    r"\b(?:donne|montre|envoie|liste|revele)[ \-]?(?:moi)?\b[^.!?\n]{0,60}?\b(?:telephones?|"
    r"numeros?|e-?mails?|adresses?|"
    r"coordonnees|donnees|salaires?)\b[^.!?\n]{0,40}?\b(?:autres|tous les) (?:candidats?|"
    r"utilisateurs?)|"
    r"\b(?:gib|zeig|nenne?|sende?|verrate)\b[^.!?\n]{0,60}?\b(?:telefonnummern?|e-?mails?|"
    r"adressen?|daten|gehalter|"
    r"nummern?)\b[^.!?\n]{0,40}?\b(?:anderen?|aller|ubrigen) (?:bewerber\w*|kandidat\w*|nutzer\w*)",
    re.IGNORECASE,
)
_PEOPLE_SPOT: Final = (
    r"(?:candidate|applicant|interviewee|user|people|person|employee|customer|client|tenant|"
    r"contestant|"
    r"colleague|job ?seeker|hire|patient|who applied|else)"
)
_OTHERS_SPOT: Final = (
    r"(?:other|another|previous|prior|last|next|rest of the|remaining|rejected|competing|all|"
    r"every|each)"
)
_PEOPLE_RULES: Final = tuple(
    Rule(
        name,
        rf"{_OTHERS_SPOT}[a-z ]{{0,20}} {_PEOPLE_SPOT}|everyone else|everybody else",
        shape,
        before=before,
        after=after,
    )
    for name, shape, before, after in (
        ("pii.ask_of", _OF_OTHERS, 240, 12),
        ("pii.ask_own", _OTHERS_OWN, 120, 110),
    )
)
_NAMED_RULE: Final = Rule(
    "pii.ask_named",
    r"(?:give|show|tell|send) me|reveal|disclose|leak|what is|what's",
    _NAMED,
    before=12,
    after=160,
)
_ELSEWHERE_RULE: Final = Rule(
    "pii.ask_elsewhere",
    r"(?:candidat|usuario|utilisateur|solicitante|bewerber|kandidat|nutzer)",
    _ELSEWHERE,
    before=180,
    after=20,
)


class Requests:
    """Finds requests to reveal other people's data (`request_for_others`)."""

    check = "pii"
    rules = (*_PEOPLE_RULES, _NAMED_RULE, _ELSEWHERE_RULE)

    def find(self, text: Text) -> list[Hit]:
        """Give the requests in a text."""
        return once(
            [
                Hit("request_for_others", *view.place(*match.span()), 0.8)
                for view in text.views
                for rule in self.rules
                for match in rule.matches(view)
            ]
        )
