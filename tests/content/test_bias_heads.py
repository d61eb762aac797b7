"""What an attribute is said of: people, whose it must not count for, and things, whose it may."""

import pytest

from plugins.grounding.bias import Bias, Strength, find_bias
from plugins.grounding.bias_rules import rules_of
from plugins.grounding.bias_words import ENGLISH, Attribute

OF_THINGS = [
    "He maintained a system that had become too old to patch; strong fit.",
    "The framework is too young for production, she noted rightly; recommended.",
    "Worked for a younger competitor in the same market; a good match.",
    "Experience with older versions of Java and with young brands is a plus.",
    "She crimped male plugs and female sockets; suitable for assembly.",
    "Knows male-to-female adapters and cable looms; fit for the role.",
    "Tested male and female RJ45 jacks; suitable for the lab.",
    "Set an aggressive growth plan and met aggressive deadlines; recommended.",
    "Studied high energy physics and is well qualified.",
    "He joined a young and growing company and led its sales; strong candidate.",
    "The bank's mainframe is old and she can handle it.",
    "It is too old to be repaired, he said of the press; a capable technician.",
    "Her proposal was too young an idea for the board; still a strong candidate.",
    "The company is young, so budgets are small and he was not able to hire.",
    "The younger of the two libraries has better tests; he chose well and is recommended.",
    "The data set was too old for the study, so he collected a better one.",
    "The team he led was young, and he mentored it well; recommended.",
    "She took over a young company's market and is recommended.",
    "Volunteered for a refugee aid group and is well suited for social work.",
]
OF_PEOPLE = [
    "The candidate from the company is too old.",
    "The manager of the plant is too old to be retrained.",
    "The candidate, whose codebase we read, is too old.",
    "The codebase author is too old.",
    "The system is modern, but the operator is too old.",
    "She is too old for the company.",
    "He is young and market knowledge is thin; reject.",
    "A young product manager would be a better fit than him.",
    "Older bank employees rarely adapt, so he ranks low.",
    "The female team leader would not be accepted by the crew.",
    "Our team is young, so he would not fit in.",
    "A female lacks team spirit; reject.",
    "The young applicant's code is a risk, as is he.",
    "Male nurses support patients better, hire him.",
    "The old man cannot learn the new system.",
]
ASKED_FOR = [
    "Only female applicants will be considered for the reception desk.",
    "We are looking for a young woman for the front office.",
    "Wanted: men for warehouse work; women need not apply.",
    "Seeking an attractive female assistant under 30.",
    "This vacancy is for male candidates only.",
    "The vacancy is open to men aged 20 to 30.",
    "Recruiting girls for the bar, no experience needed.",
    "The client wants a male consultant.",
    "Male drivers wanted for night shifts.",
    "Candidates with children are not considered.",
    "An energetic software team needs somebody younger than him.",
    "Applicants over 50 will not be considered.",
    "We do not consider women for night shifts.",
    "Muslims will not be considered for this school.",
    "Only Germans should be hired.",
]
FAVOURED = [
    "As an African woman she is naturally warm with patients; hire.",
    "As a German he will be punctual; strong yes.",
    "He is a father of two, which makes him reliable; recommended.",
    "She is Asian, so she will be diligent and precise.",
    "Asians are naturally good at maths.",
    "His Christian faith is an asset for us.",
    "I give her extra points for being a woman.",
    "Christian candidates are favoured.",
]
REASONS = [
    "He is Hindu and therefore the wrong person for our kitchen.",
    "Rejected on religious grounds.",
    "Turned down because of his faith.",
    "Since she is Catholic, she does not belong in this team.",
    "Due to her Muslim faith she is ruled out.",
]
NOT_COUNTED = [
    "Age, sex and religion will not be considered in the decision.",
    "The evaluation did not consider the candidate's age.",
    "The candidate's age is not known and was not considered.",
    "We do not consider marital status when hiring.",
    "The age of the applicants was not considered.",
    "Candidates without a degree will not be considered.",
    "Only candidates with a licence will be considered.",
    "The only woman on a team of twelve engineers, she led the release; recommended.",
    "As an Oracle expert he is the right choice.",
    "She asked whether the office is open to wheelchair users; the site is.",
    "She coached a boys' football team and is suitable as a youth worker.",
    "He is a weak fit, because the role needs a licence for older cranes.",
    "The female engineers needed more time; a strong team.",
    "Because she led a women's choir at church, she is friendly and patient.",
    "He wanted more responsibility and is ready for it; advance.",
]
UNSEEN = [
    "She is from Poland, so she will be hard working.",
    "No women for this shift, please.",
    "Not suited: she goes home at five to her little ones.",
]
"""Prejudices that the words do not show: a country, a bare *no*, a hint. Whoever finds one moves
it up, and says so in `docs/confidence.md`."""


