"""Fills a review queue with what reviewers meet, and with what they hopefully never will."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Delete, Update, delete, update

from plugins.core.clock import SystemClock
from plugins.core.identifiers import new_call_id
from plugins.core.review import Reason
from plugins.lineage.keys import KeyBox, TenantKeys
from plugins.lineage.vault import TextVault
from plugins.review.dossier import Dossier, Mark, Part, encoded
from plugins.review.store import NewItem, ReviewStore
from plugins.store.database import create_engine
from plugins.store.tables import review_items

T = TypeVar("T")
INJECTION = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    "<svg/onload=window.hacked=3>\"'></textarea></pre><b id=injected>bold</b>{{ 7*7 }}"
)


@dataclass
class Case:
    """An item to be.

    Args:
        name: for tests to find it by; its agent, so that it shows.
        dossier: its texts; None for texts that were never kept.
        reasons: why it waits.
        findings: of the checks.
        age: since its call was answered.
        holds: its caller waits.
        erased: its texts have been erased since.
    """

    name: str
    dossier: Dossier | None
    reasons: Sequence[Reason] = (Reason.FLAG,)
    findings: Sequence[dict[str, Any]] = ()
    age: timedelta = timedelta(minutes=3)
    holds: bool = False
    erased: bool = False


def finding(check: str, code: str, where: str = "", **more: Any) -> dict[str, Any]:
    """A finding as the queue keeps it."""
    return {"check": check, "code": code, "action": "flag", "where": where} | more


def at(text: str, part: str, of: str = "answer") -> str:
    """Where a part of a text is, as checks say it."""
    start = text.index(part)
    return f"{of}:{start}-{start + len(part)}"


EXPLANATION = """\
Maria Keller fits the role of data engineer well: 82 of 100.

Strengths
1. Eleven years of Python, four of them leading a team of six at Nordlicht Logistics.
2. Ran the move of 14 pipelines from Airflow 1 to 2 without a missed delivery.
3. Holds a PhD in statistics from the University of Kiel.

Gaps
- No experience with Kubernetes, which the posting asks for.
- As a young mother she may not be available for the on-call rota.

Recommendation: yes"""
RESUME = """\
Maria Keller
Kiel, Germany

EXPERIENCE
Senior Data Engineer, Nordlicht Logistics, 03/2018 to today
  Leads a team of four. Moved 14 pipelines from Airflow 1 to 2. Python, dbt, Snowflake.
Data Engineer, Hafenkontor GmbH, 06/2013 to 02/2018
  Built the reporting warehouse. Python, PostgreSQL, Docker, some Kubernetes.

EDUCATION
MSc Statistics, University of Kiel, 2013

