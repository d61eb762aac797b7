"""What the practice providers answer: tables of resumes, jobs and prompts. No server needed."""

import jsonschema
import pytest

from selfhosted.practice import answers, journal, prefixes, schema, usage, vectors
from selfhosted.practice.admin import is_loopback
from selfhosted.practice.answers import decision, explanation, jobs, matching, resume, screening
from selfhosted.practice.answers.dates import month, span
from selfhosted.practice.http1 import dechunk
from selfhosted.practice.prompt import Prompt, Turn

JANE = """Jane Doe
Senior Software Engineer
jane.doe@example.com | +1 (415) 555-0132 | San Francisco, CA
linkedin.com/in/janedoe | github.com/janedoe

EXPERIENCE
Senior Software Engineer, Acme Corp, Inc.
Jan 2020 - Present
- Built services in Python and Go on Kubernetes
- Led a team of 5 from 2021 to 2022

Software Engineer — Globex — Berlin (2018-03 to 2020-01)
* Wrote Java and PostgreSQL code.

EDUCATION
B.Sc. Computer Science, Stanford University, 2014 - 2018

SKILLS
Languages: Python, Go, Java
Tools: Docker, Kubernetes
Communication, English (native), German (B2)
"""
MAX = """# Curriculum Vitae
Name: Max Müller
E-mail: max@mueller.de
Phone: 030 1234567
Location: Munich, Germany

## Work Experience

**Data Analyst** at Initech
03/2019 \u2013 06/2021
Analysed sales with SQL and Tableau.

Hooli | Junior Analyst | Sept 2016 to Feb 2019

## Education
Master of Science in Statistics
Technical University of Munich
2016

## Skills
SQL, Tableau, Excel, teamwork

## Languages
German, English
"""
ALICE = """ALICE O'NEIL
Registered Nurse · Dublin, Ireland · alice@oneil.ie · 087 123 4567

Employment history
St. James Hospital
Staff Nurse
March 2015 \u2013 Present
Cared for patients.

City Hospital
Nurse
2012-2015

Education
Trinity College Dublin
BSc Nursing, 2008 to 2012
"""
JOHN = """JOHN Q. SMITH, MBA
123 Main Street, Springfield, IL 62704 | (217) 555-0199 | john.smith@mail.com
https://www.linkedin.com/in/john-smith-123

PROFESSIONAL SUMMARY
Results-driven sales manager with 12+ years of experience.

WORK EXPERIENCE

Sales Manager
Contoso Ltd., Chicago, IL
June 2018 \u2013 Present
• Increased revenue 35% year over year
• Managed CRM in Salesforce

Account Executive                                   Jan 2014 \u2013 May 2018
Fabrikam Inc.
• Negotiation with enterprise customers

EDUCATION
MBA, Marketing — University of Illinois, 2013
B.A. in Economics, Northwestern University (2007 \u2013 2011)

CERTIFICATIONS
PMP, 2016

SKILLS
• Salesforce • HubSpot • Negotiation • Public Speaking
"""
PRIYA = """Priya Sharma
Data Scientist | Bengaluru, India
Email: priya.s@example.in  Phone: +91-98765-43210  GitHub: https://github.com/priya-s

Work Experience:
Data Scientist, Flipkart (Aug 2021 - Present)
Tech: Python, PyTorch, Airflow
Built recommendation models serving 10M users.

Data Analyst, TCS (07/2018 - 07/2021)
SQL reporting and Power BI dashboards for 2019 audit.

Education:
M.Tech in Computer Science, IIT Bombay, 2016 - 2018
B.E. Electronics, Pune University, 2012 - 2016

Skills: Python, PyTorch, SQL, Airflow, Power BI, Machine Learning
Languages: English, Hindi, Kannada
"""
LI = """Name: Li Wei
Email: li.wei@example.cn
Address: Shanghai, China

Experience
Company: Alibaba
Position: Backend Developer
Period: 2020-06 - Present
Description: Java and Kafka services.

Company: Huawei
Position: Intern
Period: 2019-06 - 2019-09
"""
MARIA = """Maria Garcia-Lopez
Madrid, Spain
maria@example.es

Experience

2021-02 to present
Head Chef
Restaurante Sol
Runs a kitchen of 12.

2017-01 to 2021-01
Cook
Bar Luna

Education
2015  Diploma in Culinary Arts, Escuela de Hostelería
"""
JOB = """Senior Python Engineer
Location: Berlin
Full-time, hybrid. Salary: €70k - €90k

Responsibilities:
- Build APIs in Python and FastAPI
Requirements:
- 5+ years of experience with Python, PostgreSQL, Kubernetes
Nice to have:
- Rust experience
"""
CASES = [
    (
        JANE,
        {
            "full_name": "Jane Doe",
            "email": "jane.doe@example.com",
            "phone": "+1 (415) 555-0132",
            "location": "San Francisco, CA",
            "linkedin": "linkedin.com/in/janedoe",
            "github": "github.com/janedoe",
        },
        [
            ("Senior Software Engineer", "Acme Corp, Inc.", "2020-01", None),
            ("Software Engineer", "Globex", "2018-03", "2020-01"),
        ],
        {
            "technical": ["Python", "Go", "Java", "Docker", "Kubernetes"],
            "soft": ["Communication"],
            "languages": ["English", "German"],
        },
    ),
    (
        MAX,
        {
            "full_name": "Max Müller",
            "email": "max@mueller.de",
            "phone": "030 1234567",
            "location": "Munich, Germany",
        },
        [
            ("Data Analyst", "Initech", "2019-03", "2021-06"),
            ("Junior Analyst", "Hooli", "2016-09", "2019-02"),
        ],
        {
            "technical": ["SQL", "Tableau", "Excel"],
            "soft": ["teamwork"],
            "languages": ["German", "English"],
        },
    ),
    (
        ALICE,
        {
            "full_name": "Alice O'Neil",
            "email": "alice@oneil.ie",
            "phone": "087 123 4567",
            "location": "Dublin, Ireland",
        },
        [
            ("Staff Nurse", "St. James Hospital", "2015-03", None),
            ("Nurse", "City Hospital", "2012-01", "2015-12"),
        ],
        None,
    ),
]


