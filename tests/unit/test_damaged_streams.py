"""A stream with a damaged, missing or failed frame is noticed; nothing after it is passed on."""

import pytest

from plugins.core.call import Endpoint
from plugins.proxy.answers import has_unreadable, heard_seconds
from plugins.proxy.streams import StreamFollower

GOOD = b'event: ping\ndata: {"type": "ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def _event(number: int, kind: str = "response.output_text.delta") -> bytes:
    return b'data: {"type":"%b","sequence_number":%d}\n\n' % (kind.encode(), number)


@pytest.mark.parametrize(
    ("frames", "damaged"),
    [
        (GOOD, False),
        (b"data: [DONE]\n\n", False),
        (b": a comment\n\n", False),
        (b"event: ping\n\n", False),
        (b'data: {"broken": \n\n', True),
        (b'data: {"a": "cut}\n\n', True),
        (GOOD + b"data: nonsense\n\n", True),
    ],
)
def test_an_unreadable_frame_is_told_from_a_readable_one(frames: bytes, damaged: bool) -> None:
    assert has_unreadable(frames) is damaged


def test_nothing_passes_after_a_damaged_frame() -> None:
    follower = StreamFollower(Endpoint.MESSAGES, hide_usage=False)
    assert follower.feed(GOOD + b'data: {"broken": \n\n' + GOOD + STOP) == ([GOOD], [])
    assert follower.failed
    assert not follower.ended


@pytest.mark.parametrize(
    ("numbers", "failed"),
    [
        ([0, 1, 2], False),
        ([5, 6], False),
        ([0, 2], True),
        ([0, 1, 1, 2], False),
        ([3, 5], True),
    ],
)
def test_a_gap_in_the_numbers_of_a_response_is_a_lost_frame(
    numbers: list[int], failed: bool
) -> None:
    follower = StreamFollower(Endpoint.RESPONSES, hide_usage=False)
    follower.feed(b"".join(_event(number) for number in numbers))
    assert follower.failed is failed


def test_a_failed_response_is_a_failure_of_ours_to_word() -> None:
    follower = StreamFollower(Endpoint.RESPONSES, hide_usage=False)
    failing = b'data: {"type":"response.failed","response":{"error":{"message":"x"}}}\n\n'
    assert follower.feed(_event(0) + failing) == ([_event(0)], [])
    assert follower.failed


@pytest.mark.parametrize(
    ("transcript", "length_s"),
    [
        (b"", 0),
        (b"ten words are spoken in four seconds at this pace", 4),
        (b"1\n00:00:00,000 --> 00:00:02,500\nhello\n", 2.5),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\na\n\n01:00:01.000 --> 01:00:03.250\nb\n", 3603.25),
    ],
)
def test_a_transcript_tells_how_long_the_audio_was(transcript: bytes, length_s: float) -> None:
    assert heard_seconds(transcript) == pytest.approx(length_s)
