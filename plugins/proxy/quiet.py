"""Keeps what clients wrote out of the log: LiteLLM's errors repeat messages and arguments."""

import logging
import re
import traceback
from typing import Final

from typing_extensions import override

ADDRESS_LOGGERS: Final = ("httpx", "httpcore")
"""They write whole addresses at INFO and DEBUG; those of alerts' receivers hold secrets."""
HOST_LOGGERS: Final = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
_CLASSES: Final = re.compile(r"\b\w+(?:Error|Exception)\b")
_FRAMES: Final = re.compile(r'File "([^"\n]+)", line (\d+)')
_HEAD: Final = 200
_KEPT: Final = 4


class Quiet(logging.Filter):
    """Leaves of LiteLLM's warnings and errors where they arose and of what class they are.

    Their texts and those of their exceptions hold prompts. The call's identifier, where LiteLLM
    names it, stays: its ledger row tells the rest.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; it is never dropped."""
        if record.levelno < logging.WARNING:
            return True
        text = record.getMessage()
        frames = [f"{path}:{line}" for path, line in _FRAMES.findall(text)]
        names = _CLASSES.findall(text)
        if record.exc_info and record.exc_info[0] is not None:
            names.append(record.exc_info[0].__name__)
            found = traceback.extract_tb(record.exc_info[2])
            frames += [f"{frame.filename}:{frame.lineno}" for frame in found]
        head = " - ".join(text.partition("\n")[0].split(" - ")[:2])
        fault = _CLASSES.search(head)
        head = (head[: fault.start()] if fault else head)[:_HEAD].rstrip(" -:(")
        kinds = ", ".join(list(dict.fromkeys(names))[:_KEPT])
        where = ", ".join(frames[-2:])
        record.msg = " ".join(part for part in (head, kinds, where and f"at {where}") if part)
        record.args = ()
        record.exc_info = record.exc_text = None
        return True


def quieten() -> None:
    """Put the filter on LiteLLM's loggers, and let the HTTP clients' name no address."""
    for name in ADDRESS_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in HOST_LOGGERS:
        logging.getLogger(name).addFilter(Quiet())
