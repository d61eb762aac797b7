"""Reads a text once for all recognisers, in parts short enough for an event loop."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from plugins.moderation import disguises
from plugins.moderation.rules import Hit, Recogniser, once
from plugins.moderation.spotting import spotter
from plugins.moderation.text import Text, View, normalised

_DEEPEST: Final = 3
"""Layers of disguise that are undone: a percent escape inside base64 inside a percent escape."""

_PART: Final = 8_192
_OVERLAP: Final = 512
_DENSE: Final = 256
"""Spots in one part from on which a recogniser is asked about a stretch of it at a time."""
_STRETCH: Final = 768


class Reader:
    """Reads texts for a set of recognisers. Holds no state of a request; threads may share it.

    Args:
        recognisers: all that will be asked; their rules are compiled here into one pass.
    """

    def __init__(self, recognisers: Sequence[Recogniser]) -> None:
        self.recognisers = tuple(recognisers)
        rules = {rule.name: rule for each in recognisers for rule in each.rules}
        self._spotter = spotter([*disguises.RULES, *rules.values()])
        self._asked = tuple(
            (each, tuple(rule.name for rule in each.rules)) for each in self.recognisers
        )

    def read(self, original: str) -> Text:
        """Normalise a text, spot what may be in it and undo its disguises.

        Args:
            original: any string. Memory is bounded by a small multiple of its length.
        """
        return Text(original, tuple(filter(None, self._readings(original))))

    def steps(
        self, original: str, asked: Sequence[Recogniser] | None = None
    ) -> Iterator[list[tuple[str, Hit]]]:
        """Check a text piece by piece, so that a caller can let others run in between.

        Each step reads one part of at most 8,192 characters, or asks one recogniser about it, or
        about a stretch of it where much was spotted. Parts and stretches overlap, so that nothing
        on their border is missed.

        Args:
            original: the whole text, of any length.
            asked: some of the reader's recognisers; None for all.

        Returns:
            What each step found: the check's name and the hit, placed in `original`. The same hit
            may come twice, from two parts; `found` gives each once.
        """
        for start in range(0, max(1, len(original) - _OVERLAP), _PART - _OVERLAP):
            part, views = original[start : start + _PART], list[View]()
            for view in self._readings(part):
                views += [view] if view is not None else []
                yield []
            text = Text(part, tuple(views))
            for recogniser, rules in self._asked:
                if asked is not None and recogniser not in asked:
                    continue
                if not _may_hold(text, rules):
                    yield []
                    continue
                for stretch in _stretches(text, rules):
                    hits = recogniser.find(stretch)
                    yield [(recogniser.check, _moved(hit, start)) for hit in hits]

    def found(self, original: str) -> dict[str, list[Hit]]:
        """Check a text at once; for each check that found something, its hits in order."""
        by_check: dict[str, list[Hit]] = {}
        for step in self.steps(original):
            for check, hit in step:
                by_check.setdefault(check, []).append(hit)
        return {check: once(hits) for check, hits in by_check.items()}

    def _readings(self, original: str) -> Iterator[View | None]:
        """Read a text as it is, then what is disguised in it; None is a rest in between."""
        view = self._spotted(normalised(original))
        yield view
        for _ in range(_DEEPEST):
            hidden = disguises.undone(view, most_characters=2 * len(original) + 1_024)
            if hidden is None:
                return
            yield None
            view = self._spotted(hidden)
            yield view

    def _spotted(self, view: View) -> View:
        return replace(view, spots=self._spotter.spots(view.text))


def _moved(hit: Hit, by: int) -> Hit:
    return replace(hit, start=hit.start + by, end=hit.end + by)


def _may_hold(text: Text, rules: tuple[str, ...]) -> bool:
    return not rules or any(not view.spots.keys().isdisjoint(rules) for view in text.views)


def _stretches(text: Text, rules: tuple[str, ...]) -> Iterator[Text]:
    """Deal a part out to one recogniser: whole, or by stretches with about `_DENSE` spots.

    The readings stay whole, so that no shape is cut; only the spots are dealt out.
    """
    spots = sum(len(view.spots.get(name, ())) for view in text.views for name in rules)
    if spots < _DENSE:
        yield text
        return
    longest = max(len(view.text) for view in text.views) + 2  # a spot ends at most one past it
    length = max(_STRETCH, -(-longest // -(-spots // _DENSE)))
    for start in range(0, longest, length):
        views = tuple(
            _spots_between(view, rules, start - _OVERLAP, start + length) for view in text.views
        )
        if any(view.spots for view in views):
            yield Text(text.original, views)


def _spots_between(view: View, rules: tuple[str, ...], start: int, end: int) -> View:
    dealt = {
        name: ends[bisect_left(ends, start) : bisect_left(ends, end)]
        for name in rules
        if (ends := view.spots.get(name))
    }
    return replace(view, spots={name: ends for name, ends in dealt.items() if ends})