MORE = [
    (
        JOHN,
        ("John Q. Smith", "Springfield, IL"),
        [("Sales Manager", "Contoso Ltd."), ("Account Executive", "Fabrikam Inc.")],
        ["University of Illinois", "Northwestern University"],
    ),
    (
        PRIYA,
        ("Priya Sharma", "Bengaluru, India"),
        [("Data Scientist", "Flipkart"), ("Data Analyst", "TCS")],
        ["IIT Bombay", "Pune University"],
    ),
    (
        LI,
        ("Li Wei", "Shanghai, China"),
        [("Backend Developer", "Alibaba"), ("Intern", "Huawei")],
        [],
    ),
    (
        MARIA,
        ("Maria Garcia-Lopez", "Madrid, Spain"),
        [("Head Chef", "Restaurante Sol"), ("Cook", "Bar Luna")],
        ["Escuela de Hostelería"],
    ),
]


def ask(*turns: tuple[str, str]) -> Prompt:
    return Prompt(tuple(Turn(*turn) for turn in turns))


@pytest.mark.parametrize(
    ("text", "personal", "work", "skills"), CASES, ids=["jane", "max", "alice"]
)
def test_a_plain_resume_is_parsed(text, personal, work, skills):
    found = resume.parse(text)
    assert found["personal"] == personal
    got = [(e["title"], e["company"], e["start_date"], e["end_date"]) for e in found["experience"]]
    assert got == work
    assert [e["current"] for e in found["experience"]] == [end is None for *_, end in work]
    assert found.get("skills") == skills
    assert found["education"][0]["institution"]
    assert found["education"][0]["degree"]


