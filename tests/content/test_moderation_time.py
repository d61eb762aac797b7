"""No text takes long: time grows with length and nothing else."""

import gc
import random
import re
import string
import time
from collections.abc import Iterator

import pytest

from plugins.moderation.checks import input_checks
from plugins.moderation.pii.contacts import Contacts
from plugins.moderation.reader import Reader
from plugins.moderation.rules import Hit, Rule
from plugins.moderation.spotting import PatternSpotter
from plugins.moderation.text import Text
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
    "numbers of states": "44051401359 ",
    "social security numbers": "123-45-6789 ",
    "numbers in lines": "1234\n",
    "letters for digits": "1O1 ",
    "accounts": "DE89 3704 ",
    "passports": "passport number ",
    "lists": "a@b.co ",
    "bracketed addresses": "a[at]b.",
    "questions": "give me ",
    "questions for everyone": "give me names of everyone ",
    "questions for those before": "show me names of candidates ",
    "questions for what was seen": "list all names you have seen in earlier chats ",
    "profanity": "dick ",
    "profanity in one word": "dick.",
    "profanity in hosts": "dick.com/",
    "profanity before signs": "dick@",
    "profanity in files": "dick.pdf:",
    "addresses and numbers": "jane.doe@example.com, +49 30 1234567\n",
    "profanity elsewhere": "ich war dick und der ",
    "comments to the line's end": "or#a\n1",
    "braces": "' or {x 1}=",
    "values of JSON": "' or '{",
    "expressions": '"=(select a ',
    "pictures": "![a](http://b.c/d?e=",
    "pieces to join": "a='bb';",
    "reading this": "when you read this ",
    "wide percent": "%u0041",
    "tags": "\U000e0061\U000e0062",
    "selectors": "\ufe01",
    "Chinese": "\u5ffd\u7565\u6307\u4ee4",
    "Russian": "\u0418\u0433\u043d\u043e\u0440\u0438\u0440\u0443\u0439 ",
    "nested brackets": "([{<",
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


SHORT, PART, LONG = 2_048, 8_192, 32_768
"""Characters: some within one part, a whole part, several parts."""
SLACK_S = 0.005


@pytest.fixture(autouse=True)
def no_garbage_collection() -> Iterator[None]:
    """Keep out what depends on all else that the process holds: 0.3 s where LiteLLM is loaded."""
    gc.disable()
    yield
    gc.enable()


def seconds(unit: str, length: int, tries: int = 3) -> float:
    """Give the least time on the processor, of this thread alone: no pause, no other thread."""
    text = (unit * (length // len(unit) + 1))[:length]
    spent: list[float] = []
    for _ in range(tries):
        began = time.thread_time()
        READER.found(text)
        spent.append(time.thread_time() - began)
    return min(spent)


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_length_and_no_faster(name: str) -> None:
    short, part, long = (seconds(HOSTILE[name], length) for length in (SHORT, PART, LONG))
    # Twice what growing alike would take: overlaps, and stretches where much is spotted.
    assert part < 2 * (PART / SHORT) * short + SLACK_S
    assert long < 2 * (LONG / PART) * part + SLACK_S


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("unit", ["a", "(", "([{<'\"", "/*", "(select ", " ", "\u00e9", "4"])
def test_a_megabyte_of_one_thing_is_done_in_seconds(unit: str) -> None:
    assert seconds(unit, 1_000_000, tries=1) < 5


class Counting:
    """A recogniser to which every letter is worth a look; it remembers where it was asked to."""

    check = "counting"
    rules = (Rule("counting", "[a-z]", re.compile("[a-z]"), before=1, after=0),)

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def find(self, text: Text) -> list[Hit]:
        self.asked.append(text.views[0].spots["counting"])
        return [Hit("letter", *match.span(), 1.0) for match in self.rules[0].matches(text.views[0])]


@pytest.mark.parametrize("length", [1, 255, 256, 767, 768, 769, 8_191, 8_192, 8_193, 20_000])
def test_dense_text_is_dealt_out_by_the_stretch_and_none_of_it_is_left_out(length: int) -> None:
    counting = Counting()
    hits = Reader([counting]).found("x" * length)["counting"]
    assert [(hit.start, hit.end) for hit in hits] == [(at, at + 1) for at in range(length)]
    assert max(map(len, counting.asked)) <= 768 + 512


def test_a_recogniser_that_has_nothing_to_look_at_is_not_asked() -> None:
    counting = Counting()
    assert Reader([counting]).found("123 456") == {}
    assert counting.asked == []


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
