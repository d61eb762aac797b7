"""No text takes long: time grows with length and nothing else."""

import random
import string
import time

import pytest

from plugins.moderation.checks import input_checks
from plugins.moderation.pii.contacts import Contacts
from plugins.moderation.reader import Reader
from plugins.moderation.spotting import PatternSpotter
from plugins.moderation.toxicity import Toxicity

READER = Reader([*input_checks(), Contacts(), Toxicity()])
_CHANCE = random.Random(20)  # noqa: S311 -- repeatable, not secret
HOSTILE = {
    "one letter": "a",
    "digits": "4111",
    "digits apart": "4 1 1 1 ",
    "emoji": "\U0001f600",
    "brackets": "(",
    "nested selects": "(select ",
    "quotes": "'",
    "conditions": "' or ",
    "unions": "union select ",
    "percent": "%41",
    "percent of percent": "%25",
    "entities": "&#65;",
    "base64": "QUJD",
    "base64 words": "QUJDQUJDQUJDQUJDQUJDQUJDQUJD ",
    "spelled": "four one ",
    "at signs": "a@",
    "addresses": "a@a.",
    "requests": "give me all candidates names of all ",
    "passwords": "password: ",
    "Cyrillic": "\u0430\u0431 c\u0434 ",
    "blanks": " ",
    "stars": "f*",
    "keys": "sk-",
    "tokens": "eyJaaaaaaaaaaa.",
    "private keys": "-----begin private key-----",
    "marks": "e\u0301\u0301\u0301",
    "comments": "/*",
    "orders": "ignore all the ",
    "expansion": "\ufdfa",
    "printable": "".join(_CHANCE.choices(string.printable, k=5_000)),
    "pieces of SQL": "".join(
        _CHANCE.choices(
            ["'", '"', "(", ")", "or ", "union ", "select ", "1", "=", "--", ","], k=5_000
        )
    ),
}


def seconds(unit: str, length: int) -> float:
    text = (unit * (length // len(unit) + 1))[:length]
    began = time.process_time()
    READER.found(text)
    return time.process_time() - began


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_length_and_no_faster(name: str) -> None:
    short, long = 16_384, 65_536
    few = min(seconds(HOSTILE[name], short) for _ in range(2))
    # Four times the text, four times the time; twice that and a little is a slow machine.
    assert seconds(HOSTILE[name], long) < 8 * few + 0.25


@pytest.mark.parametrize("unit", ["a", "("])
def test_a_megabyte_of_one_thing_is_done_in_seconds(unit: str) -> None:
    assert seconds(unit, 1_000_000) < 20


def test_a_long_text_is_read_in_parts_and_nothing_on_a_border_is_missed() -> None:
    card = "card 4111 1111 1111 1111"
    for offset in range(15_840, 15_900, 7):
        text = "x " * (offset // 2) + card + " y" * 9_000
        hits = READER.found(text)["pii"]
        assert [text[hit.start : hit.end] for hit in hits] == [card[5:]]


def test_every_step_is_a_part_of_the_work() -> None:
    steps = list(READER.steps("word " * 10_000))
    parts = 7
    assert len(steps) == parts * (1 + len(READER.recognisers))


def test_the_engine_at_hand_is_used() -> None:
    reader = Reader(input_checks())
    try:
        import hyperscan  # noqa: F401
    except ImportError:
        assert isinstance(reader._spotter, PatternSpotter)
    else:
        assert not isinstance(reader._spotter, PatternSpotter)
