"""Reads a text once for all recognisers, in parts short enough for an event loop."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from plugins.moderation import disguises
from plugins.moderation.rules import Hit, Recogniser, once
from plugins.moderation.spotting import spotter
from plugins.moderation.text import Text, View, normalised

_DEEPEST: Final = 3
"""Layers of disguise that are undone: a percent escape inside base64 inside a percent escape."""

_PART: Final = 16_384
_OVERLAP: Final = 512


class Reader:
    """Reads texts for a set of recognisers. Holds no state of a request; threads may share it.

    Args:
        recognisers: all that will be asked; their rules are compiled here into one pass.
    """

    def __init__(self, recognisers: Sequence[Recogniser]) -> None:
        self.recognisers = tuple(recognisers)
        rules = {rule.name: rule for each in recognisers for rule in each.rules}
        self._spotter = spotter([*disguises.RULES, *rules.values()])

    def read(self, original: str) -> Text:
        """Normalise a text, spot what may be in it and undo its disguises.

        Args:
            original: any string. Memory is bounded by a small multiple of its length.
        """
        view = self._spotted(normalised(original))
        views = [view]
        while len(views) <= _DEEPEST:
            hidden = disguises.undone(view, most_characters=2 * len(original) + 1_024)
            if hidden is None:
                break
            view = self._spotted(hidden)
            views.append(view)
        return Text(original, tuple(views))

    def steps(
        self, original: str, asked: Sequence[Recogniser] | None = None
    ) -> Iterator[list[tuple[str, Hit]]]:
        """Check a text piece by piece, so that a caller can let others run in between.

        Each step reads one part of at most 16,384 characters, or asks one recogniser about it.
        Parts overlap, so that nothing on their border is missed.

        Args:
            original: the whole text, of any length.
            asked: some of the reader's recognisers; None for all.

        Returns:
            What each step found: the check's name and the hit, placed in `original`. The same hit
            may come twice, from two parts; `found` gives each once.
        """
        for start in range(0, max(1, len(original) - _OVERLAP), _PART - _OVERLAP):
            text = self.read(original[start : start + _PART])
            yield []
            for recogniser in self.recognisers if asked is None else asked:
                yield [
                    (recogniser.check, replace(hit, start=hit.start + start, end=hit.end + start))
                    for hit in recogniser.find(text)
                ]

    def found(self, original: str) -> dict[str, list[Hit]]:
        """Check a text at once; for each check that found something, its hits in order."""
        by_check: dict[str, list[Hit]] = {}
        for step in self.steps(original):
            for check, hit in step:
                by_check.setdefault(check, []).append(hit)
        return {check: once(hits) for check, hits in by_check.items()}

    def _spotted(self, view: View) -> View:
        return replace(view, spots=self._spotter.spots(view.text))
