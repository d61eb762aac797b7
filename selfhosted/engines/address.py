"""Where an engine's unix socket lives: a short directory that only its user can enter.

A unix socket's path holds at most 107 bytes (sun_path in Linux; 103 on macOS), which a deep clone
exceeds: the directory is named by a hash of the data directory, under the temporary directory.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from selfhosted.engines.errors import EngineError
from selfhosted.engines.process import Account

MOST_BYTES: Final = 60
"""Longest directory taken, leaving room for the names of sockets and their lock files."""


def socket_directory(data_dir: Path, engine: str) -> Path:
    """Name the directory of an engine's sockets; the same for the same data directory.

    Args:
        data_dir: the gateway's data directory.
        engine: a short word.
    """
    key = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    name = f"sluice-{os.getuid()}-{key}-{engine}"
    preferred = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(preferred)) <= MOST_BYTES and "," not in str(preferred):
        return preferred
    return Path("/tmp") / name  # noqa: S108 - made below with mode 0700 and checked


def prepare(directory: Path, account: Account | None) -> None:
    """Make the directory, for one account alone.

    Args:
        directory: from `socket_directory`.
        account: who shall own it; None for ourselves.

    Raises:
        EngineError: when somebody else has made it first.
    """
    uid = account.uid if account else os.getuid()
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {uid, os.getuid()}:
        raise EngineError(
            f"{directory} belongs to user {found.st_uid}, not to {uid}: remove it, or set TMPDIR "
            "to a directory of your own"
        )
    directory.chmod(0o700)
    if account and found.st_uid != uid:
        os.chown(directory, account.uid, account.gid)


def remove(directory: Path) -> None:
    """Remove the directory once nothing is in it."""
    with contextlib.suppress(OSError):
        directory.rmdir()