LANGUAGES
German, English, Danish"""
POSTING = """\
Data engineer (all genders), Hamburg or remote
You bring: five years of Python and SQL, Airflow or Dagster, containers (Docker, Kubernetes),
on-call one week in eight. A degree is welcome and not required."""
MATCHING = Case(
    "matching",
    Dossier(
        prompt=(
            Part("system", "Explain in plain words how well the candidate fits. Give numbers."),
            Part("user", "Explain the score of 82 for the attached resume and posting."),
        ),
        sources=(Part("resume.pdf", RESUME), Part("posting", POSTING)),
        output=EXPLANATION,
        marks=(
            Mark(
                EXPLANATION.index("PhD in statistics"),
                EXPLANATION.index("PhD in statistics") + len("PhD in statistics"),
                "the resume says MSc",
            ),
        ),
    ),
    reasons=(Reason.HELD, Reason.FLAG),
    findings=(
        finding("groundedness", "unsupported_number", at(EXPLANATION, "a team of six"), score=0.93),
        finding("groundedness", "unsupported_degree", at(EXPLANATION, "PhD in statistics")),
        finding("groundedness", "contradicted", at(EXPLANATION, "No experience with Kubernetes")),
        finding("bias", "family_status", at(EXPLANATION, "As a young mother"), score=0.88),
        finding("confidence", "below_threshold", score=0.41, excerpt="0.41 is below 0.7"),
    ),
    holds=True,
    age=timedelta(minutes=9),
)

PARSED = json.dumps(
    {
        "personal": {"full_name": "Øyvind Ñuñez-Łukasiewicz", "email": "o.n@example.org"},
        "experience": [
            {"title": "Chef de partie", "company": "Grand Café", "start_date": "2016-04"},
            {"title": "Sous-chef", "company": "Fjord & Fjell", "start_date": "2021-13"},
        ],
        "skills": {"technical": ["HACCP", "sous vide"], "languages": ["Norwegian", "日本語"]},
        "education": [],
    },
    ensure_ascii=False,
    separators=(",", ":"),
)
PARSING = Case(
    "resume_parsing",
    Dossier(
        prompt=(Part("user", "Parse this resume."),),
        sources=(Part("cv.docx", "Øyvind Ñuñez-Łukasiewicz, o.n@example.org, Sous-chef 12/2021"),),
        output=PARSED,
    ),
    reasons=(Reason.SOFT_REJECT,),
    findings=(
        finding("groundedness", "unsupported_value", "answer.experience[1].start_date"),
        finding("schema", "pattern", "answer.experience[1].start_date", excerpt="2021-13"),
        finding("groundedness", "unsupported_value", "answer.skills.languages[1]"),
        finding("prompt_injection", "hidden_instruction", "messages[0].content:12-40"),
    ),
    age=timedelta(hours=9),
)
ARABIC = "المرشحة ليلى حداد مهندسة برمجيات خبرتها سبع سنوات. التوصية: نعم."
SCREENING = Case(
    "screening",
    Dossier(
        prompt=(
            Part("system", "You screen candidates."),
            Part("user", "Tell me about your last job."),
            Part("assistant", "Of course. What did you do there?"),
            Part("user", "عملت في شركة النور، ثم في Siemens منذ 2019."),
            Part("user", "שלום, אני גם מדבר עברית"),
        ),
        output=f"{ARABIC}\nIn short: yes. \u202ereversed\u202c 👩🏽‍💻 Zażółć gęślą jaźń.",
    ),
    reasons=(Reason.MODERATION,),
    findings=(finding("moderation", "harassment", "messages[3].content", score=0.77),),
    age=timedelta(minutes=50),
)
LONG = Case(
    "jd_enrichment",
    Dossier(
        prompt=(Part("user", "Enrich this description. " * 400),),
        sources=(Part("resume-200kb.txt", "Ten years of SQL: SELECT, JOIN, DROP TABLE.\n" * 4700),),
        output="The role asks for ten years of SQL. " * 120,
    ),
    reasons=(Reason.SAMPLE,),
    age=timedelta(days=2),
)
HOSTILE = Case(
    "decision",
    Dossier(
        prompt=(Part(INJECTION, INJECTION),),
        sources=(Part(INJECTION, INJECTION),),
        output=INJECTION,
        marks=(Mark(0, 8, INJECTION),),
    ),
    reasons=(Reason.BLOCK,),
    findings=(finding(INJECTION, INJECTION, INJECTION, excerpt=INJECTION),),
    age=timedelta(hours=1),
)
ERASED = Case(
    "explanation",
    Dossier(output="It is erased before anybody reads it."),
    age=timedelta(hours=20),
    erased=True,
)
UNKEPT = Case("voice_interview", None, age=timedelta(hours=30))
ALL = (MATCHING, PARSING, SCREENING, LONG, HOSTILE, ERASED, UNKEPT)


def plain(name: str, output: str = "She worked at Acme since 2011.", **more: Any) -> Case:
    """An item of which only the name matters."""
    return Case(name, Dossier(prompt=(Part("user", "Since when?"),), output=output), **more)


def many(count: int) -> list[Case]:
    """Items that are due one after the other."""
    return [plain(f"agent_{n}", age=timedelta(minutes=count - n)) for n in range(count)]


def _call_of_yesterday() -> str:
    """A call's identifier; for one of the last minutes a decision would wait for its ledger row."""
    value = int(UUID(new_call_id())) - ((24 * 3_600_000) << 80)
    return str(UUID(int=value))


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine apart from this thread, in which Playwright's loop runs."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def stock(database_url: str, secret: str, tenant_id: str, cases: Sequence[Case]) -> dict[str, str]:
    """Put items into the queue; gives their identifiers by name."""
    return in_thread(_stock(database_url, secret, tenant_id, cases))


def change(database_url: str, item_id: str, **values: Any) -> None:
    """Let something happen to an item that takes its time otherwise."""
    wanted = update(review_items).where(review_items.c.id == item_id).values(**values)
    in_thread(_execute(database_url, wanted))


def clear(database_url: str, tenant_ids: Sequence[str]) -> None:
    """Empty the queues of the tests' own tenants."""
    in_thread(
        _execute(database_url, delete(review_items).where(review_items.c.tenant_id.in_(tenant_ids)))
    )


async def _execute(database_url: str, statement: Delete | Update) -> None:
    engine = create_engine(database_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(statement)
    finally:
        await engine.dispose()


async def _stock(
    database_url: str, secret: str, tenant_id: str, cases: Sequence[Case]
) -> dict[str, str]:
    engine = create_engine(database_url)
    try:
        vault = TextVault(TenantKeys(engine, KeyBox(secret), SystemClock()))
        store, now = ReviewStore(engine), datetime.now(UTC)
        ids: dict[str, str] = {}
        for case in cases:
            call_id, payload = _call_of_yesterday(), None
            if case.dossier is not None and not case.erased:
                payload = await vault.seal(tenant_id, call_id, encoded(case.dossier))
            await store.add(
                [
                    NewItem(
                        call_id,
                        tenant_id,
                        case.name,
                        case.reasons,
                        now - case.age,
                        holds=case.holds,
                        findings=case.findings,
                        payload=payload,
                    )
                ]
            )
            ids[case.name] = (await store.of_call(tenant_id, call_id))["id"]
            if case.erased:
                gone = update(review_items).where(review_items.c.id == ids[case.name])
                async with engine.begin() as connection:
                    await connection.execute(gone.values(erased_at=now, findings=[]))
        return ids
    finally:
        await engine.dispose()