def strong(text: str) -> list[Bias]:
    return [bias for bias in find_bias(text) if bias.strength is not Strength.PROXY]


@pytest.mark.spec("10.5")
@pytest.mark.parametrize("text", [*OF_THINGS, *NOT_COUNTED])
def test_what_is_said_of_things_and_what_did_not_count_pass(text: str) -> None:
    assert find_bias(text) == ()


@pytest.mark.spec("10.2")
@pytest.mark.parametrize("text", [*OF_PEOPLE, *ASKED_FOR, *FAVOURED, *REASONS])
def test_what_counts_for_or_against_people_is_found(text: str) -> None:
    assert strong(text)


@pytest.mark.parametrize("text", UNSEEN)
def test_what_the_words_do_not_show_is_known_not_to_be_found(text: str) -> None:
    assert strong(text) == []


@pytest.mark.parametrize(
    "attribute",
    ["age", "gender", "sex", "religion", "origin", "nationality", "race", "disability", "pregnancy",
     "cancer", "anxiety disorder", "skin color", "accent", "marital status", "union membership",
     "sexual orientation", "gender identity"],
)  # fmt: skip
def test_an_attribute_that_was_not_considered_judges_nobody(attribute: str) -> None:
    for text in ("{} was not considered.", "We did not consider {}; a strong candidate."):
        assert find_bias(text.format(attribute)) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Age was not a factor, but she is pregnant, so we reject her.", "pregnant"),
        ("We do not discriminate; however, a woman would not be accepted here.", "woman"),
        ("His disability does not affect the score, but the missing degree does.", ""),
        ("She is 61, but age was not considered.", ""),
        ("Gender was not considered; however, she lacks SQL.", ""),
        ("We hire regardless of race, sex or age, but a degree is required.", ""),
    ],
)
def test_what_follows_a_but_is_judged_after_all(text: str, expected: str) -> None:
    assert [text[bias.start : bias.end] for bias in strong(text)] == [expected][: bool(expected)]


@pytest.mark.parametrize("adjective", ["young", "older", "male", "female"])
def test_an_adjective_before_a_noun_counts_for_people_alone(adjective: str) -> None:
    nouns = rules_of("en").nouns
    for thing in nouns.things:
        assert find_bias(f"She tested the {adjective} {thing}; recommended.") == (), thing
    lawful = ENGLISH.lawful.split("|")  # young people may be whom the work is for
    for person in nouns.persons - nouns.things - nouns.bodies - nouns.groups:
        if f"{adjective} {person}" in lawful:
            continue
        assert strong(f"The {adjective} {person} should be rejected."), person


def test_an_age_behind_a_verb_counts_for_people_alone() -> None:
    nouns = rules_of("en").nouns
    for thing in nouns.things:
        assert find_bias(f"The {thing} had become too old, so she replaced it.") == (), thing
    for person in nouns.persons - nouns.things - nouns.bodies - nouns.groups:
        assert strong(f"The {person} had become too old."), person


def test_the_finding_is_of_the_attribute_that_the_sentence_names() -> None:
    [bias] = strong("Wanted: men for warehouse work.")
    assert (bias.attribute, bias.strength, bias.judgement) == (
        Attribute.SEX, Strength.NEAR, "wanted",
    )  # fmt: skip


def test_no_word_is_both_for_people_and_for_groups() -> None:
    persons, groups = set(ENGLISH.persons.split("|")), set(ENGLISH.groups.split("|"))
    assert persons.isdisjoint(groups)
