"""The spool's files: what was acknowledged is found again whole, and nothing else is."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins.cost.spool import Spool, claimed


def _lines(folder: Path) -> list[bytes]:
    """Replay every file, as another worker would, and remove it."""
    found: list[bytes] = []
    for path in sorted(folder.glob("*.jsonl")):
        with claimed(path) as lines:
            if lines is not None:
                found += lines
                path.unlink()
    return found


def _full_after(allowed: int, real: Callable[[int, memoryview], int]) -> Callable[..., int]:
    """A disk with room for so many more bytes, which takes them before it refuses."""

    def write(file: int, rest: memoryview) -> int:
        nonlocal allowed
        if not allowed:
            raise OSError(errno.ENOSPC, "no space left on device")
        taken = real(file, rest[:allowed])
        allowed -= taken
        return taken

    return write


async def test_a_new_file_cannot_be_taken_by_a_replayer_before_its_first_line(
    tmp_path: Path,
) -> None:
    ended = threading.Event()

    def replay() -> list[bytes]:
        found: list[bytes] = []
        while not ended.is_set():
            found += _lines(tmp_path)
        return found

    replaying = [asyncio.create_task(asyncio.to_thread(replay)) for _ in range(3)]
    spool = Spool(tmp_path)
    sent = [b"%d" % n for n in range(400)]
    try:
        for line in sent:
            await spool.append(line)
            spool.close_file()
    finally:
        ended.set()
    found = [line for part in await asyncio.gather(*replaying) for line in part]
    assert sorted(found + _lines(tmp_path)) == sorted(sent)


async def test_a_file_has_its_name_only_once_it_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    real = os.open

    def open_and_look(path: Path, *rest: int) -> int:
        file = real(path, *rest)
        seen.append([name.suffix for name in tmp_path.iterdir()])
        return file

    monkeypatch.setattr(os, "open", open_and_look)
    await Spool(tmp_path).append(b"{}")
    assert seen[0] == [".new"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]


async def test_a_file_that_cannot_be_made_leaves_nothing_and_the_next_append_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", _refuse(BlockingIOError(errno.EAGAIN, "locked")))
        with pytest.raises(BlockingIOError):
            await spool.append(b"refused")
    assert list(tmp_path.iterdir()) == []
    await spool.append(b"kept")
    spool.close_file()
    assert _lines(tmp_path) == [b"kept"]


@pytest.mark.parametrize("room", range(0, 21, 4))
async def test_of_a_batch_that_the_disk_refuses_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    spool = Spool(tmp_path)
    await spool.append(b"before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", _full_after(room, os.write))
        refused = await asyncio.gather(
            *(spool.append(b"refused") for _ in range(3)), return_exceptions=True
        )
    assert [type(error) for error in refused] == [OSError] * 3
    await spool.append(b"after")
    spool.close_file()
    assert sorted(_lines(tmp_path)) == [b"after", b"before"]


async def test_a_full_disk_does_not_fill_the_folder_with_empty_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    monkeypatch.setattr(os, "write", _full_after(0, os.write))
    for _ in range(5):
        with pytest.raises(OSError, match="no space"):
            await spool.append(b"refused")
    assert list(tmp_path.iterdir()) == []


async def test_after_a_failed_fsync_the_batch_is_refused_and_the_file_not_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    await spool.append(b"before")
    [first] = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _refuse(OSError(errno.EIO, "input/output error")))
        with pytest.raises(OSError, match="input/output"):
            await spool.append(b"refused")
    await spool.append(b"after")
    assert first.read_bytes() == b"before\n"
    assert len(list(tmp_path.iterdir())) == 2
    spool.close_file()
    assert sorted(_lines(tmp_path)) == [b"after", b"before"]


async def test_an_append_never_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", _refuse(MemoryError()))
    with pytest.raises(MemoryError):
        await asyncio.wait_for(Spool(tmp_path).append(b"{}"), 5)


def test_names_that_dead_workers_left_unlocked_are_removed(tmp_path: Path) -> None:
    old, young = tmp_path / "1-old.new", tmp_path / "2-young.new"
    for path in (old, young):
        path.touch()
    os.utime(old, (time.time() - 120,) * 2)
    Spool(tmp_path)
    assert list(tmp_path.iterdir()) == [young]


def _refuse(error: BaseException) -> Callable[..., int]:
    def refused(*_: object) -> int:
        raise error

    return refused


async def test_what_waits_is_counted_over_all_workers_files(spool_folder: Path) -> None:
    a, b = Spool(spool_folder), Spool(spool_folder)
    assert await a.entries() == 0
    await a.append(b"{}")
    await b.append(b"{}")
    await b.append(b"{}")
    assert [await a.entries(), await b.entries()] == [3, 3]
    for spool in (a, b):
        spool.close_file()
