"""The console when things are away, over or changed: plain words, a way out, nothing typed lost."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from plugins.core.errors import Conflict, GatewayError, Unavailable
from plugins.core.tenant import Principal, Role
from plugins.proxy.console import build_console
from plugins.review.dossier import Dossier, Part
from plugins.review.rules import Decision
from plugins.tenancy.rules import unknown_key
from plugins.web.pages import CONSOLE
from plugins.web.routes import START, page_or_start
from plugins.web.session import LIFETIME

ITEM = "01a20e1e-6744-7516-97c8-4570871e56b6"
NEXT = "01a20e1e-6744-7516-97c8-4570871e56b7"
NOW = datetime.now(UTC)


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


class Directory:
    """Knows Anna, and a tenant's key."""

    def __init__(self) -> None:
        self.revoked = False

    def holder(self, key_id: str) -> Principal | GatewayError:
        if self.revoked or key_id != "anna":
            return unknown_key()
        return Principal("anna", "acme", Role.REVIEWER)

    async def authenticate(self, token: str) -> Principal | GatewayError:
        if token == "away":
            return Unavailable("away")
        return self.holder(token)


class Queue:
    """Two items in memory, which can be away."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.rows = {item_id: self._row(item_id) for item_id in (ITEM, NEXT)}
        self.rows[ITEM] |= {"state": "claimed", "claimed_by": "anna"}

    @staticmethod
    def _row(item_id: str) -> dict[str, Any]:
        return {
            "id": item_id,
            "call_id": item_id,
            "tenant_id": "acme",
            "agent": "matching",
            "reasons": ["flag"],
            "holds": False,
            "findings": [],
            "payload": b"sealed",
            "state": "open",
            "version": 2,
            "created_at": NOW,
            "due_at": NOW + timedelta(hours=1),
            "claimed_by": None,
            "lease_until": NOW + timedelta(minutes=10),
            "decided_at": None,
            "decision": None,
            "answer": None,
            "erased_at": None,
        }

    def asked(self, what: str) -> None:
        if what in self.away:
            raise Unavailable("PostgreSQL is away")

    async def item(self, who: Any, item_id: str) -> dict[str, Any]:
        self.asked("item")
        return self.rows[item_id]

    async def items(self, who: Any, states: Any = (), **_: Any) -> list[dict[str, Any]]:
        self.asked("items")
        return [row for row in self.rows.values() if not states or row["state"] in states]

    async def claim_next(self, who: Any) -> dict[str, Any] | None:
        self.asked("claim_next")
        return self.rows[NEXT]


class Desk:
    """Opens the items' texts and takes decisions; remembers them. Texts can be erased."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.dossier: Dossier | None = Dossier(output="Since 2011.")
        self.taken: list[tuple[str, str]] = []

    async def read(self, row: Any) -> Dossier | None:
        return self.dossier

    async def released(self, row: Any) -> str | None:
        return None

    async def decide(
        self, who: Any, item_id: str, version: int, decision: Decision, key: str
    ) -> dict[str, Any]:
        self._queue.asked("decide")
        if decision.text is not None and self.dossier is None:
            raise Conflict("erased", code="review_erased")
        self.taken.append((decision.state.value, key))
        row = self._queue.rows[item_id]
        row |= {"state": decision.state.value, "decision": {"reason": decision.reason}}
        row |= {"decided_at": NOW}
        return row


class Fuller(Dossier, frozen=True):
    """A dossier that says more: further choices, and that the output is not whole."""

    others: tuple[Part, ...] = (Part("choice 2", "Since <b>2012</b>."),)
    output_cut: bool = True


class Site:
    """The console, and a browser that has signed in."""

    def __init__(self) -> None:
        self.clock, self.directory, self.queue = Clock(), Directory(), Queue()
        self.desk = Desk(self.queue)
        fakes: Any = (self.directory, "s" * 40, self.queue, self.desk, self.clock)
        app = FastAPI()
        app.mount(CONSOLE, build_console(*fakes))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.browser = httpx.AsyncClient(transport=transport, base_url="http://here")

    async def sign_in(self) -> None:
        answer = await self.browser.post(f"{CONSOLE}/sign-in", data={"key": "anna"})
        assert answer.status_code == 303

    async def form(self, **typed: str) -> dict[str, str]:
        """What the decision form of the item sends."""
        page = await self.browser.get(f"{CONSOLE}/reviews/{ITEM}")
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text)
        return {**dict(hidden), "text": "Since 2011.", **typed}

    async def decide(self, form: dict[str, str]) -> httpx.Response:
        return await self.browser.post(f"{CONSOLE}/reviews/{ITEM}/decision", data=form)


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    await made.sign_in()
    yield made
    await made.browser.aclose()


async def test_a_decision_that_postgresql_missed_is_shown_and_can_be_sent_again(site: Site) -> None:
    form = await site.form(decision="rejected", reason="made <up>")
    site.queue.away = {"item", "decide"}
    stuck = await site.decide(form)
    assert stuck.status_code == 503
    assert "The queue cannot be reached just now" in stuck.text
    assert "made &lt;up&gt;" in stuck.text
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', stuck.text))
    assert again["decision_key"] == form["decision_key"]
    site.queue.away = set()
    done = await site.decide({**again, "reason": "made <up>", "text": "Since 2011."})
    assert done.headers["location"] == f"{CONSOLE}/reviews/{NEXT}?done={ITEM}"
    assert site.desk.taken == [("rejected", form["decision_key"])]


async def test_a_decision_stands_though_the_next_item_cannot_be_had(site: Site) -> None:
    form = await site.form(decision="approved")
    site.queue.away = {"claim_next"}
    site.queue.rows[ITEM]["claimed_by"] = "anna"
    done = await site.decide(form)
    assert done.headers["location"] == f"{CONSOLE}/reviews?done={ITEM}"
    assert site.queue.rows[ITEM]["state"] == "approved"


