"""The documents that an answer must rest on, made ready to look things up in. Pure.

What an index is asked for is found by the rarest word of the phrase, so that a question costs as
much as that word is frequent, not as much as the document is long. What only some questions need
(dates, numbers, stems) is made when the first one asks.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final

from plugins.core.source import About, Source
from plugins.core.words import STOP_WORDS, Words, spelled_out, stem_of, words_of
from plugins.grounding.aliases import EMPTY_ENDINGS
from plugins.grounding.dates import Mention, mentions_in
from plugins.grounding.numbers import numbers_in

_MOST_PLACES: Final = 64
"""Places of one phrase in one document that are looked at; a name stands in fewer."""
_MOST_TRIED: Final = 512
"""Places of a phrase's rarest word that are tried: only a hostile document has more."""
_LONGEST_PARTED: Final = 40
_LONG_LINE: Final = 160
_PART_END: Final = re.compile(r"(?<=;)[ \t]")
_SENTENCE_END: Final = re.compile(r"(?<=;)[ \t]|(?<=[.!?])[ \t]+(?=[^\W\d_])")
_BULLET: Final = re.compile(r"[ \t]*(?:[-*\u2022\u00b7\u25aa\u25e6\u2023\u2013]|\d{1,2}[.)])[ \t]")
_BEFORE_AT: Final = re.compile(r"[^\s@<>()\[\],;:\"]{1,64}\Z")
_BEHIND_AT: Final = re.compile(r"[^\s@<>()\[\],;:\"]{1,255}")
_PHONE: Final = re.compile(r"[+(]?\d[\d().\-/ \u00a0\u2010-\u2013]{5,24}\d")
_NOT_DIGIT: Final = re.compile(r"\D")
_UMLAUT: Final = re.compile("[\u00e4\u00f6\u00fc\u00f8\u00e5\u00c4\u00d6\u00dc\u00d8\u00c5]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the sources something stands.

    Args:
        source: name of the document.
        start: offset of its first character.
        end: offset behind its last.
    """

    source: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Document:
    """One source, made ready.

    Args:
        source: as it was given.
        words: its words.
        at: where each word stands, by its form.
        spelled: the words with umlauts as others write them (`mueller`), by their number.
    """

    source: Source
    words: Words
    at: dict[str, list[int]]
    spelled: dict[int, str]
    _memo: dict[tuple[str, ...], list[int]] = field(
        default_factory=dict[tuple[str, ...], list[int]]
    )
    _stem_memo: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _near_memo: dict[int, list[Mention]] = field(default_factory=dict[int, list[Mention]])
    _segments_memo: dict[tuple[str, ...], list[int]] = field(
        default_factory=dict[tuple[str, ...], list[int]]
    )

    def find(self, phrase: Sequence[str]) -> list[int]:
        """Give the words at which a phrase begins, `_MOST_PLACES` at most.

        Args:
            phrase: forms of words, in order; punctuation between them does not matter.
        """
        key = tuple(phrase)
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = self._find(key)
        return known

    def _find(self, phrase: tuple[str, ...]) -> list[int]:
        if not phrase or any(form not in self.at for form in phrase):
            return []
        offset = min(range(len(phrase)), key=lambda i: len(self.at[phrase[i]]))
        rarest = self.at[phrase[offset]]
        if len(phrase) == 1:
            return rarest[:_MOST_PLACES]
        forms, length, wanted = self.words.forms, len(phrase), list(phrase)
        found: list[int] = []
        for place in rarest[:_MOST_TRIED]:
            first = place - offset
            if first < 0:
                continue
            if forms[first : first + length] == wanted or self._is_spelled(first, wanted):
                found.append(first)
                if len(found) == _MOST_PLACES:
                    break
        return found

    def segments(self, phrase: tuple[str, ...]) -> list[int]:
        """Give the segments in which a phrase stands by itself; without any, all it begins in.

        The `Engineer` of `Lead Engineer` is another title.
        """
        known = self._segments_memo.get(phrase)
        if known is None:
            places = self.find(phrase)
            alone = [at for at in places if self._is_alone(at, at + len(phrase) - 1)]
            known = [self.segment_of(at) for at in alone or places]
            self._segments_memo[phrase] = known
        return known

    def _is_alone(self, first: int, last: int) -> bool:
        """Tell whether neither neighbour is of the same name: capitalised, behind a mere space."""
        words = self.words
        if words.between(first - 1) == " " and self._is_capital(first - 1):
            return False
        follows = words.between(last) == " " and self._is_capital(last + 1)
        return not follows or words.forms[last + 1] in EMPTY_ENDINGS

    def _is_capital(self, at: int) -> bool:
        return self.words.text[self.words.starts[at]].isupper()

    def _is_spelled(self, first: int, wanted: list[str]) -> bool:
        forms, spelled = self.words.forms, self.spelled
        return bool(spelled) and all(
            forms[i : i + 1] == [form] or spelled.get(i) == form
            for i, form in enumerate(wanted, first)
        )

    def place(self, first: int, last: int) -> Place:
        """Tell where the words from `first` to `last` (included) stand."""
        words = self.words
        return Place(self.source.name, words.starts[first], words.ends[last])

    # -- segments: lines, and the sentences of long ones ---------------------------------------

    @cached_property
    def _segments(self) -> list[int]:
        """Give the offsets at which segments begin."""
        starts: list[int] = []
        at = 0
        for line in self.source.text.split("\n"):
            starts.append(at)
            # In short lines, the dots of `B.Sc. Law` and `Acme Inc. Berlin` end no sentence.
            if len(line) >= _LONG_LINE:
                starts += [at + end.end() for end in _SENTENCE_END.finditer(line)]
            elif ";" in line:
                starts += [at + end.end() for end in _PART_END.finditer(line)]
            at += len(line) + 1
        return starts

    def segment_of(self, word: int) -> int:
        """Number the segment in which a word stands."""
        return bisect_right(self._segments, self.words.starts[word]) - 1

    def _segment_text(self, segment: int) -> str:
        starts = self._segments
        end = starts[segment + 1] if segment + 1 < len(starts) else len(self.source.text)
        return self.source.text[starts[segment] : end]

    @cached_property
    def _segment_words(self) -> dict[int, set[str]]:
        made: dict[int, set[str]] = defaultdict(set)
        starts, segment, last = self._segments, 0, len(self._segments) - 1
        for form, start in zip(self.words.forms, self.words.starts, strict=True):
            while segment < last and starts[segment + 1] <= start:
                segment += 1
            made[segment].add(form)
        return dict(made)

    def words_near(self, segment: int, reach: int = 0) -> set[str]:
        """Give the words of a segment and of those up to `reach` segments away."""
        return set[str]().union(
            *(self._segment_words.get(s, ()) for s in range(segment - reach, segment + reach + 1))
        )

    # -- dates ---------------------------------------------------------------------------------

    @cached_property
    def dates(self) -> list[Mention]:
        """Give the dates that the document names, in order."""
        return mentions_in(self.words, self.at)

    @cached_property
    def _dated(self) -> dict[int, list[Mention]]:
        made: dict[int, list[Mention]] = defaultdict(list)
        for mention in self.dates:
            made[self.segment_of(mention.first)].append(mention)
        return dict(made)

    def dates_near(self, segment: int) -> list[Mention]:
        """Give the dates that belong to what stands in a segment.

        Those of the segment itself; where it has none, those of the nearest segment above or below
        that has some, if neither a bullet nor, upwards, an empty line stands between: a heading
        (title, company, dates) is written on several lines, and the next job's is not far.

        Args:
            segment: its number.
        """
        known = self._near_memo.get(segment)
        if known is None:
            known = self._near_memo[segment] = self._dated.get(segment) or self._around(segment)
        return known

    def _around(self, segment: int, reach: int = 3) -> list[Mention]:
        up = self._nearest(segment, -1, reach, empty_allowed=0)
        down = self._nearest(segment, 1, reach, empty_allowed=1)
        nearest = min((at for at, _ in (up, down) if at), default=0)
        return [date for at, dates in (up, down) if at == nearest for date in dates]

    def _nearest(
        self, segment: int, step: int, reach: int, *, empty_allowed: int
    ) -> tuple[int, list[Mention]]:
        at, seen = segment, 0
        while seen < reach:
            at += step
            if not 0 <= at < len(self._segments):
                break
            text = self._segment_text(at)
            if not text or text.isspace():
                empty_allowed -= 1
                if empty_allowed < 0:
                    break
                # What stands beyond an empty line is further away.
                seen += 1
                continue
            seen += 1
            if at in self._dated:
                return seen, self._dated[at]
            if _BULLET.match(text):
                break
        return 0, []

    # -- other things --------------------------------------------------------------------------

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Give the numbers that the document names, each with the word at which it first stands."""
        return numbers_in(self.words, self.at)

    def find_parted(self, word: str) -> tuple[int, int] | None:
        """Find a word that is written as two or three: `Node.js` where `NodeJS` is asked for.

        Returns:
            Its first and last part, or None.
        """
        for cut in range(1, min(len(word), _LONGEST_PARTED)):
            if word[:cut] not in self.at:
                continue
            rest = word[cut:]
            if rest in self.at and (places := self.find((word[:cut], rest))):
                return places[0], places[0] + 1
            for again in range(1, min(len(rest), _LONGEST_PARTED)):
                parts = (word[:cut], rest[:again], rest[again:])
                if parts[1] in self.at and (places := self.find(parts)):
                    return places[0], places[0] + 2
        return None

    @cached_property
    def emails(self) -> dict[str, tuple[int, int]]:
        """Give the e-mail addresses, in lower case, with their offsets."""
        text, made = self.source.text, dict[str, tuple[int, int]]()
        at = text.find("@")
        while at >= 0:
            before = _BEFORE_AT.search(text[max(0, at - 64) : at])
            behind = _BEHIND_AT.match(text, at + 1)
            if before and behind:
                span = (at - len(before[0]), behind.end())
                made.setdefault(text[slice(*span)].strip(".'").lower(), span)
            at = text.find("@", at + 1)
        return made

    @cached_property
    def phones(self) -> list[tuple[str, tuple[int, int]]]:
        """Give what may be telephone numbers: `+` where it stands, digits; and the offsets."""
        made: list[tuple[str, tuple[int, int]]] = []
        for m in _PHONE.finditer(self.source.text):
            digits = _NOT_DIGIT.sub("", m[0])
            if len(digits) >= 6:
                made.append(("+" + digits if m[0].lstrip("(")[0] == "+" else digits, m.span()))
        return made

    @cached_property
    def stems(self) -> dict[str, list[str]]:
        """Give the stems of all words, each with its words."""
        made: dict[str, list[str]] = {}
        for form in self.at:
            made.setdefault(stem_of(form), []).append(form)
        return made

    def stem_segments(self, stem: str) -> list[int]:
        """Give the segments in which a stem stands, at its first `_MOST_PLACES` places."""
        known = self._stem_memo.get(stem)
        if known is None:
            places = [at for form in self.stems.get(stem, ()) for at in self.at[form]]
            known = list({self.segment_of(at) for at in places[:_MOST_PLACES]})
            self._stem_memo[stem] = known
        return known

    @cached_property
    def stem_pairs(self) -> frozenset[tuple[str, str]]:
        """Give each two neighbouring words that carry content, by their stems."""
        stems = {form: stem_of(form) for form in self.at if form not in STOP_WORDS}
        content = [stems[form] for form in self.words.forms if form in stems]
        return frozenset(pairwise(content))


class Index:
    """All sources of an answer.

    Args:
        sources: the documents; the order does not matter.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.documents = tuple(_document(source) for source in sources)

    @cached_property
    def stems(self) -> frozenset[str]:
        """Give the stems of all words."""
        return frozenset[str]().union(*(d.stems for d in self.documents))

    @cached_property
    def stem_pairs(self) -> frozenset[tuple[str, str]]:
        """Give each two neighbouring words that carry content, by their stems."""
        return frozenset[tuple[str, str]]().union(*(d.stem_pairs for d in self.documents))

    def find(self, phrase: Sequence[str]) -> Place | None:
        """Tell where a phrase stands first."""
        for document in self.documents:
            places = document.find(phrase)
            if places:
                return document.place(places[0], places[0] + len(phrase) - 1)
        return None

    def find_joined(self, phrase: Sequence[str]) -> Place | None:
        """Tell where a phrase stands when the spaces between its words are left out."""
        word = "".join(phrase)
        for document in self.documents:
            whole = document.at.get(word)
            if whole:
                return document.place(whole[0], whole[0])
            parted = document.find_parted(word)
            if parted is not None:
                return document.place(*parted)
        return None

    def of(self, about: About) -> Iterator[Document]:
        """Give the documents that tell of somebody, and those of which that is not known."""
        return (d for d in self.documents if d.source.about in (about, About.ANY))


def _document(source: Source) -> Document:
    words = words_of(source.text)
    at: dict[str, list[int]] = defaultdict(list)
    for i, form in enumerate(words.forms):
        at[form].append(i)
    spelled: dict[int, str] = {}
    if not source.text.isascii() and _UMLAUT.search(source.text):
        for i, (start, end) in enumerate(zip(words.starts, words.ends, strict=True)):
            original = source.text[start:end]
            if _UMLAUT.search(original):
                spelled[i] = spelled_out(original)
                at[spelled[i]].append(i)
    return Document(source, words, dict(at), spelled)
