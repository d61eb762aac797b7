"""Made resumes, each with the extraction that is right for it. Seeded.

Text and extraction are written from one set of facts, in the ways resumes differ: order and form of
headings, eight forms of dates, degrees in full or short, bullets or sentences, names with accents.
The right extraction is not a copy: it writes dates as YYYY-MM, spells degrees out, leaves `Inc.`
out and rewords some descriptions, as models do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final


def _names(names: str, mark: str | None = None) -> tuple[str, ...]:
    return tuple(names.split(mark))


FIRST: Final = _names(
    "Amara Ana Andrzej Aoife Arjun Beatriz Björn Chidi Chloé Daniel Elena Emeka Fatima Freya "
    "Giulia Hannah Haruki Ibrahim Inés Jakub Jamal José Julia Kwame Lars Lucía Mei Mohammed Nadia "
    "Oksana Olivia Pavel Priya Rafael Sakura Søren Thomas Wei Yusuf Zoë"
)
LAST: Final = _names(
    "Adeyemi Andersson Baker Castillo Chen Dąbrowski Diallo Evans Fischer García Haddad Hernández "
    "Ito Jansen Kaya Kowalczyk Lindqvist MacLeod Martin Müller Nakamura Novák O'Brien Okafor Osei "
    "Patel Pereira Petrov Quinn Rahman Rossi Sánchez Schneider Silva Smith-Jones Tanaka Tran Usman "
    "Vega Weiß Y\u0131lmaz Zhang"
)
TITLES: Final = _names(
    "Software Engineer|Senior Software Engineer|Backend Developer|Data Analyst|Data Scientist|"
    "Product Manager|Project Manager|Marketing Manager|Account Executive|HR Business Partner|"
    "Registered Nurse|Ward Manager|Financial Analyst|Controller|UX Designer|QA Engineer|"
    "DevOps Engineer|Customer Support Specialist|Warehouse Supervisor|Mechanical Engineer|"
    "Sales Representative|Recruiter|Office Administrator|Staff Accountant|Solutions Architect",
    "|",
)
COMPANIES: Final = _names(
    "Northwind Traders|Brightleaf Health|Corvane Systems|Halden Logistics|Orbit Retail|"
    "Pinecrest Bank|Quillon Media|Rivermark Energy|Solvane Software|Tamarind Foods|"
    "Umbra Analytics|Vantor Robotics|Westhaven Clinic|Yarrow Insurance|Zephyr Air|"
    "Blue Kestrel Games|Calder & Finch|Delphin Marine|Eastgate Motors|Fjordline Travel",
    "|",
)
ENDINGS: Final = ("", "", "", " Inc.", " GmbH", " Ltd", ", LLC")
SCHOOLS: Final = _names(
    "University of Leeds|Delft University of Technology|University of Lagos|Tokyo City University|"
    "Universidad de Sevilla|Warsaw School of Economics|Ohio State University|University of Nairobi|"
    "Technische Universität Dresden|McGill University|University of Pune|Lund University",
    "|",
)
# As it may be written, and as an extraction spells it out.
DEGREES: Final = (
    (("B.Sc.", "BSc", "Bachelor of Science", "BS"), "Bachelor of Science"),
    (("B.A.", "BA", "Bachelor of Arts"), "Bachelor of Arts"),
    (("M.Sc.", "MSc", "Master of Science", "MS"), "Master of Science"),
    (("MBA", "Master of Business Administration"), "Master of Business Administration"),
    (("Ph.D.", "PhD", "Doctor of Philosophy"), "Doctor of Philosophy"),
    (("B.Eng.", "Bachelor of Engineering"), "Bachelor of Engineering"),
)
SUBJECTS: Final = _names(
    "Computer Science|Economics|Nursing|Mechanical Engineering|Statistics|Psychology|Marketing|"
    "Industrial Design|Physics|Business Informatics|Accounting|Linguistics",
    "|",
)
SKILLS: Final = _names(
    "Python|Java|C++|C#|JavaScript|TypeScript|Go|SQL|PostgreSQL|MongoDB|Kubernetes|Docker|AWS|"
    "Terraform|React|Node.js|Excel|Tableau|Power BI|SAP|Salesforce|Figma|Photoshop|Jira|Scrum|"
    "Machine Learning|Triage|Wound Care|Payroll|Forecasting|AutoCAD|SolidWorks|SEO|Copywriting|"
    "Cold Calling|Negotiation|Bookkeeping|IFRS|Forklift Operation|Inventory Management",
    "|",
)
OTHER_NAMES: Final = {
    "PostgreSQL": "Postgres", "Kubernetes": "K8s", "JavaScript": "JS", "Node.js": "NodeJS",
    "React": "React.js", "AWS": "Amazon Web Services", "Machine Learning": "ML",
}  # fmt: skip
LANGUAGES: Final = _names("English German French Spanish Polish Arabic Mandarin Hindi Portuguese")
CITIES: Final = _names(
    "Leeds, UK|Berlin, Germany|Lagos, Nigeria|Austin, TX|Kraków, Poland|Osaka, Japan|Lyon, France|"
    "Pune, India|São Paulo, Brazil|Toronto, Canada",
    "|",
)
DONE: Final = (
    ("Cut {thing} costs by {n}%", "Reduced {thing} costs by {n}%"),
    ("Led a team of {n} people", "Managed a team of {n} people"),
    ("Raised {thing} output from {n} to {m} units a day",) * 2,
    ("Trained {n} new colleagues in {skill}", "Taught {skill} to {n} new colleagues"),
    ("Introduced {skill} for {thing} reporting, saving {n} hours a month",) * 2,
    (
        "Handled a budget of ${n}0,000 for {thing}",
        "Was responsible for a {thing} budget of ${n}0000",
    ),
    ("Answered {m} {thing} requests a week", "Answered about {m} {thing} requests every week"),
)
THINGS: Final = _names("delivery billing onboarding hiring hosting support training packaging ward")
_MONTHS: Final = _names(
    "January February March April May June July August September October November December"
)


@dataclass(frozen=True, slots=True)
class Resume:
    """A made resume.

    Args:
        text: as an applicant would send it.
        truth: the right extraction, in the shape of SPEC 4.2.
    """

    text: str
    truth: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Style:
    dates: int
    heading: int
    bullets: str
    blank: bool
    capitals: bool
    dash: str


def resume(seed: int) -> Resume:
    """Make one resume.

    Args:
        seed: decides all of it.
    """
    rng = Random(seed)  # noqa: S311 - no secret
    style = _Style(
        dates=rng.randrange(8),
        heading=rng.randrange(6),
        bullets=rng.choice(("- ", "• ", "* ", "")),
        blank=rng.random() < 0.7,
        capitals=rng.random() < 0.5,
        dash=rng.choice((" - ", " \u2013 ", "\u2013", " to ", " \u2014 ")),
    )
    skills = rng.sample(SKILLS, rng.randint(5, 10))
    head, personal = _personal(rng)
    jobs_text, jobs = _jobs(rng, style, skills)
    education_text, education = _education(rng, style)
    skills_text, skill_lists = _skills(rng, skills)
    parts = [
        ("Experience", jobs_text),
        ("Education", education_text),
        ("Skills", skills_text),
    ]
    if rng.random() < 0.3:
        parts[0], parts[1] = parts[1], parts[0]
    text = (
        head
        + _summary(rng, jobs, skills)
        + "".join(f"\n{name.upper() if style.capitals else name}\n{body}\n" for name, body in parts)
    )
    truth = {
        "personal": personal,
        "experience": jobs,
        "education": education,
        "skills": skill_lists,
    }
    return Resume(text, truth)


def _personal(rng: Random) -> tuple[str, dict[str, Any]]:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    city = rng.choice(CITIES)
    digits = "".join(str(rng.randrange(10)) for _ in range(7))
    area = f"{rng.randrange(200, 999)}"
    phone = rng.choice(
        (f"+1 ({area}) {digits[:3]}-{digits[3:]}", f"{area}-{digits[:3]}-{digits[3:]}",
         f"+44 {area} {digits}", f"0{area} {digits[:4]} {digits[4:]}")
    )  # fmt: skip
    plain = "".join(
        c for c in f"{first}.{last}".lower() if c.isascii() and (c.isalpha() or c == ".")
    )
    email = f"{plain}{rng.randrange(10, 99)}@{rng.choice(('mail', 'post', 'inbox'))}.example"
    name = f"{first} {last}"
    shown = rng.choice((name, name.upper(), name))
    head = f"{shown}\n{email} | {phone} | {city}\n"
    said = "".join(c for c in phone if c.isdigit() or c == "+") if rng.random() < 0.5 else phone
    return head, {"full_name": name, "email": email, "phone": said, "location": city}


def _summary(rng: Random, jobs: list[dict[str, Any]], skills: Sequence[str]) -> str:
    """Write a few sentences that name years, titles and companies once more, or nothing."""
    job = rng.choice(jobs)
    return rng.choice(
        (
            "",
            f"\nIn the trade since {rng.randint(1995, 2005)}, with a liking for {skills[0]}.\n",
            f"\n{job['title']} who enjoyed the years at {job['company']} and looks for more. "
            f"Moved house in {rng.randint(2006, 2024)}.\n",
            f"\nProfile: {rng.randint(3, 20)}+ years of {skills[-1]} and {skills[0]}. Volunteer at "
            f"a food bank ({rng.randint(2006, 2024)}).\n",
        )
    )


def _when(style: _Style, year: int, month: int) -> str:
    name = _MONTHS[month - 1]
    return (
        f"{name[:3]} {year}",
        f"{name} {year}",
        f"{month:02}/{year}",
        f"{year}-{month:02}",
        f"{year}",
        f"{name[:3]} '{year % 100:02}",
        f"{name[:3]}. {year}",
        f"{month:02}.{year}",
    )[style.dates]


def _stated(style: _Style, year: int, month: int, *, end: bool) -> str:
    """Write the date as the extraction does: a year alone is its first or last month."""
    if style.dates == 4:
        month = 12 if end else 1
    return f"{year}-{month:02}"


def _jobs(rng: Random, style: _Style, skills: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    count = rng.randint(2, 4)
    titles, companies = rng.sample(TITLES, count), rng.sample(COMPANIES, count)
    if rng.random() < 0.3:
        titles[1] = titles[0]
    elif rng.random() < 0.2:
        companies[1] = companies[0]
    year, month = 2026, rng.randint(1, 12)
    texts: list[str] = []
    truth: list[dict[str, Any]] = []
    for at in range(count):
        lasts = at == 0 and rng.random() < 0.6
        end = (year - rng.randint(0, 1), month)
        begin = (end[0] - rng.randint(1, 4), rng.randint(1, 12))
        year, month = begin[0] - (1 if rng.random() < 0.3 else 0), rng.randint(1, begin[1])
        dates = (
            _when(style, *begin)
            + style.dash
            + (
                rng.choice(("Present", "present", "now", "Current"))
                if lasts
                else _when(style, *end)
            )
        )
        company = companies[at] + rng.choice(ENDINGS)
        said, meant = _duties(rng, skills)
        texts.append(_job_text(style, titles[at], company, dates, said))
        truth.append(
            {
                "title": titles[at],
                "company": companies[at] if rng.random() < 0.5 else company,
                "start_date": _stated(style, *begin, end=False),
                "end_date": None if lasts else _stated(style, *end, end=True),
                "current": lasts,
                "description": ". ".join(meant) + ".",
            }
        )
    return ("\n\n" if style.blank else "\n").join(texts), truth


def _duties(rng: Random, skills: Sequence[str]) -> tuple[list[str], list[str]]:
    said: list[str] = []
    meant: list[str] = []
    for forms in rng.sample(DONE, rng.randint(2, 3)):
        facts = {
            "thing": rng.choice(THINGS), "skill": rng.choice(skills),
            "n": rng.randint(3, 60), "m": rng.randint(61, 400),
        }  # fmt: skip
        said.append(forms[0].format(**facts))
        meant.append(forms[1 if rng.random() < 0.5 else 0].format(**facts))
    return said, meant


def _job_text(style: _Style, title: str, company: str, dates: str, said: list[str]) -> str:
    heading = (
        f"{title}, {company} ({dates})",
        f"{title}\n{company}\n{dates}",
        f"{dates}  {title} at {company}",
        f"{company} | {title} | {dates}",
        f"{company}\n{title}, {dates}",
        f"{title} - {company}\n{dates}",
    )[style.heading]
    if style.bullets:
        return heading + "".join(f"\n{style.bullets}{line}" for line in said)
    return f"{heading}\n{'. '.join(said)}."


def _education(rng: Random, style: _Style) -> tuple[str, list[dict[str, Any]]]:
    texts: list[str] = []
    truth: list[dict[str, Any]] = []
    schools = rng.sample(SCHOOLS, 2)
    for at in range(rng.randint(1, 2)):
        forms, spelled = rng.choice(DEGREES)
        subject = rng.choice(SUBJECTS)
        year = rng.randint(1998, 2016)
        joint = rng.choice((" in ", " ", ", "))
        degree = f"{rng.choice(forms)}{joint}{subject}"
        texts.append(
            rng.choice(
                (f"{degree}, {schools[at]}, {year}", f"{schools[at]}\n{degree} ({year})",
                 f"{year}  {degree}, {schools[at]}")
            )
        )  # fmt: skip
        truth.append(
            {
                "degree": f"{spelled} in {subject}" if rng.random() < 0.6 else degree,
                "institution": schools[at],
                "end_date": f"{year}-12" if rng.random() < 0.5 else f"{year}",
            }
        )
    return ("\n\n" if style.blank else "\n").join(texts), truth


def _skills(rng: Random, skills: Sequence[str]) -> tuple[str, dict[str, Any]]:
    spoken = rng.sample(LANGUAGES, 2)
    joint = rng.choice((", ", " | ", " • ", "; "))
    listed = joint.join(skills)
    text = f"{listed}\nLanguages: {', '.join(spoken)}"
    said = [OTHER_NAMES[s] if s in OTHER_NAMES and rng.random() < 0.3 else s for s in skills]
    return text, {"technical": said, "languages": spoken}