async def test_a_queue_that_is_away_says_so_and_offers_to_try_again(site: Site) -> None:
    site.queue.away = {"items"}
    page = await site.browser.get(f"{CONSOLE}/reviews")
    assert page.status_code == 503
    assert "Nothing is lost" in page.text
    assert f'href="{CONSOLE}/reviews">Try again' in page.text
    assert "Sign out" in page.text  # one is signed in still


async def test_texts_erased_meanwhile_leave_the_choice_to_approve_or_reject(site: Site) -> None:
    form = await site.form(decision="edited", reason="year", text="Since 2017.")
    site.desk.dossier = None
    page = await site.decide(form)
    assert page.status_code == 409
    assert "have just been erased" in page.text
    assert 'value="rejected"' in page.text
    assert 'value="edited"' not in page.text
    assert "Since 2017." in page.text
    assert site.desk.taken == []


@pytest.mark.parametrize("how", ["over", "revoked"])
async def test_who_is_signed_in_no_longer_gets_back_what_they_sent(site: Site, how: str) -> None:
    form = await site.form(decision="rejected", reason="made <up>")
    site.clock.at += LIFETIME if how == "over" else timedelta()
    site.directory.revoked = how == "revoked"
    page = await site.decide(form)
    assert page.status_code == 401
    assert "Your session is over" in page.text
    assert "made &lt;up&gt;" in page.text
    assert f"then=%2Fsluice%2Fconsole%2Freviews%2F{ITEM}" in page.text
    assert site.desk.taken == []
    link = await site.browser.get(f"{CONSOLE}/reviews/{ITEM}")
    assert link.headers["location"].endswith(f"then=%2Fsluice%2Fconsole%2Freviews%2F{ITEM}")
    refreshed = await site.browser.get(f"{CONSOLE}/reviews", headers={"hx-request": "true"})
    assert (refreshed.status_code, refreshed.text) == (401, "")
    assert refreshed.headers["hx-redirect"].startswith(f"{CONSOLE}/sign-in?then=")


async def test_a_link_of_another_site_is_followed_anew_so_that_the_cookie_comes_along() -> None:
    site = Site()
    foreign = {"sec-fetch-site": "cross-site"}
    page = await site.browser.get(f"{CONSOLE}/reviews/{ITEM}", headers=foreign)
    assert f'content="0; url={CONSOLE}/reviews/{ITEM}"' in page.text
    own = await site.browser.get(f"{CONSOLE}/reviews/{ITEM}", headers={"sec-fetch-site": "none"})
    assert own.status_code == 303  # to the sign-in, and no further round
    await site.browser.aclose()


async def test_a_form_that_is_not_whole_is_refused_in_words(site: Site) -> None:
    form = await site.form(decision="approved")
    for broken in ({"version": "x"}, {"version": "0"}, {"decision_key": ""}):
        page = await site.decide(form | broken)
        assert page.status_code == 400
        assert "cannot be taken as it is" in page.text
    page = await site.decide({name: form[name] for name in form if name != "decision"})
    assert page.status_code == 400
    assert "Choose what is to become of the answer." in page.text


async def test_what_else_the_model_wrote_is_shown_and_that_an_answer_is_not_whole(
    site: Site,
) -> None:
    site.desk.dossier = Fuller(output="Since 2011.")
    page = await site.browser.get(f"{CONSOLE}/reviews/{ITEM}")
    assert "Only the beginning of the answer is kept." in page.text
    assert "Also: <bdi>choice 2</bdi>" in page.text
    assert "Since &lt;b&gt;2012&lt;/b&gt;." in page.text


async def test_a_fault_of_the_gateway_is_owned_up_to(site: Site) -> None:
    del site.queue.rows[ITEM]
    page = await site.browser.get(f"{CONSOLE}/reviews/{ITEM}")
    assert page.status_code == 500
    assert "The gateway failed at this" in page.text
    assert "KeyError" not in page.text


async def test_signing_out_takes_a_form_of_this_session(site: Site) -> None:
    foreign = await site.browser.post(f"{CONSOLE}/sign-out", data={"form_token": "x"})
    assert foreign.status_code == 403
    assert "set-cookie" not in foreign.headers
    token = (await site.form())["form_token"]
    left = await site.browser.post(f"{CONSOLE}/sign-out", data={"form_token": token})
    assert left.headers["location"] == f"{CONSOLE}/sign-in?left=true"
    assert 'sluice_session=""' in left.headers["set-cookie"]


async def test_keys_that_cannot_be_looked_up_are_not_called_wrong(site: Site) -> None:
    page = await site.browser.post(f"{CONSOLE}/sign-in", data={"key": "away"})
    assert page.status_code == 503
    assert "Try again in a minute" in page.text


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        (f"{CONSOLE}/reviews/{ITEM}", f"{CONSOLE}/reviews/{ITEM}"),
        (f"{CONSOLE}/reviews", f"{CONSOLE}/reviews"),
        ("", START),
        ("//example.org", START),
        ("https://example.org/sluice/console/reviews", START),
        (f"{CONSOLE}/../keys", START),
        (f"{CONSOLE}/reviews?x=//example.org", START),
        (f"{CONSOLE}/reviews\r\nset-cookie: x", START),
        (f"{CONSOLE}/reviews\n", START),
        (f"{CONSOLE}.example.org/", START),
        (f"{CONSOLE}/\\example.org", START),
        (f"{CONSOLE}/" + "a" * 300, START),
    ],
)
def test_only_pages_of_the_console_are_gone_to_after_signing_in(path: str, leads: str) -> None:
    assert page_or_start(path) == leads
