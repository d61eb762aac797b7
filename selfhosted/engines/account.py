"""Running PostgreSQL when we are root, which it refuses: an account without rights runs it.

The account must be in the machine's list of users (initdb looks its name up): the owner of an
existing cluster, else `postgres`, else `nobody`. It has to reach the program and the data, which
under `/root` (mode 0700) it cannot: those directories then get the search bit for others
(`o+x`: no listing, no reading), and `opened` says which.
"""

import os
import pwd
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from selfhosted.engines.errors import EngineError
from selfhosted.engines.process import Account

CANDIDATES: Final = ("postgres", "nobody")


def unprivileged(cluster: Path) -> Account | None:
    """Choose who runs PostgreSQL: None (ourselves) unless we are root.

    Raises:
        EngineError: when the machine has no account that could.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and cluster.stat().st_uid != 0:
        found = cluster.stat()
        return Account(found.st_uid, found.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EngineError(
        "PostgreSQL refuses to run as root, and this machine has neither of the accounts "
        f"{' and '.join(CANDIDATES)}: run as a normal user, or set DATABASE_URL"
    )


def make_reachable(path: Path) -> list[Path]:
    """Give every directory above a path the search bit for others; list those changed."""
    opened: list[Path] = []
    for directory in path.resolve().parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            opened.append(directory)
    return opened


def make_runnable(program: Path, trees: Sequence[Path], account: Account) -> list[Path]:
    """See to it that the account can run a program; list the directories opened for that.

    Args:
        program: the one to try.
        trees: folders with everything it needs, opened for reading if they must be.
        account: who will run it.

    Raises:
        EngineError: when it still cannot.
    """
    opened = make_reachable(program)
    if not _runs(program, account):
        for path in (path for tree in trees for path in (tree, *tree.rglob("*"))):
            if not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
        if not _runs(program, account):
            raise EngineError(
                f"user {account.uid} cannot run {program}, and PostgreSQL refuses to run as root: "
                "run as a normal user, or set DATABASE_URL"
            )
    return opened


def _runs(program: Path, account: Account) -> bool:
    """Tell whether the account can run a program at all."""
    try:
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            [str(program), "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            capture_output=True,
            cwd="/",
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
