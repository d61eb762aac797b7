"""Different words for the same thing, as resumes and models use them. Data.

Each line is one thing. Only true equals stand here: a Bachelor is no Master, a Senior no Lead.
"""

from typing import Final

from plugins.core.words import phrase_of

_LINES: Final = """
bachelor of science | bachelor's of science | bachelors of science | bsc | b.sc. | b.s. | bs | b. sc
bachelor of arts | bachelors of arts | ba | b.a.
bachelor of engineering | beng | b.eng. | be | b.e.
bachelor of technology | btech | b.tech.
bachelor of business administration | bba | b.b.a.
bachelor of commerce | bcom | b.com.
bachelor | bachelors | bachelor degree | bachelor's degree
master of science | masters of science | msc | m.sc. | m.s. | ms
master of arts | masters of arts | ma | m.a.
master of engineering | meng | m.eng.
master of technology | mtech | m.tech.
master of business administration | mba | m.b.a.
master | masters | master degree | master's degree
doctor of philosophy | doctorate | phd | ph.d. | dphil | d.phil.
bachelor of laws | llb | ll.b.
master of laws | llm | ll.m.
senior | sr
junior | jr
vice president | vp
chief executive officer | ceo
chief technology officer | cto
chief financial officer | cfo
human resources | hr
quality assurance | qa
user experience | ux
javascript | js
typescript | ts
kubernetes | k8s
postgresql | postgres
golang | go
node.js | nodejs | node
react | react.js | reactjs
vue | vue.js | vuejs
amazon web services | aws
google cloud platform | google cloud | gcp
microsoft azure | azure
machine learning | ml
artificial intelligence | ai
natural language processing | nlp
continuous integration | ci
microsoft excel | ms excel | excel
microsoft sql server | ms sql | sql server
scikit-learn | sklearn
.net | dotnet
c# | csharp | c sharp
c++ | cpp
united states | usa | us | u.s. | u.s.a. | united states of america
united kingdom | uk | u.k. | great britain
germany | deutschland
incorporated | inc
limited | ltd
corporation | corp
and | &
university | univ
"""
Phrase = tuple[str, ...]


def _read() -> dict[Phrase, tuple[Phrase, ...]]:
    made: dict[Phrase, tuple[Phrase, ...]] = {}
    for line in _LINES.strip().splitlines():
        phrases = tuple(dict.fromkeys(phrase_of(name) for name in line.split("|")))
        phrases = tuple(phrase for phrase in phrases if phrase)
        made |= dict.fromkeys(phrases, phrases)
    return made


ALIASES: Final = _read()
"""Each phrase with all that mean the same, itself included."""
LONGEST: Final = max(map(len, ALIASES))
EMPTY_ENDINGS: Final = frozenset(
    {"inc", "incorporated", "ltd", "limited", "llc", "corp", "corporation", "gmbh", "co", "ag",
     "plc", "company", "degree", "sa", "bv"}
)  # fmt: skip
"""Words at the end of a name that many leave out."""


def alias_in(phrase: Phrase) -> tuple[int, int, tuple[Phrase, ...]] | None:
    """Find the longest part of a phrase that has other names.

    Returns:
        Its first word, the one behind its last, and all its names; or None.
    """
    for length in range(min(LONGEST, len(phrase)), 0, -1):
        for first in range(len(phrase) - length + 1):
            names = ALIASES.get(phrase[first : first + length])
            if names is not None:
                return first, first + length, names
    return None
