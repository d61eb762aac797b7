"""Requests to reveal what is known of other people."""

import re
from collections.abc import Iterator
from typing import Final

from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text, View

_ASK: Final = (
    r"(?:give|show|tell|send|provide|get|fetch|e-?mail|forward|share with) (?:me|us)|reveal|"
    r"disclose|leak|dump|"
    r"expose|exfiltrate|list|print|output|display|export|share|read out|repeat|look up|"
    r"what (?:is|are|was|were)|what's|who (?:is|are|were|else)|i (?:want|need|would like)|can i "
    r"(?:have|see|get)|"
    r"let me (?:see|have)"
)
_ASK_ELSEWHERE: Final = (
    r"dame|dime|muestra(?:me)?|lista|revela|donne|montre|envoie|liste|revele|gib|zeig|nenne?|"
    r"sende?|verrate"
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
    r"(?:(?:shortlisted|rejected|hired|selected|successful|unsuccessful|internal|external|former|"
    r"current|existing|registered|active|invited|interviewed|qualified|competing|female|"
    r"male) ){0,2}"
)
_PEOPLE: Final = (
    r"(?:candidates?|applicants?|interviewees?|users?|people|persons?|employees?|customers?|"
    r"clients?|"
    r"tenants?|contestants?|colleagues?|job ?seekers?|hires?|patients?|finalists?|competitors?|"
    r"co-?workers?|interviewers?|recruiters?|who applied|else)(?:'s?|s')?"
)
_STAFF: Final = (
    r"(?:interviewer|recruiter|hiring manager|manager|supervisor|ceo|founder|boss|director|"
    r"employee|colleague|co-?worker|neighbou?r|team ?lead|hr (?:manager|lead|person|officer))"
)
_OWN_BUSINESS: Final = (
    r"(?:(?:home|private|personal|residential) (?:phone |mobile |cell |e-?mail )?(?:address|phone|"
    r"number|mobile|e-?mail|cell)|date of birth|ssn|social security number|passport number|"
    r"bank (?:account|details)|credit card|salary|password|medical (?:record|history))"
)
_SECRETS: Final = (
    r"(?:(?:home |private |personal |e-?mail )?addresses|(?:phone |telephone )numbers?|e-?mails|"
    r"ssns?|social security numbers?|passport numbers?|passports|(?:credit )?card numbers?|"
    r"passwords?|credentials|api keys?|ibans?|bank (?:accounts?|details)|dates? of birth|"
    r"birth ?dates?|personal (?:data|details|information)|private data|names)"
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
_OF_EVERYONE: Final = re.compile(
    rf"\b(?:{_ASK})\b(?: {_GAP})?\b{_PRIVATE}\b{_GAP} (?:of|for|from|about) "
    r"(?:everyone|everybody|anyone|anybody|(?:all |the |those )?people|those|(?:all )?the others)\b"
    r"(?: else)? (?:who|that|in|at|on|from|working|applying)\b",
    re.IGNORECASE,
)
_BEFORE_ME: Final = re.compile(
    rf"\b(?:{_ASK})\b(?: {_GAP})?\b{_PRIVATE}\b{_GAP} (?:of|for|from|about) "
    rf"(?:the |that |those |any |all )?{_PEOPLE} {_GAP}\b"
    r"(?:(?:before|ahead of|prior to|other than|besides) (?:me|us)\b|earlier|previously|yesterday|"
    r"last (?:week|month|time))",
    re.IGNORECASE,
)
_REMEMBERED: Final = re.compile(
    rf"\b(?:{_ASK})\b(?: {_GAP})?\b(?:every|all|any|each|some|other)\b{_GAP}\b{_SECRETS}\b{_GAP}\b"
    r"(?:(?:you|the (?:system|model|assistant))(?:'ve| have| has)? (?:ever )?(?:seen|saw|know|"
    r"learn\w+|memori[sz]ed|remember|stored?|collected|(?:were|was|been) (?:trained|given|told|"
    r"shown))|"
    r"(?:in|from|of|during) (?:the |your |any |all )?(?:earlier|previous|prior|other|past|former) "
    r"(?:users?'? )?(?:conversations?|chats?|sessions?|calls?|messages|interviews|prompts)|"
    r"(?:in|from) (?:your|the) (?:training|memory|database|logs))"
    rf"(?!{_GAP}\b(?:about|of|from) (?:me|mine|my)\b)",
    re.IGNORECASE,
)
_OTHER_TENANTS: Final = re.compile(
    rf"\b(?:{_ASK})\b(?: {_GAP})?\b{_PRIVATE}\b{_GAP}\b{_PEOPLE} {_GAP}\b"
    r"(?:other|another|competing|different|rival) (?:compan(?:y|ies)|employers?|tenants?|firms?|"
    r"organi[sz]ations?|businesses|clients?|customers?)\b",
    re.IGNORECASE,
)
_STAFFS_OWN: Final = re.compile(
    rf"\b(?:{_ASK})\b(?: {_GAP})? ?\b(?:the|your|my|our|this|that) {_STAFF}s?'?s? {_OWN_BUSINESS}|"
    rf"\b(?:{_ASK})\b(?: {_GAP})? ?\b{_OWN_BUSINESS} (?:of|for) (?:the|your|my|our|this|that) "
    rf"{_STAFF}|"
    r"\b(?:give|tell|show|send) (?:me|us)\b"
    rf"{_GAP}\bwhere (?:s?he lives|they live|(?:the|your|my) {_STAFF}s? lives?)\b",
    re.IGNORECASE,
)
_INTO_ANSWER: Final = re.compile(
    rf"\b(?:include|add|append|insert|attach|put|mention)\b{_GAP}\b{_PRIVATE}\b{_GAP} "
    rf"(?:of|for|from|about) {_OTHERS}{_PEOPLE}{_GAP}\b(?:in|into|to|at|with) (?:your|the|this) "
    r"(?:summary|answer|reply|response|output|report|evaluation|assessment|feedback|message|end)\b",
    re.IGNORECASE,
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
    r"contestant|colleague|job ?seeker|hire|patient|finalist|competitor|co-?worker|interviewer|"
    r"recruiter|who applied|else)"
)
_OTHERS_SPOT: Final = (
    r"(?:other|another|previous|prior|last|next|rest of the|remaining|rejected|competing|all|"
    r"every|each)"
)
_PEOPLE_RULES: Final = tuple(
    Rule(
        name,
        rf"{_OTHERS_SPOT}[a-z ]{{0,34}} {_PEOPLE_SPOT}|everyone else|everybody else",
        shape,
        before=before,
        after=after,
    )
    for name, shape, before, after in (
        ("pii.ask_of", _OF_OTHERS, 240, 12),
        ("pii.ask_own", _OTHERS_OWN, 120, 110),
        ("pii.ask_into_answer", _INTO_ANSWER, 240, 100),
    )
)
_SPOKEN_RULES: Final = (
    Rule(
        "pii.ask_everyone",
        r"(?:every(?:one|body)|any(?:one|body)|people|those|the others)(?: else)? "
        r"(?:who|that|in|at|on|from|working|applying)[^a-z]",
        _OF_EVERYONE,
        before=250,
        after=4,
    ),
    Rule(
        "pii.ask_before_me",
        rf"{_PEOPLE_SPOT}[a-z']{{0,3}} [^.!?\n]{{0,60}}(?:before|ahead of|prior to|other than|"
        r"besides|earlier|previously|yesterday|last)[^a-z]",
        _BEFORE_ME,
        before=330,
        after=8,
    ),
    Rule(
        "pii.ask_remembered",
        r"(?:you(?:'ve| have)?|system(?: has)?|model(?: has)?|assistant(?: has)?) (?:ever )?"
        r"(?:seen|saw|know|learn|memori|remember|store|collect|were|was|been)|"
        r"(?:earlier|previous|prior|other|past|former) (?:users?'? )?(?:conversation|chat|session|"
        r"call|message|interview|prompt)|(?:your|the) (?:training|memory|database|logs)",
        _REMEMBERED,
        before=330,
        after=80,
    ),
    Rule(
        "pii.ask_other_tenants",
        r"(?:other|another|competing|different|rival) (?:compan|employer|tenant|firm|organi|"
        r"business|client|customer)",
        _OTHER_TENANTS,
        before=330,
        after=12,
    ),
    Rule(
        "pii.ask_staffs_own",
        rf"(?:the|your|my|our|this|that) {_STAFF}|where (?:s?he lives|they live)",
        _STAFFS_OWN,
        before=200,
        after=60,
    ),
)
_ASKED_RULE: Final = Rule(
    "pii.ask",
    rf"[^a-z](?:{_ASK}|{_ASK_ELSEWHERE}|include|add|append|insert|attach|put|mention)[^a-z]",
    re.compile(""),
)
"""Where a request may begin. Words about people are common, and cost nothing where none does."""

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


_ASKING_RULES: Final = (*_PEOPLE_RULES, *_SPOKEN_RULES, _ELSEWHERE_RULE)


class Requests:
    """Finds requests to reveal other people's data (`request_for_others`)."""

    check = "pii"
    rules = (_ASKED_RULE, _NAMED_RULE, *_ASKING_RULES)

    def find(self, text: Text) -> list[Hit]:
        """Give the requests in a text."""
        return once(
            [
                Hit("request_for_others", *view.place(*match.span()), 0.8)
                for view in text.views
                for match in _requests(view)
            ]
        )


def _requests(view: View) -> Iterator[re.Match[str]]:
    yield from _NAMED_RULE.matches(view)
    asked = view.spots.get(_ASKED_RULE.name, ())
    for rule in _ASKING_RULES if asked else ():
        if rule.name in view.spots:
            yield from rule.matches(view, asked)
