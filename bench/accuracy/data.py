"""The files of a data folder, read line by line; see the package's page for their formats."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with what is marked in it.

    Args:
        text: the whole.
        spans: kind, start, end of each mark.
    """

    text: str
    spans: tuple[tuple[str, int, int], ...]


class Folder:
    """A folder of labelled texts.

    Args:
        path: any folder; files that are not there are remembered in `missing`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.missing: list[str] = []

    def lines(self, name: str) -> list[str]:
        """Give a file's lines, blank ones left out; none when the file is missing."""
        file = self._path / name
        if not file.is_file():
            self.missing.append(name)
            return []
        return [line for line in file.read_text("utf-8", "replace").splitlines() if line.strip()]

    def sentences(self, name: str) -> list[Sentence]:
        """Give the marked texts of a JSON-lines file."""
        return [
            Sentence(
                row["full_text"],
                tuple(
                    (span["entity_type"], span["start_position"], span["end_position"])
                    for span in row["spans"]
                ),
            )
            for row in self._rows(name)
        ]

    def labelled(self, name: str, label: str) -> list[tuple[str, str]]:
        """Give text and label of each row of a JSON-lines file."""
        return [(row["text"], row[label]) for row in self._rows(name)]

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        return map(json.loads, self.lines(name))


def held_out(text: str) -> bool:
    """Tell the quarter that nobody looked at while rules were written, by hash."""
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return digest[6] % 2 == 1 and digest[7] % 2 == 1
