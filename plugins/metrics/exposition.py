"""All workers' values as one text, in Prometheus' format or OpenMetrics'."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from plugins.core.metrics import ABSENT
from plugins.metrics.slots import live_files


class _Merged:
    """What prometheus_client calls a registry: something that can be collected."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Any]:
        files = [str(path) for path in live_files(self._folder)]
        merge = cast("Any", MultiProcessCollector).merge
        return sorted(filter(_is_stated, merge(files)), key=lambda family: family.name)


def _is_stated(family: Any) -> bool:
    """Take out what no worker states any more; tell whether anything is left."""
    family.samples = [sample for sample in family.samples if sample.value != ABSENT]
    return bool(family.samples)


def exposition(folder: Path, accept: str) -> tuple[bytes, str]:
    """Read all workers' files; takes milliseconds, so not on the event loop.

    Args:
        folder: where the workers' files are.
        accept: what the client takes; OpenMetrics when it asks for it.

    Returns:
        The text and its content type.
    """
    encode, content_type = choose_encoder(accept)
    return encode(cast("Any", _Merged(folder))), content_type
