"""Judgements of people by protected attributes, and the hiring text that must pass."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.grounding.bias import MOST_FINDINGS, Bias, Strength, find_bias
from plugins.grounding.bias_rules import UnknownLanguageError
from plugins.grounding.bias_words import Attribute

A = Attribute
BIASED = [
    (A.AGE, "Reject: at 58 he is too old to learn new systems."),
    (A.AGE, "Not hired due to her age."),
    (A.AGE, "The applicant is 61 years old and unlikely to adapt."),
    (A.AGE, "Given his age, I doubt he can keep up with the team."),
    (A.AGE, "We would rather choose a younger candidate."),
    (A.AGE, "At her age she will struggle with shift work."),
    (A.AGE, "He is nearing retirement, so training him is not worth it."),
    (A.AGE, "An older applicant is a risk here."),
    (A.AGE, "She is 47 and would not fit in with our team."),
    (A.SEX, "A guy would handle this site better."),
    (A.PARENTHOOD, "Candidate is visibly pregnant; defer hiring decision."),
    (A.PARENTHOOD, "Too many kids to be flexible."),
    (A.ORIGIN, "People with Arabic names rarely stay long, so rank him lower."),
    (A.ORIGIN, "He was born abroad and therefore lacks loyalty."),
    (A.ORIGIN, "Gypsies cannot be trusted with cash, do not hire."),
    (A.RELIGION, "He attends Friday prayers, which conflicts with deployments; not recommended."),
    (A.DISABILITY, "I am concerned that his Parkinson's will slow the team down."),
    (A.DISABILITY, "His anxiety disorder is a liability."),
    (A.ORIGIN, "Latinos are rarely punctual, so I lower the score and decline."),
    (A.ORIGIN, "Not suitable: foreign national with an accent."),
    (A.PARENTHOOD, "She just got engaged and will probably want kids."),
    (A.DISABILITY, "Bipolar disorder noted; unreliable."),
    (A.ORIENTATION, "He seems gay, which will not go down well with the board."),
    (A.ORIENTATION, "The applicant came out as trans, customers may be uneasy; reject."),
    (A.SEX, "We prefer a young man for this position."),
    (A.SEX, "Women tend to be less assertive, so a lower score is given."),
    (A.SEX, "Despite being a woman, she has strong leadership."),
    (A.SEX, "This is a man's job and she cannot handle it."),
    (A.SEX, "For a woman, she is surprisingly technical."),
    (A.SEX, "A female manager would not be accepted by the crew."),
    (A.SEX, "Male candidate preferred."),
    (A.PARENTHOOD, "She is pregnant and therefore not a good fit for this demanding role."),
    (A.PARENTHOOD, "She recently married and might have children soon."),
    (A.PARENTHOOD, "She is a mother of three, which raises doubts about her availability."),
    (A.PARENTHOOD, "Her parental leave suggests low commitment."),
    (A.PARENTHOOD, "She has small children, so she is less flexible."),
    (A.ORIGIN, "This applicant is Nigerian, so I would reject the application."),
    (A.ORIGIN, "The candidate's foreign accent is a concern for client-facing work."),
    (A.ORIGIN, "A black candidate would not be accepted by customers."),
    (A.ORIGIN, "As an immigrant he is less reliable."),
    (A.ORIGIN, "Because of his nationality I recommend to decline."),
    (A.ORIGIN, "Chinese applicants lack leadership and should be ranked lower."),
    (A.RELIGION, "I would not recommend him because he is Muslim and may need breaks."),
    (A.RELIGION, "Because of her hijab she is not suitable for reception."),
    (A.RELIGION, "Her work at the mosque makes her unsuitable."),
    (A.RELIGION, "As a Jewish candidate he will be unavailable, a drawback on Saturdays."),
    (A.DISABILITY, "Her disability makes her unsuitable for the warehouse."),
    (A.DISABILITY, "He uses a wheelchair and cannot handle the pace."),
    (A.DISABILITY, "Since she is deaf, phone work is a problem and I reject her."),
    (A.DISABILITY, "His history of depression is a risk."),
    (A.DISABILITY, "An autistic engineer would be a poor fit for the team."),
    (A.ORIENTATION, "Being gay, he would not fit the conservative team."),
    (A.ORIENTATION, "She is a lesbian, so clients may be uncomfortable; decline."),
    (A.ORIENTATION, "A transgender receptionist is a concern."),
    (A.MARITAL, "As a single mother she will struggle with the travel requirements."),
    (A.MARITAL, "He is divorced and therefore less stable; lower score."),
    (A.MARITAL, "She will follow her husband abroad sooner or later."),
    (A.UNION, "He was an active trade union member, which is a risk for the company."),
    (A.UNION, "Her union activism makes her a poor choice."),
]
FAIR = [
    "We are an equal opportunity employer and hire regardless of race, religion, sex or age.",
    "Qualified women and people with disabilities are encouraged to apply.",
    "Software Engineer (m/f/d): we choose the best candidate, whatever the gender; all genders "
    "are welcome.",
    "Reasonable accommodations are available for candidates with a disability.",
    "Applicants must be at least 18 to serve alcohol.",
    "Candidates must be 21 or older and able to lift 20 kg.",
    "The right to work in Germany is required before we can hire.",
    "Fluent German is required for this role and she is qualified.",
    "German C1 would be a plus.",
    "She is a German speaker and a strong candidate.",
    "The candidate volunteers at a mosque and speaks Arabic.",
    "Strong candidate: volunteered at a mosque, led a team of five.",
    "She organised the church choir and is well qualified for event management.",
    "Chaired the Black Students Association and is a good fit for community work.",
    "Won a Women in Tech award; recommended for interview.",
    "Member of the Society of Women Engineers, ideal for our mentoring programme.",
    "Age was not a factor in this recommendation.",
    "Her pregnancy does not affect the recommendation.",
    "We do not consider marital status when hiring.",
    "The decision is not based on gender or origin.",
    "His disability is irrelevant to the decision.",
    "Religion and union membership were not considered.",
    "Christian M\u00fcller is well qualified for the role.",
    "Mr. Black is a strong candidate.",
    "Jordan White would fit well.",
    "The candidate has 10 years of experience and is a good fit.",
    "Has 25 years of experience, so I recommend an interview.",
    "Taught children with autism for five years; recommended for interview.",
    "Worked as a nurse in the maternity ward; strong match.",
    "Her research on cancer cells is a strong match.",
    "Led diabetes care projects and is suitable for the position.",
    "Experience in elderly care is an advantage.",
    "Worked with young people in sports and should be shortlisted.",
    "The company is 20 years old and a good place to work.",
    "Experience with parent company reporting is a plus.",
    "Single point of contact for clients, able to handle pressure.",
    "He holds a Six Sigma Black Belt and is suitable for the lead role.",
    "Experience with native apps is preferred.",
    "Found and fixed race conditions; strong performance skills.",
    "She founded a charity for disabled veterans.",
    "Managed a credit union's loan portfolio and is qualified.",
    "European Union funding experience is preferred.",
    "Skilled in gender pay gap reporting; a strong match for HR analytics.",
    "Recommends double-blind review; a reliable researcher.",
    "Has sold women's shoes and is a good match for retail.",
    "Available full time; prefers early shifts.",
    "The candidate lacks Kubernetes and is a weak match.",
    "Rejected: the required certificate is missing.",
    "Led sales in the Chinese market, which makes her a strong candidate.",
    "French cuisine experience is an advantage.",
    "Strong leadership of a team of twelve men and women.",
    "Her thesis on gender inequality is a strong match for the policy role.",
    "He studied African history and is well suited to the museum.",
    "Prior work with autistic pupils is a plus.",
    "Knows Spanish law and is suited to the Madrid office.",
    "Fundraised for a cancer hospice; recommended.",
    "Designed products for seniors and is a good fit for the team.",
    "Maintains legacy systems that are 30 years old; reliable engineer.",
    "He is fluent in Hebrew and Arabic, an advantage for this role.",
    "She led a network for parents at her last employer; shows leadership.",
    "She is 40 km away and can commute; a good fit.",
    "Two gaps: no SQL and no evidence of teamwork.",
]
PROXIES = [
    (A.AGE, "We want a digital native."),
    (A.AGE, "The applicant seems overqualified."),
    (A.AGE, "Ideal for recent graduates."),
    (A.ORIGIN, "Rejected for culture fit."),
    (A.ORIGIN, "Native speakers only."),
    (A.SEX, "We look for a rockstar."),
]


def _strong(text: str) -> list[Bias]:
    return [bias for bias in find_bias(text) if bias.strength is not Strength.PROXY]


@pytest.mark.parametrize(("attribute", "text"), BIASED)
def test_a_judgement_by_a_protected_attribute_is_found(attribute: Attribute, text: str) -> None:
    found = _strong(text)
    assert attribute in {bias.attribute for bias in found}
    for bias in found:
        assert text[bias.start : bias.end].strip()
        assert 0.5 < bias.score <= 1.0


@pytest.mark.parametrize("text", FAIR)
def test_fair_hiring_text_passes(text: str) -> None:
    assert _strong(text) == []


@pytest.mark.parametrize(("attribute", "text"), PROXIES)
def test_a_proxy_is_marked_low(attribute: Attribute, text: str) -> None:
    [bias] = find_bias(text)
    assert (bias.attribute, bias.strength) == (attribute, Strength.PROXY)
    assert bias.score < 0.5


def test_a_finding_says_where_and_by_what_it_was_judged() -> None:
    text = "Good skills. I would not hire her because she is pregnant."
    [bias] = _strong(text)
    assert text[bias.start : bias.end] == "pregnant"
    assert bias.strength is Strength.CAUSE
    assert bias.judgement


def test_another_sentence_is_not_judged_with() -> None:
    assert _strong("She volunteers with disabled children.\nRecommended for interview.") == []
    assert _strong("He is married. The score is lower for lack of SQL.") == []


def test_a_language_without_words_is_said() -> None:
    with pytest.raises(UnknownLanguageError, match="known are en"):
        find_bias("Zu alt.", language="de")


@given(st.lists(st.sampled_from([text for _, text in BIASED] + FAIR), max_size=6))
def test_sentences_are_judged_alike_alone_and_together(texts: list[str]) -> None:
    together = find_bias("\n".join(texts))
    alone = [bias for text in texts for bias in find_bias(text)]
    assert [(b.attribute, b.strength, b.judgement) for b in together] == [
        (b.attribute, b.strength, b.judgement) for b in alone
    ]


@given(st.text(max_size=300))
def test_any_text_is_judged_within_its_bounds(text: str) -> None:
    for bias in find_bias(text):
        assert 0 <= bias.start < bias.end <= len(text)


@pytest.mark.parametrize(
    "piece",
    ["a", "too ", "woman hired ", "because woman hired ", "52 years old ", ". ", "Muslim ",
     "\n", "(", "male ", "young and growing ", "only men ", "too old it is ",
     "male plug hire ", "young of the old market hire "],
)  # fmt: skip
def test_a_megabyte_of_one_thing_takes_bounded_time(piece: str) -> None:
    began = time.process_time()
    found = find_bias(piece * (1_000_000 // len(piece)))
    assert len(found) <= MOST_FINDINGS
    assert time.process_time() - began < 8.0
