"""What `sluice check` finds: a level, a topic, a sentence and a remedy."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Args:
        level: how bad it is.
        topic: what it is about, one word.
        message: what is so; one line, never a secret.
        remedy: what to do; empty when nothing needs to be done.
    """

    level: Level
    topic: str
    message: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """Give message and remedy on one line."""
        return " ".join(f"{self.message}; {self.remedy}".rstrip("; ").split())


def ok(topic: str, message: str) -> Finding:
    """Find that something is well."""
    return Finding(Level.OK, topic, message)


def skipped(topic: str, message: str, remedy: str) -> Finding:
    """Find that something could not be looked at."""
    return Finding(Level.SKIPPED, topic, message, remedy)


def warning(topic: str, message: str, remedy: str) -> Finding:
    """Find something that works, and may not be meant."""
    return Finding(Level.WARNING, topic, message, remedy)


def fault(topic: str, message: str, remedy: str) -> Finding:
    """Find something that does not work."""
    return Finding(Level.FAULT, topic, message, remedy)


def passes(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Tell whether all is well enough: no fault, and for `strict` no warning either."""
    bad = {Level.FAULT, Level.WARNING} if strict else {Level.FAULT}
    return not any(finding.level in bad for finding in findings)


def summary(findings: Iterable[Finding]) -> str:
    """Count the findings by level."""
    found = [finding.level for finding in findings]
    counts = {level: found.count(level) for level in Level}
    plural = "" if counts[Level.WARNING] == 1 else "s"
    faults = "" if counts[Level.FAULT] == 1 else "s"
    return (
        f"{counts[Level.OK]} ok, {counts[Level.SKIPPED]} skipped,"
        f" {counts[Level.WARNING]} warning{plural}, {counts[Level.FAULT]} fault{faults}"
    )


def as_object(findings: Iterable[Finding], *, strict: bool) -> dict[str, Any]:
    """Give the report for a program."""
    found = list(findings)
    return {"ok": passes(found, strict=strict), "findings": [asdict(each) for each in found]}
