"""Secrets: by their issuer's prefix, or said to be one and random enough to be believed."""

import math
import re
from typing import Final

from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text, View

# What issuers publish of their keys' forms, so that such scanners can know them (read 2026-11).
_PREFIXES: Final = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{36,255}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{40,255}",
    r"glpat-[A-Za-z0-9_\-]{20,64}",  # GitLab
    r"sk-(?:ant-|proj-|svcacct-|or-)?[A-Za-z0-9_\-]{20,200}",  # OpenAI, Anthropic, OpenRouter
    r"xox[abeoprs]-[A-Za-z0-9\-]{10,200}",  # Slack
    r"AIza[A-Za-z0-9_\-]{35}",  # Google
    r"ya29\.[A-Za-z0-9_\-]{20,200}",
    r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,200}",  # Stripe
    r"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{16,64}",  # SendGrid
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[A-Za-z0-9_\-]{50,200}",
    r"hf_[A-Za-z0-9]{30,40}",  # Hugging Face
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",  # Shopify
    r"dop_v1_[a-f0-9]{64}",  # DigitalOcean
    r"AC[a-f0-9]{32}",  # Twilio
    r"SK[a-f0-9]{32}",
)
_KEY: Final = Rule(
    "pii.key",
    r"(?:akia|asia|gh[pousr]_|github_pat_|glpat-|sk-|xox[abeoprs]-|aiza|ya29\.|"
    r"[srp]k_(?:live|test)_|sg\.|npm_|pypi-age|hf_|shp(?:at|ca|pa|ss)_|dop_v1_)"
    r"[a-z0-9_\-]{10}|(?:ac|sk)[a-f0-9]{16}",
    re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_PREFIXES)})(?![A-Za-z0-9])"),
    before=40,
    after=260,
)
_TOKEN: Final = Rule(
    "pii.web_token",
    r"eyj[a-z0-9_\-]{10}",
    re.compile(r"eyJ[A-Za-z0-9_\-]{10,1000}\.eyJ[A-Za-z0-9_\-]{10,2000}\.[A-Za-z0-9_\-]{10,1000}"),
    anchor=13,
    needs=("eyj",),
)
_PRIVATE_KEY: Final = Rule(
    "pii.private_key",
    r"-----begin [a-z0-9 ]{0,30}private key-----",
    re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----(?:\s{0,4}[A-Za-z0-9+/=]{16,76}){0,120}"
        r"(?:\s{0,4}[A-Za-z0-9+/=]{0,76}\s{0,4}-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----)?",
        re.IGNORECASE,
    ),
    before=80,
    after=4_200,
    needs=("-----begin",),
)
_URL: Final = Rule(
    "pii.url_password",
    r"://[^ /@:]{1,64}:[^ /@]{3,128}@",
    re.compile(
        r"\b[a-z][a-z0-9+]{1,20}://[^\s/@:]{1,64}:(?P<value>[^\s/@]{3,128})@", re.IGNORECASE
    ),
    before=230,
    after=4,
    needs=("://",),
)
_NAMES: Final = (
    r"pass(?:word|wd|phrase|code|wort)|pwd|kennwort|contrase(?:n|ñ)a|mot de passe|secret(?:[ "
    r"_\-]key)?|"
    r"api[ _\-]?(?:key|token|secret)|access[ _\-]?(?:key|token)(?:[ _\-]id)?|auth[ _\-]?token|"
    r"client[ _\-]?secret|private[ _\-]?key|bearer|account[ _\-]?key|credentials?"
)
_SAID: Final = Rule(
    "pii.said_secret",
    r"(?:pass(?:word|wd|phrase|code|wort)|pwd|kennwort|contrase.a|mot de passe|secret|api[ "
    r"_\-]?key|"
    r"api[ _\-]?token|token|access[ _\-]?key|private[ _\-]?key|bearer|account[ _\-]?key|credential)"
    r"s?[a-z _\-]{0,12}[\"']?[ :=]",
    re.compile(
        rf"(?<![A-Za-z0-9])(?:{_NAMES})s?(?:[ _\-]id)?[\"']?\s{{0,3}}(?P<said>:=|=>|[:=]|"
        rf"\bis\b|\bist\b|\bes\b|"
        rf"\s)"
        r"\s{0,3}[\"'`]?(?P<value>[^\s\"'`<>,;(){}\[\]]{6,200})",
        re.IGNORECASE,
    ),
    before=40,
    after=220,
)
_PLACEHOLDERS: Final = re.compile(
    r"^(?:x+|\*+|\.+|-+|your\w*|my\w*|change\w*|example\w*|required|optional|none|null|true|false|"
    r"todo|redacted|hidden|\$\w+|%\w+%|<.*>|https?:.*|.*\.(?:py|md|txt|com|org|js|html))$",
    re.IGNORECASE,
)
_KINDS: Final = (
    re.compile(r"[a-z]"),
    re.compile(r"[A-Z]"),
    re.compile(r"\d"),
    re.compile(r"[^A-Za-z0-9]"),
)
_RANDOM_BITS: Final = 2.5
_SECRET_BITS: Final = 3.5
_LONG: Final = 20


class Credentials:
    """Finds keys, tokens, passwords (`api_key`, `private_key`, `password`)."""

    check = "pii"
    rules = (_KEY, _TOKEN, _PRIVATE_KEY, _URL, _SAID)

    def find(self, text: Text) -> list[Hit]:
        """Give the secrets in a text."""
        return once([hit for view in text.views for hit in self._in(view)])

    def _in(self, view: View) -> list[Hit]:
        hits = [
            Hit("api_key", *view.place(*match.span()), 0.95)
            for rule in (_KEY, _TOKEN)
            for match in rule.matches(view)
            if entropy_bits(match[0]) >= _RANDOM_BITS and _KINDS[2].search(match[0])
        ]
        hits += [
            Hit("private_key", *view.place(*match.span()), 1.0)
            for match in _PRIVATE_KEY.matches(view)
        ]
        hits += [
            Hit("password", *view.place(*match.span("value")), 0.9)
            for match in _URL.matches(view)
            if not _PLACEHOLDERS.match(match["value"])
        ]
        hits += [
            Hit("password", *view.place(*match.span("value")), 0.8)
            for match in _SAID.matches(view)
            if _believed(match)
        ]
        return hits


def entropy_bits(text: str) -> float:
    """Give Shannon's entropy of a string's characters, bits each; 0 for one repeated."""
    shares = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * math.log2(share) for share in shares)


def _believed(match: re.Match[str]) -> bool:
    value = match["value"].rstrip(".!?")
    if _PLACEHOLDERS.match(value):
        return False
    kinds = sum(kind.search(value) is not None for kind in _KINDS)
    digits = _KINDS[2].search(value) is not None
    if match["said"].isspace():
        # "password reset", "token based": only what is long and random is no word.
        return len(value) >= _LONG and digits and entropy_bits(value) >= _SECRET_BITS
    plain_said = match["said"].isalpha()
    return (
        entropy_bits(value) >= _RANDOM_BITS - 0.5 and digits and kinds >= (3 if plain_said else 2)
    )
