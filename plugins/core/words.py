"""The words of a text as they are compared: without case, accents and punctuation. Pure.

Each word keeps its place in the original text, so that whoever finds one can say where. One pass of
one pattern without nested repetition: linear in the text, whatever the text is.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# Scripts written without spaces: each character is a word, so that a name within a run is found.
_ALONE: Final = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
_UNSEEN: Final = "\u00ad\u200b-\u200d\u2060\ufeff"
_ACCENTS: Final = "\u0300-\u036f"
# `+` and `#` belong to a word that ends in a letter (C++, C#), not to a number (5+ years).
_ASCII_WORD: Final = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*(?:(?<=[a-z])[+#]{1,2})?")
_ANY_WORD: Final = re.compile(
    rf"[^\W_](?:[^\W_]|[{_ACCENTS}{_UNSEEN}])*"
    rf"(?:['\u2019][^\W_](?:[^\W_]|[{_ACCENTS}{_UNSEEN}])*)*(?:(?<=[^\W\d_])[+#]{{1,2}})?"
)
_HAS_ALONE: Final = re.compile(f"[{_ALONE}]")
_PIECE: Final = re.compile(f"[{_ALONE}]|[^{_ALONE}]+")
_DROPPED: Final = re.compile(f"[{_ACCENTS}{_UNSEEN}'\u2019]")
# Longer words are not remembered, so that what is remembered stays small.
_LONGEST_KEPT: Final = 40
# Letters that Unicode does not take apart into a base and an accent.
_BASE: Final = str.maketrans(
    {"\u0131": "i", "ł": "l", "đ": "d", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_SPELLED_OUT: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one text, in order; three lists of equal length.

    Args:
        text: as it was given.
        forms: each word as it is compared.
        starts: offset of its first character in `text`.
        ends: offset behind its last.
    """

    text: str
    forms: list[str]
    starts: list[int]
    ends: list[int]

    def __len__(self) -> int:
        """Count the words."""
        return len(self.forms)

    def between(self, at: int) -> str:
        """Give what stands between word `at` and the next; empty behind the last."""
        if not 0 <= at < len(self.forms) - 1:
            return ""
        return self.text[self.ends[at] : self.starts[at + 1]]

    def original(self, first: int, last: int) -> str:
        """Give the text from word `first` to word `last`, both included."""
        return self.text[self.starts[first] : self.ends[last]]


def words_of(text: str) -> Words:
    """Take a text apart into words.

    Args:
        text: of any script; the offsets count its characters.
    """
    # Only ASCII keeps its length in lower case for certain, and so its offsets.
    if text.isascii():
        lower = text.lower()
        found = _ASCII_WORD.findall(lower)
        starts, ends = _offsets(lower, found)
        forms = [word.replace("'", "") for word in found] if "'" in text else found
        return Words(text, forms, starts, ends)
    found = _ANY_WORD.findall(text)
    if _HAS_ALONE.search(text):
        found = [piece for word in found for piece in _PIECE.findall(word)]
    starts, ends = _offsets(text, found)
    # Lower case first: of nearly all words nothing else remains to be done.
    lower = [word.lower() for word in found]
    forms = [
        form if form.isascii() and "'" not in form else form_of(word)
        for form, word in zip(lower, found, strict=True)
    ]
    if "" not in forms:
        return Words(text, forms, starts, ends)
    # Some letters are accents by themselves, and nothing is left of them.
    kept = [i for i, form in enumerate(forms) if form]
    return Words(text, [forms[i] for i in kept], [starts[i] for i in kept], [ends[i] for i in kept])


def _offsets(text: str, found: list[str]) -> tuple[list[int], list[int]]:
    """Find each word again: between one and the next stands nothing that a word begins with."""
    starts: list[int] = []
    ends: list[int] = []
    find, at = text.find, 0
    for word in found:
        at = find(word, at)
        starts.append(at)
        at += len(word)
        ends.append(at)
    return starts, ends


def form_of(word: str) -> str:
    """Give one word as it is compared: `Müller` and `MULLER` become `muller`."""
    if word.isascii():
        lower = word.lower()
        return lower.replace("'", "") if "'" in lower else lower
    return _folded(word) if len(word) <= _LONGEST_KEPT else _folded.__wrapped__(word)


@lru_cache(maxsize=4096)
def _folded(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold())
    return _DROPPED.sub("", apart).translate(_BASE)


def spelled_out(word: str) -> str:
    """Give a word as those write it who have no umlauts: `Müller` becomes `mueller`."""
    return form_of(unicodedata.normalize("NFC", word).casefold().translate(_SPELLED_OUT))


def phrase_of(text: str) -> tuple[str, ...]:
    """Give the words of a text as they are compared."""
    if text.isascii() and "'" not in text:
        return tuple(_ASCII_WORD.findall(text.lower()))
    return tuple(words_of(text).forms)


# Words that carry no content of their own; English, and the articles and prepositions that stand
# inside names and titles elsewhere.
def listed(words: str) -> frozenset[str]:
    """Give the words of a list in which they stand apart by spaces, as they are compared."""
    return frozenset(form_of(word) for word in words.split())


STOP_WORDS: Final = listed(
    "a about above after again against all also am an and any are as at be because been before "
    "being below between both but by can could did do does doing down during each few for from "
    "further had has have having he her here hers him his how i if in into is it its itself just "
    "may me might more most must my no nor not of off on once only or other our out over own per "
    "same shall she should so some such than that the their them then there these they this those "
    "through to too under until up upon us very was we were what when where which while who whom "
    "why will with within without would you your "
    "de del der des die das den dem du el en et la le les los las un une und von van y i e o"
)


def content_of(forms: Sequence[str]) -> list[str]:
    """Leave out the words that carry no content."""
    return [form for form in forms if form not in STOP_WORDS]


def stem_of(form: str) -> str:
    """Cut the commonest English endings off, so that `managed` meets `manages`.

    Args:
        form: one word as it is compared.
    """
    return _stem(form) if len(form) <= _LONGEST_KEPT else form


@lru_cache(maxsize=16384)
def _stem(form: str) -> str:
    if not form.isalpha():
        return form
    # Endings are joined to endings: engineer-ing, develop-er-s.
    return _undoubled(_cut(_cut(_cut(form))))


_ENDINGS: Final = ("ments", "ment", "ings", "ing", "ions", "ion", "ies", "ers", "ed", "er", "es")


def _cut(form: str) -> str:
    if len(form) <= 3:
        return form
    for ending in _ENDINGS:
        if form.endswith(ending) and len(form) - len(ending) >= 3:
            return _undoubled(form[: -len(ending)])
    return _undoubled(form[:-1]) if form[-1] in "sey" and form[-2] != "s" else form


def _undoubled(stem: str) -> str:
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