@pytest.mark.parametrize(
    ("text", "who", "work", "schools"), MORE, ids=["john", "priya", "li", "maria"]
)
def test_other_layouts_of_resumes_are_parsed(text, who, work, schools):
    found = resume.parse(text)
    assert (found["personal"]["full_name"], found["personal"]["location"]) == who
    assert [(e["title"], e["company"]) for e in found["experience"]] == work
    assert [e["institution"] for e in found.get("education", [])] == schools
    assert all(e.get("degree") for e in found.get("education", []))


def test_only_fields_with_data_appear():
    assert resume.parse("Tom Jones\ntom@example.com") == {
        "personal": {"full_name": "Tom Jones", "email": "tom@example.com"}
    }


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Jan 2020 - Present", "2020-01", None),
        ("2018-03 to 2020-01", "2018-03", "2020-01"),
        ("(March 2015 \u2013 Sept. 2016)", "2015-03", "2016-09"),
        ("03/2019—06/2021", "2019-03", "2021-06"),
        ("2012-2015", "2012-01", "2015-12"),
        ("since May 2022", "2022-05", None),
        ("2019 until now", "2019-01", None),
    ],
)
def test_ranges_of_dates_are_read(text, start, end):
    found = span(f"Engineer, Acme {text}")
    assert (found.start, found.end) == (start, end)
    assert month("nothing") == ""


@pytest.mark.parametrize(
    ("system", "user", "agent"),
    [
        ("You parse resumes into JSON.", f"<resume_text>{JANE}</resume_text>", resume),
        ("", f"Extract full_name and skills from this resume:\n\n{JANE}", resume),
        ("", JANE, resume),
        ("You enrich job descriptions; extract structured data.", JOB, jobs),
        ("Score how the candidate matches the job, 0 to 100, as JSON.", JANE + JOB, matching),
        ("Make the hiring decision with reasons and confidence.", JANE, decision),
        ("Explain the match: strengths, gaps, recommendation.", JANE + JOB, explanation),
        ("You run a screening interview; ask one question.", "Hello", screening),
        ("", "What is the capital of France?", None),
        ("", "I like my job. Tell me a joke.", None),
    ],
)
def test_the_agent_is_read_off_the_prompt(system, user, agent):
    turns = [("system", system)] if system else []
    found = answers.recognise(ask(*turns, ("user", user)))
    assert found is (agent and agent.answer)


def test_a_job_description_is_enriched():
    found = jobs.enrich(JOB)
    assert (found["title"], found["location"]) == ("Senior Python Engineer", "Berlin")
    assert (found["seniority"], found["workplace"]) == ("senior", "hybrid")
    assert found["salary"] == {"currency": "EUR", "min": 70000, "max": 90000}
    assert found["years_experience_min"] == 5
    assert found["requirements"]["nice_to_have"] == ["Rust experience"]


def test_a_match_counts_skills_and_years_and_is_explained_and_decided():
    said = f"<job_requirements>{JOB}</job_requirements><candidate_profile>{JANE} 6 years of Python"
    prompt = ask(("user", said + "</candidate_profile>"))
    found = matching.answer(prompt)
    assert (
        found["matched_skills"] == ["Python", "Kubernetes"] or "Python" in found["matched_skills"]
    )
    assert set(found["missing_skills"]) == {"FastAPI", "Rust"}
    assert 0 <= found["score"] <= 100
    text = explanation.answer(prompt)
    assert "Recommendation: maybe" in text
    assert text.index("Summary:") < text.index("Top 3 strengths:") < text.index("Key gaps:")
    made = decision.answer(
        ask(("system", "hire, hold or no_hire"), *[(t.role, t.text) for t in prompt.turns])
    )
    assert made["decision"] == "hold"
    assert 0.6 <= made["confidence"] <= 0.95


def test_a_given_score_decides_the_recommendation():
    said = f"Job requirements: {JOB}\nCandidate profile: {JANE}\nScore: 91"
    assert "91 of 100" in explanation.answer(ask(("user", said)))
    assert matching.match(ask(("user", said))).recommendation == "yes"


