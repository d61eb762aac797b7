"""`POST /v1/moderations`: a few plain words flag, ordinary hiring text passes."""

import re

import msgspec

from selfhosted.practice import catalogue
from selfhosted.practice.prompt import Json
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.providers.openai.messages import Part, text_of
from selfhosted.practice.wire import Call, Reply, to_json

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
FLAGGED_SCORE = 0.97
QUIET_SCORE = 0.0001

_YOU = r"(?:you|him|her|them|everyone|somebody|the recruiter|the interviewer)\b"
_RULES = {
    "harassment": r"\byou(?: are|'re)? (?:an? )?(?:\w+ )?(?:idiot|moron|scum|pathetic|worthless)\b",
    "harassment/threatening": (
        rf"\bi(?:'ll| will| am going to|'m going to) (?:hurt|kill|beat) {_YOU}"
    ),
    "hate": r"\b(?:i hate (?:all )?(?:women|men|jews|muslims|christians|blacks|gays|immigrants)"
    r"|(?:women|jews|muslims|blacks|gays|immigrants) are (?:vermin|subhuman|animals|scum))\b",
    "hate/threatening": (
        r"\b(?:kill|hang|gas) all (?:the )?(?:women|men|jews|muslims|blacks|gays|immigrants)\b"
    ),
    "illicit": r"\bhow (?:to|do i|can i) (?:make|build|cook|buy) (?:a )?(?:bomb|meth)\b",
    "illicit/violent": r"\bhow (?:to|do i|can i) (?:make|build) (?:a )?(?:bomb|grenade|silencer)\b",
    "self-harm/instructions": r"\bhow (?:to|do i|can i) (?:kill|hurt|cut) myself\b",
    "self-harm/intent": r"\b(?:kill myself|end my life|hurt myself|commit suicide)\b",
    "sexual": r"\b(?:explicit sex|porn(?:ographic)?|sexual favou?rs|send nudes)\b",
    "sexual/minors": r"\b(?:child porn\w*|sex with (?:a )?(?:child|minor|children|minors))\b",
    "violence": rf"\b(?:kill|murder|stab|shoot|strangle|hurt|beat up) {_YOU}",
    "violence/graphic": r"\b(?:dismember|disembowel|behead)(?:ed|ing)?\b",
}
_PATTERNS = {name: re.compile(rule, re.IGNORECASE) for name, rule in _RULES.items()}
_IMPLIED = {
    "hate/threatening": "hate",
    "illicit/violent": "illicit",
    "self-harm/instructions": "self-harm",
    "sexual/minors": "sexual",
    "harassment/threatening": "harassment",
    "self-harm/intent": "self-harm",
    "violence/graphic": "violence",
}


class ModerationRequest(msgspec.Struct):
    """The body of `POST /v1/moderations`."""

    input: str | list[str | Part]
    model: str = "omni-moderation-latest"


_decoder = msgspec.json.Decoder(ModerationRequest)


def moderations(call: Call, flavour: Flavour) -> Reply:
    """Judge every input; a list of parts is one input."""
    request = call.decode(_decoder)
    flavour.admit(call, request.model, catalogue.MODERATE)
    given = request.input
    if isinstance(given, str):
        texts = [given]
    else:
        parts = [one for one in given if isinstance(one, Part)]
        texts = [one for one in given if isinstance(one, str)]
        texts += [text_of(parts)] if parts else []
    results = [judge(text) for text in texts]
    return to_json({"id": call.make_id("modr-"), "model": request.model, "results": results})


def judge(text: str) -> Json:
    """Judge one text by the rules above."""
    hits = {name for name, pattern in _PATTERNS.items() if pattern.search(text)}
    hits |= {_IMPLIED[name] for name in hits if name in _IMPLIED}
    return {
        "flagged": bool(hits),
        "categories": {name: name in hits for name in CATEGORIES},
        "category_scores": {
            name: FLAGGED_SCORE if name in hits else QUIET_SCORE for name in CATEGORIES
        },
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
