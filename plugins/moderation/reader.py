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
            (each, frozenset(rule.name for rule in each.rules)) for each in self.recognisers
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
            for stretch in _stretches(text):
                spotted = frozenset[str]().union(*(view.spots for view in stretch.views))
                for recogniser, rules in self._asked:
                    if asked is not None and recogniser not in asked:
                        continue
                    idle = rules and rules.isdisjoint(spotted)
                    hits = [] if idle else recogniser.find(stretch)
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


def _stretches(text: Text) -> Iterator[Text]:
    # The readings stay whole, so that no shape is cut; only the spots are dealt out.
    spots = sum(len(ends) for view in text.views for ends in view.spots.values())
    if spots < _DENSE:
        yield text
        return
    longest = max(len(view.text) for view in text.views)
    for start in range(0, longest + 2, _STRETCH):  # a spot ends at most one past the text
        views = (_spots_between(view, start - _OVERLAP, start + _STRETCH) for view in text.views)
        yield Text(text.original, tuple(views))


def _spots_between(view: View, start: int, end: int) -> View:
    dealt = {
        name: ends[bisect_left(ends, start) : bisect_left(ends, end)]
        for name, ends in view.spots.items()
    }
    return replace(view, spots={name: ends for name, ends in dealt.items() if ends})
