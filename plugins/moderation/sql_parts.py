"""What a sign of SQL injection is, and the parts of SQL that signs are made of."""

import re
from dataclasses import dataclass
from typing import Final

from plugins.moderation.rules import Rule

# What parts SQL's words: space, a plus of a form's encoding, comments, brackets.
GAP: Final = (
    r"(?:[\s+(),!;`~\-@]|/\*[^*]{0,60}\*{0,2}/|/\*!\d{0,5}|\*/|"
    r"\{f?|--[^\n]{0,30}\n|\#[^\n]{0,30}\n)"
)
VALUE: Final = (
    r"(?:0x[0-9a-f]+|[\d.]{1,24}|'[^']{0,40}'?|\"[^\"]{0,40}\"?|null|true|false|@{1,2}[\w.]{1,30}|"
    r"[a-z_][\w.]{0,30}(?:\([^()]{0,40}(?:\([^()]{0,40}\)[^()]{0,20})?\))?)"
)
COMPARES: Final = (
    r"(?:=|<=>|<>|!=|<|>|\^|\bnot\b|\blike\b|\brlike\b|\bregexp\b|\bsounds\b|\bis\b|\bin\b|"
    r"\bbetween\b|\bdiv\b|\bmod\b)"
)
FUNCTIONS: Final = (
    r"(?:concat(?:_ws)?|group_concat|unhex|hex|aes_decrypt|load_file|version|database|schema|"
    r"user|current_user|"
    r"system_user|session_user|char|chr|ascii|ord|substr(?:ing)?|mid|left|right|length|"
    r"benchmark|sleep|pg_sleep|convert|cast|extractvalue|"
    r"updatexml|count|floor|rand|md5|sha1|if|ifnull|nullif|coalesce|exists|elt|row|make_set|"
    r"name_const|"
    r"greatest|least|strcmp|find_in_set|bin|conv|compress|quote|reverse|lower|upper|xmltype|"
    r"utl_\w+|dbms_\w+|ctxsys\.\w+)"
)


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of an injection.

    Args:
        kind: signs of one kind count once.
        weight: what it adds.
        rule: where it holds.
    """

    kind: str
    weight: float
    rule: Rule


_seen: Final[dict[str, int]] = {}


def sign(kind: str, weight: float, spot: str, shape: str, *needs: str, **reach: int) -> Sign:
    """Make a sign whose rule is named by its kind and the count of that kind's signs so far.

    Args:
        kind: signs of one kind count once.
        weight: what it adds.
        spot: see `Rule`.
        shape: the exact pattern; case does not matter.
        needs: see `Rule`.
        reach: `before` and `after`, see `Rule`.
    """
    pattern = re.compile(shape, re.IGNORECASE)
    _seen[kind] = _seen.get(kind, 0) + 1
    name = f"sql.{kind}.{_seen[kind]}"
    return Sign(kind, weight, Rule(name, spot, pattern, needs=needs, **reach))
