"""Each field of an extraction against its sources: tables, laws, and faults that must be found."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.accuracy_output.resumes import resume
from plugins.core.words import words_of
from plugins.grounding.dates import Asked, Role, asked_date, mentions_in
from plugins.grounding.extraction import (
    ExtractionCheck,
    FieldCheck,
    Reason,
    Support,
    check_extraction,
)
from plugins.grounding.fields import Kind, kind_of
from plugins.grounding.source import Index, Source

RESUME = """Jane O'Brien-M\u00fcller
jane.ob@mail.example | +49 (151) 555-1234 | Berlin, Germany | linkedin.com/in/jane-ob

Experience
Senior Software Engineer, Acme Inc.
Jan 2019 - Present
- Cut costs by 40% and saved $1.2M with Node.js and Kubernetes.
- Led a team of five.

Software Engineer, Foo GmbH
March 2015 \u2013 December 2018
- Built pipelines in Python.

Education
B.Sc. Computer Science, University of Leeds, 2014

Skills
Python, C++, PostgreSQL, CI/CD, React.js, K8s
"""


def _check(value: Any, *texts: str) -> ExtractionCheck:
    sources = [Source(f"s{n}", text) for n, text in enumerate(texts or (RESUME,))]
    return check_extraction(value, Index(sources))


def _only(value: Any, *texts: str) -> FieldCheck:
    return _check(value, *texts).fields[0]


@pytest.mark.parametrize(
    ("field", "value", "support"),
    [
        ("full_name", "JANE O\u2019BRIEN MULLER", Support.SUPPORTED),
        ("full_name", "Jane O'Brien-Mueller", Support.SUPPORTED),
        ("full_name", "Jane M\u00f6ller", Support.UNSUPPORTED),
        ("email", "Jane.OB@mail.example", Support.SUPPORTED),
        ("email", "jane.oc@mail.example", Support.UNSUPPORTED),
        ("phone", "+491515551234", Support.SUPPORTED),
        ("phone", "0151 5551234", Support.SUPPORTED),
        ("phone", "+491515551235", Support.UNSUPPORTED),
        ("phone", "+481515551234", Support.UNSUPPORTED),
        ("linkedin", "https://www.linkedin.com/in/jane-ob/", Support.SUPPORTED),
        ("linkedin", "https://www.linkedin.com/in/jane-oc", Support.UNSUPPORTED),
        ("skill", "NodeJS", Support.SUPPORTED),
        ("skill", "Postgres", Support.SUPPORTED),
        ("skill", "Kubernetes", Support.SUPPORTED),
        ("skill", "React", Support.SUPPORTED),
        ("skill", "C++", Support.SUPPORTED),
        ("skill", "C", Support.UNSUPPORTED),
        ("skill", "C#", Support.UNSUPPORTED),
        ("skill", "JavaScript", Support.UNSUPPORTED),  # the js of Node.js is no skill of its own
        ("skill", "Java", Support.UNSUPPORTED),
        ("degree", "Bachelor of Science in Computer Science", Support.SUPPORTED),
        ("degree", "Master of Science in Computer Science", Support.UNSUPPORTED),
        ("degree", "BSc Mathematics", Support.UNSUPPORTED),
        ("company", "Acme", Support.SUPPORTED),
        ("company", "Acme Incorporated", Support.SUPPORTED),
        ("company", "Apex", Support.UNSUPPORTED),
        ("title", "Sr. Software Engineer", Support.SUPPORTED),
        ("title", "Software Engineer, Senior", Support.SUPPORTED),
        ("title", "Lead Software Engineer", Support.UNSUPPORTED),
        ("saved", 1_200_000, Support.SUPPORTED),
        ("saved", "1.2 million", Support.SUPPORTED),
        ("saved", 0.4, Support.SUPPORTED),
        ("saved", 41, Support.UNSUPPORTED),
        ("team_size", 5, Support.SUPPORTED),
        ("total_years", 17, Support.NOT_CHECKABLE),
        ("years_of_experience", 12, Support.NOT_CHECKABLE),
        ("score", 88, Support.NOT_CHECKABLE),
        ("recommendation", "yes", Support.NOT_CHECKABLE),
        ("description", "Led a team of five.", Support.SUPPORTED),
        ("description", "Led a team of nine.", Support.UNSUPPORTED),
        ("description", "Won three awards for public speaking abroad.", Support.UNSUPPORTED),
    ],
)  # fmt: skip
def test_a_field_is_looked_for_by_what_it_is(field: str, value: Any, support: Support) -> None:
    assert _only({field: value}).support is support


def test_what_is_found_is_found_where_it_stands() -> None:
    place = _only({"degree": "Bachelor of Science in Computer Science"}).place
    assert place is not None
    assert RESUME[place.start : place.end] == "B.Sc"


def _job(**changes: Any) -> dict[str, Any]:
    job = {"title": "Software Engineer", "company": "Foo", "start_date": "2015-03",
           "end_date": "2018-12", "current": False}  # fmt: skip
    return {"experience": [job | changes]}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, {}),
        ({"start_date": "2015-04"}, {"start_date": Reason.ABSENT}),
        ({"start_date": "2019-01"}, {"start_date": Reason.OUT_OF_CONTEXT}),
        ({"end_date": "2014-12"}, {"end_date": Reason.OUT_OF_CONTEXT}),
        ({"start_date": "2018-12", "end_date": "2015-03"},
         {"start_date": Reason.OUT_OF_CONTEXT, "end_date": Reason.OUT_OF_CONTEXT}),
        ({"current": True}, {"current": Reason.OUT_OF_CONTEXT}),
        ({"end_date": "present"}, {"end_date": Reason.OUT_OF_CONTEXT}),
        ({"end_date": None}, {}),
        ({"start_date": "March 2015", "end_date": "12/2018"}, {}),
        ({"title": "Senior Software Engineer", "company": "Acme", "start_date": "2019-01",
          "end_date": None, "current": True}, {}),
    ],
)  # fmt: skip
def test_a_date_counts_only_with_what_it_is_stated_of(
    changes: dict[str, Any], wrong: dict[str, Reason]
) -> None:
    check = _check(_job(**changes))
    found = {field.path.rpartition(".")[2]: field.reason for field in check.unsupported}
    assert found == wrong


LAYOUTS = {
    "grouped by company": "Acme Corp\n5 years\nLead Engineer\nJan 2021 - Present (3 years)\n"
    "Berlin\nEngineer\nMarch 2019 - Dec 2020 (2 years)\n\nFoo\nClerk\n2011 - 2012",
    "prose": "After school I joined Acme Corp as an Engineer in March 2019 and left in December "
    "2020. Before that, from 2011 to 2012, I was a Clerk at Foo, which taught me patience.",
    "columns": "03/2019 - 12/2020\tEngineer\tAcme Corp\n2011 - 2012\tClerk\tFoo",
    "labels": "Company: Acme Corp\nPosition: Engineer\nPeriod: March 2019 to December 2020\n\n"
    "Company: Foo\nPosition: Clerk\nPeriod: 2011 to 2012",
    "dates first": "March 2019 - December 2020\nAcme Corp\nEngineer\nBuilt things.\n\n"
    "2011 - 2012\nFoo\nClerk",
    "one line each": "Engineer, Acme Corp, Mar 2019 - Dec 2020; Clerk, Foo, 2011 - 2012",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("start", "end", "wrong"),
    [("2019-03", "2020-12", 0), ("2011-01", "2012-12", 2), ("2018-03", "2020-12", 1)],
)
def test_dates_are_found_in_the_layouts_of_resumes(
    layout: str, start: str, end: str, wrong: int
) -> None:
    job = {"title": "Engineer", "company": "Acme Corp", "start_date": start, "end_date": end}
    assert len(_check([job], LAYOUTS[layout]).unsupported) == wrong


def test_dates_of_an_entry_without_names_may_stand_anywhere() -> None:
    assert _only({"graduation_year": 2014}).support is Support.SUPPORTED
    assert _only({"graduation_year": 2013}).support is Support.UNSUPPORTED


@pytest.mark.parametrize(
    ("written", "year", "months", "day"),
    [
        ("January 2019", 2019, (1,), None), ("Jan. 2019", 2019, (1,), None),
        ("Sept '16", 2016, (9,), None), ("Jan-97", 1997, (1,), None),
        ("15 March 2018", 2018, (3,), 15), ("March 15, 2018", 2018, (3,), 15),
        ("May 1st, 2004", 2004, (5,), 1), ("2019-03", 2019, (3,), None),
        ("2019-03-15", 2019, (3,), 15), ("2019/03", 2019, (3,), None),
        ("03/2019", 2019, (3,), None), ("03.2019", 2019, (3,), None),
        ("15.03.2019", 2019, (3,), 15), ("03/15/2019", 2019, (3,), 15),
        ("04/05/2019", 2019, (4, 5), None), ("06/19", 2019, (6,), None),
        ("Q2 2020", 2020, (4, 5, 6), None), ("Summer 2014", 2014, (6, 7, 8), None),
        ("M\u00e4rz 2006", 2006, (3,), None), ("15 de marzo de 2007", 2007, (3,), 15),
        ("2019\u5e741\u6708", 2019, (1,), None), ("1999", 1999, (), None),
    ],
)  # fmt: skip
def test_dates_are_read_in_the_ways_people_write_them(
    written: str, year: int, months: tuple[int, ...], day: int | None
) -> None:
    words = words_of(f"Since then: {written}, and so on")
    at: dict[str, list[int]] = {}
    for i, form in enumerate(words.forms):
        at.setdefault(form, []).append(i)
    [mention] = mentions_in(words, at)
    assert (mention.year, mention.months, mention.day) == (year, months, day)


@pytest.mark.parametrize(
    ("written", "roles", "lasts"),
    [
        ("Jan 2019 - Mar 2020", [Role.START, Role.END], [False, False]),
        ("2019-03\u20132021-05", [Role.START, Role.END], [False, False]),
        ("09.2025-06.2026", [Role.START, Role.END], [False, False]),
        ("2019 to present", [Role.START], [True]),
        ("15.03.2012 bis heute", [Role.START], [True]),
        ("since 2009", [Role.START], [True]),
        ("2019-21", [Role.START, Role.END], [False, False]),
        ("Jan - Mar 2008", [Role.START, Role.END], [False, False]),
        ("2018, 2019", [Role.SINGLE, Role.SINGLE], [False, False]),
    ],
)
def test_ranges_have_a_start_and_an_end(written: str, roles: list[Role], lasts: list[bool]) -> None:
    found = Index([Source("s", written)]).documents[0].dates
    assert [m.role for m in found] == roles
    assert [m.lasts for m in found] == lasts


def test_a_year_alone_supports_the_month_that_its_form_forces() -> None:
    found = Index([Source("s", "2019")]).documents[0].dates[0]
    assert [Asked(2019, (m,)).is_said_by(found) for m in (1, 6, 12)] == [True, False, True]


@pytest.mark.parametrize("value", ["present", "hello 2019", "1.2", "", 12, "2019 and 2020"])
def test_what_is_not_one_date_is_none(value: str | int) -> None:
    assert asked_date(value) is None


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("1,234", {"1234", "1.234"}), ("1.234,56", {"1234.56"}), ("1 234", {"1234"}),
        ("12 000 000", {"12000000"}), ("$1.2M", {"1.2", "1200000"}), ("40 %", {"40", "0.4"}),
        ("3.5k", {"3.5", "3500"}), ("2 million", {"2", "2000000"}), ("five", {"5"}),
        ("3rd", {"3"}), ("007", {"7"}), ("2018, 2019", {"2018", "2019"}),
        ("10k-20k", {"10", "10000", "20", "20000"}),
        ("3.11.4", {"3", "11", "4"}),
    ],
)  # fmt: skip
def test_numbers_are_read_in_the_ways_people_write_them(written: str, values: set[str]) -> None:
    assert set(Index([Source("s", written)]).documents[0].numbers) == values


@pytest.mark.parametrize(
    ("path", "value", "kind"),
    [
        (("experience", 0, "startDate"), "2019-01", Kind.DATE),
        (("year",), 2014, Kind.DATE), (("employees",), 2014, Kind.NUMBER),
        (("end_date",), "Present", Kind.LASTS), (("current",), True, Kind.LASTS),
        (("remote",), True, Kind.JUDGEMENT), (("matched_skills", 0), "Python", Kind.PHRASE),
        (("match_score",), 80, Kind.JUDGEMENT), (("contact",), "a@b.example", Kind.EMAIL),
        (("mobile",), "0151", Kind.PHONE), (("x",), "+49 151 5551234", Kind.PHONE),
        (("x",), "https://a.example/b", Kind.URL), (("x",), "$1.2M", Kind.NUMBER),
        (("summary",), "Two words", Kind.TEXT), (("name",), "Jane Doe", Kind.PHRASE),
    ],
)  # fmt: skip
def test_the_kind_of_a_field_follows_from_its_name_and_value(
    path: tuple[str | int, ...], value: Any, kind: Kind
) -> None:
    assert kind_of(path, value) is kind


def test_nothing_checkable_has_no_score() -> None:
    assert _check({}).score is None
    assert _check({"score": 80, "decision": "advance"}).score is None
    assert _check({"skills": ["Python", "Cobol"]}).score == 0.5


SEEDS = st.integers(0, 10**6)


def _by_path(check: ExtractionCheck) -> dict[str, Support]:
    return {field.path: field.support for field in check.fields}


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS)
def test_another_document_never_lowers_support(seed: int, other: int) -> None:
    made, wrong = resume(seed), resume(other)
    alone = _check(wrong.truth, made.text)
    both = _check(wrong.truth, made.text, resume(other + 1).text)
    supported = {p for p, s in _by_path(alone).items() if s is Support.SUPPORTED}
    assert supported <= {p for p, s in _by_path(both).items() if s is Support.SUPPORTED}
    assert (alone.score or 0.0) <= (both.score or 0.0)
    assert _check(wrong.truth, made.text, wrong.text).score == 1.0


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(held) for key, held in reversed(value.items())}
    return [_reversed(held) for held in value] if isinstance(value, list) else value


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS)
def test_the_order_of_keys_and_documents_changes_nothing(seed: int, other: int) -> None:
    one, two = resume(seed), resume(other)
    check = _check(one.truth, one.text, two.text)
    turned = _check(_reversed(one.truth), two.text, one.text)
    assert _by_path(check) == _by_path(turned)
    assert check.score == turned.score


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=30)
        | st.sampled_from(["2019-01", "present", "a@b.cd", "+49 151 55512345", "B.Sc."]),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["title", "start_date", "end", "phone", "x"]), inner),
        max_leaves=12,
    ),
    st.text(max_size=200),
)  # fmt: skip
def test_any_answer_and_any_source_give_a_score_within_bounds(value: Any, text: str) -> None:
    check = _check(value, text, RESUME)
    assert check.score is None or 0.0 <= check.score <= 1.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "a" * 500_000}, "a" * 1_000_000),
        ({"title": "a b", "start_date": "2019-01"}, "a b 2019 " * 100_000),
        ([{"title": "x y", "start": "2019"}] * 2000, "x y\n2019\n" * 5_000),
        (["a b" + " a" * n for n in range(300)], "a b " * 20_000),
        ({"phone": "1" * 50_000}, "1 " * 500_000),
        ({"e": "a@b.cd"}, "@" * 1_000_000),
        ({"n": 5}, "1,2.3 4'5" * 100_000),
        ({"u": "w" * 100_000}, "1-" * 300_000),
    ],
    ids=range(8),
)
def test_hostile_texts_take_bounded_time(value: Any, text: str) -> None:
    began = time.process_time()
    _check(value, text)
    assert time.process_time() - began < 8.0
