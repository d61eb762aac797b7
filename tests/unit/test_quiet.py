"""LiteLLM's log lines keep where and what, and lose what the client wrote."""

import logging
import sys
from collections.abc import Iterator

import pytest

from plugins.proxy.quiet import ADDRESS_LOGGERS, HOST_LOGGERS, Quiet, quieten

PROMPT = "born 1980-01-01 in Utrecht"


def _line(text: str, *, raised: bool = False) -> str:
    record = logging.LogRecord("LiteLLM", logging.ERROR, "x.py", 1, text, (), None)
    if raised:
        try:
            int(PROMPT)
        except ValueError:
            record.exc_info = sys.exc_info()
    assert Quiet().filter(record)
    return logging.Formatter().format(record)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"f() - failed - litellm.BadRequestError: {PROMPT}", "BadRequestError"),
        (f"f() - failed - Unmapped prompt format prompt={PROMPT}", "f() - failed"),
        (f"f(): Exception came - litellm_call_id=abc - {PROMPT}", "litellm_call_id=abc"),
        (f'first\n  File "/a/b.py", line 7, in c\nKeyError: {PROMPT}', "/a/b.py:7"),
        (f"BadRequestError: x\nReceived Messages=[{PROMPT}]", "BadRequestError"),
    ],
)
def test_a_line_says_where_and_what_but_not_the_prompt(text: str, kept: str) -> None:
    assert kept in _line(text)
    assert "Utrecht" not in _line(text)


def test_a_raised_error_leaves_its_class_and_place() -> None:
    line = _line("it failed", raised=True)
    assert "ValueError" in line
    assert "test_quiet.py:" in line
    assert "Utrecht" not in line


@pytest.fixture
def _loud_again() -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in ADDRESS_LOGGERS}
    filters = {name: list(logging.getLogger(name).filters) for name in HOST_LOGGERS}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    for name, kept in filters.items():
        logging.getLogger(name).filters[:] = kept


@pytest.mark.usefixtures("_loud_again")
def test_the_http_clients_name_no_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quieten()
    for name in ("httpx", "httpcore", "httpcore.http11"):
        logging.getLogger(name).info("HTTP Request: POST https://hooks.example/very-secret")
    assert not caplog.messages