def test_screening_never_asks_the_same_twice():
    turns = [("user", "Hello")]
    asked = []
    for _ in range(6):
        question = screening.answer(ask(*turns))
        asked.append(question)
        turns += [("assistant", question), ("user", "Fine")]
    assert len(set(asked)) == 6
    assert all(q.startswith("Thank you") and q.endswith("?") for q in asked)
    assert "get back to you" in screening.answer(ask(*turns))


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"type": "array", "items": {"type": "integer", "exclusiveMinimum": 3}, "minItems": 2},
        {"type": "number", "maximum": -1},
        {"type": "string", "minLength": 12, "maxLength": 14},
        {"type": ["null", "string"]},
        {"const": 5},
        {"allOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": {"type": "object", "required": []}}},
        {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
        {},
    ],
)
def test_the_smallest_instance_satisfies_its_schema(wanted):
    jsonschema.validate(schema.shape(wanted), wanted)


def test_an_endless_schema_is_cut_off():
    node = {"$ref": "#"}
    endless = {"type": "object", "properties": dict.fromkeys("abc", node), "required": list("abc")}
    assert "a" in schema.shape(endless)
    assert schema.shape({"type": "array", "items": node, "minItems": 10**9})


def test_an_instance_uses_what_is_known_where_it_fits():
    wanted = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "maximum": 9}},
        "required": ["name", "age"],
    }
    assert schema.shape(wanted, {"name": "Jane", "age": 40}) == {"name": "Jane", "age": 0}


@pytest.mark.parametrize(("text", "n"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("üü", 1)])
def test_tokens_are_four_bytes(text, n):
    assert usage.count(text) == n == len(usage.split(text))
    assert b"".join(usage.split(text)).decode() == text


def test_a_cut_keeps_whole_characters():
    assert usage.cut("abc🙂def", 1) == "abc"
    assert usage.cut("short", 9) == "short"


def test_prefixes_are_forgotten_after_their_time():
    now = [0.0]
    table = prefixes.PrefixTable(lambda: now[0])
    digests = prefixes.chain(["a", "b"])
    table.remember(digests, ttl_s=10)
    assert table.longest(prefixes.chain(["a", "b", "c"])) == 2
    assert table.longest(prefixes.chain(["b"])) == 0
    now[0] = 10.0
    assert table.longest(digests) == 0


def test_the_journal_keeps_a_bounded_ring():
    kept = journal.Journal(lambda: 1.0, size=3)
    for _ in range(5):
        seen = kept.open("openai", "POST", "/x", None)
        seen.status = 200
        kept.close(seen)
    assert [s.seq for s in kept.since(0)] == [3, 4, 5]
    assert [s.seq for s in kept.since(4)] == [5]
    assert kept.since(5) == []
    assert kept.counts()["openai"]["requests"] == 5


def test_vectors_depend_on_model_and_text_alone():
    one = vectors.embed("Hello", 64, "m")
    assert one == vectors.embed("Hello", 64, "m")
    assert one != vectors.embed("Hello", 64, "n")
    assert one != vectors.embed("hello", 64, "m")


@pytest.mark.parametrize(
    ("peer", "own"),
    [
        (("127.0.0.1", 1), True),
        (("127.9.9.9", 1), True),
        (("::1", 1, 0, 0), True),
        (("::ffff:127.0.0.1", 1, 0, 0), True),
        (("10.0.0.1", 1), False),
        (("nonsense", 1), False),
        (None, False),
    ],
)
def test_admin_routes_know_loopback(peer, own):
    assert is_loopback(peer) is own


def test_chunked_bodies_are_joined_and_wait_for_their_end():
    whole = bytearray(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\nGET")
    assert dechunk(whole) == (b"abcde", len(whole) - 3)
    assert all(dechunk(whole[:n]) is None for n in range(len(whole) - 3))
