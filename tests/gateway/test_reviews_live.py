"""Reviewers at work through a running gateway: over routes, and in forms as browsers send them."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from plugins.core.clock import SystemClock
from plugins.lineage.keys import KeyBox, TenantKeys
from plugins.lineage.vault import TextVault
from plugins.review.dossier import Dossier, Mark, Part, encoded
from plugins.review.rules import Reason
from plugins.review.store import NewItem, ReviewStore
from plugins.store.database import create_engine
from tests.gateway.running import Gateway, eventually

CONSOLE = "/sluice/console"
OUTPUT = "She worked at <script>alert(1)</script> Acme since 2011."
DOSSIER = Dossier(
    prompt=(Part("user", "Since when did she work at Acme?"),),
    sources=(Part("resume", "Acme, 2017 to today"),),
    output=OUTPUT,
    marks=(Mark(OUTPUT.index("2011"), OUTPUT.index("2011") + 4, "not in the source"),),
)


@dataclass
class Desk:
    """A tenant with one of its outputs in the queue, and who may look at it."""

    gateway: Gateway
    tenant_id: str
    key: str
    reviewer_key: str
    call_id: str
    item_id: str

    def ask(self, method: str, path: str, by: str | None = None, **body: Any) -> httpx.Response:
        sent = {"json": body} if body else {}
        return self.gateway.request(method, path, by or self.reviewer_key, **sent)


async def _add(gateway: Gateway, tenant_id: str, call_id: str) -> None:
    engine = create_engine(gateway.ready["database_url"])
    try:
        secret = (gateway.data_dir / "secret").read_text().strip()
        vault = TextVault(TenantKeys(engine, KeyBox(secret), SystemClock()))
        payload = await vault.seal(tenant_id, call_id, encoded(DOSSIER))
        finding = {"check": "grounding", "code": "unsupported", "where": "2011", "score": 0.1}
        await ReviewStore(engine).add(
            [
                NewItem(
                    call_id,
                    tenant_id,
                    "matching",
                    [Reason.SOFT_REJECT],
                    datetime.now(UTC),
                    findings=[finding | {"excerpt": "since 20.."}],
                    payload=payload,
                )
            ]
        )
    finally:
        await engine.dispose()


@pytest.fixture
def desk(gateway: Gateway) -> Desk:
    tenant_id = gateway.new_tenant()
    key = gateway.new_key(tenant_id)
    call_id = gateway.chat(key, model="matching").headers["x-sluice-call-id"]
    gateway.call_row(call_id)
    asyncio.run(_add(gateway, tenant_id, call_id))
    reviewer_key = gateway.new_key(tenant_id, role="reviewer", label="Anna")
    for who in (key, reviewer_key):
        eventually(
            lambda who=who: gateway.request("GET", "/sluice/me", who).status_code,
            lambda status: status == 200,
        )
    (item,) = gateway.request("GET", "/sluice/reviews", reviewer_key).json()
    return Desk(gateway, tenant_id, key, reviewer_key, call_id, item["id"])


@pytest.mark.spec("10.2", "12.1")
def test_an_edited_answer_reaches_its_caller_and_counts_as_an_override(desk: Desk) -> None:
    before = desk.ask("GET", f"/sluice/calls/{desk.call_id}/review", desk.key).json()
    assert (before["state"], before["text"]) == ("open", None)
    item = desk.ask("POST", f"/sluice/reviews/{desk.item_id}/claim").json()
    assert item["output"] == OUTPUT
    assert item["sources"] == [{"name": "resume", "text": "Acme, 2017 to today"}]
    decision = {
        "version": item["version"],
        "decision": "edited",
        "reason": "wrong year",
        "text": "She worked at Acme since 2017.",
        "key": "click-1",
    }
    for _ in range(2):  # sent twice, decided once
        decided = desk.ask("POST", f"/sluice/reviews/{desk.item_id}/decision", **decision)
        assert decided.status_code == 200, decided.text
    after = desk.ask("GET", f"/sluice/calls/{desk.call_id}/review", desk.key).json()
    assert (after["state"], after["text"]) == ("edited", "She worked at Acme since 2017.")
    said = desk.ask("GET", f"/sluice/feedback?call_id={desk.call_id}", desk.key).json()
    assert [one["kind"] for one in said] == ["overridden"]


@pytest.mark.spec("13.2")
def test_each_role_may_do_its_own_work_alone(desk: Desk) -> None:
    refused = [
        desk.ask("GET", "/sluice/reviews", desk.key),
        desk.ask("GET", "/sluice/spend"),
        desk.ask("GET", "/sluice/keys"),
        desk.ask("GET", "/sluice/tenants"),
        desk.ask("GET", f"/sluice/calls/{desk.call_id}/review"),
        desk.gateway.chat(desk.reviewer_key),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    elsewhere = desk.gateway.new_key(role="reviewer")
    eventually(lambda: desk.ask("GET", "/sluice/me", elsewhere).status_code, lambda s: s == 200)
    assert desk.ask("GET", f"/sluice/reviews/{desk.item_id}", elsewhere).status_code == 404
    assert desk.ask("POST", f"/sluice/reviews/{desk.item_id}/claim", elsewhere).status_code == 404
    assert desk.ask("GET", "/sluice/reviews", elsewhere).json() == []
    assert desk.ask("GET", "/sluice/me").json()["role"] == "reviewer"


@pytest.fixture
def browser(desk: Desk) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=desk.gateway.base_url, follow_redirects=True) as client:
        yield client


def _sign_in(browser: httpx.Client, key: str) -> httpx.Response:
    return browser.post(f"{CONSOLE}/sign-in", data={"key": key})


def _hidden(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    assert found, page.text
    return found.group(1)


def test_a_reviewer_works_an_item_in_forms(desk: Desk, browser: httpx.Client) -> None:
    queue = _sign_in(browser, desk.reviewer_key)
    assert queue.status_code == 200
    assert desk.item_id in queue.text
    token = _hidden(queue, "form_token")
    item = browser.post(f"{CONSOLE}/reviews/next", data={"form_token": token})
    assert item.url.path.endswith(desk.item_id)
    assert re.search(r'<mark [^>]*title="not in the source">2011</mark>', item.text)
    assert "<script>alert" not in item.text
    form = {name: _hidden(item, name) for name in ("form_token", "version", "decision_key")}
    path = f"{CONSOLE}/reviews/{desk.item_id}/decision"
    lacking = browser.post(path, data=form | {"decision": "edited", "text": "kept <b>"})
    assert lacking.status_code == 400
    assert "Say in a few words why." in lacking.text
    assert "kept &lt;b&gt;" in lacking.text
    form["decision_key"] = _hidden(lacking, "decision_key")
    form |= {"decision": "rejected", "reason": "made up"}
    done = browser.post(path, data=form)
    assert done.status_code == 200
    assert "Nothing waits for you" in done.text
    shown = browser.get(f"{CONSOLE}/reviews/{desk.item_id}")
    assert "Decision: rejected" in shown.text
    assert "made up" in shown.text


def test_only_reviewers_and_administrators_get_in(desk: Desk, browser: httpx.Client) -> None:
    assert browser.get(f"{CONSOLE}/reviews").url.path == f"{CONSOLE}/sign-in"
    assert _sign_in(browser, "sk-wrong").status_code == 401
    assert _sign_in(browser, desk.key).status_code == 403
    browser.cookies.set("sluice_session", "anna.9999999999.forged", path=CONSOLE)
    assert browser.get(f"{CONSOLE}/reviews").url.path == f"{CONSOLE}/sign-in"
    browser.cookies.clear()
    assert _sign_in(browser, desk.gateway.admin_key).url.path == f"{CONSOLE}/reviews"


def test_a_session_ends_with_its_key(desk: Desk, browser: httpx.Client) -> None:
    _sign_in(browser, desk.reviewer_key)
    desk.gateway.admin("POST", f"/sluice/keys/{desk.reviewer_key[3:13]}/revoke")
    for _ in range(4):  # on every worker
        eventually(
            lambda: browser.get(f"{CONSOLE}/reviews").url.path,
            lambda path: path == f"{CONSOLE}/sign-in",
        )


def test_nobody_else_can_send_a_form(desk: Desk, browser: httpx.Client) -> None:
    queue = _sign_in(browser, desk.reviewer_key)
    token = {"form_token": _hidden(queue, "form_token")}
    path = f"{CONSOLE}/reviews/next"
    assert browser.post(path).status_code == 403
    assert browser.post(path, data={"form_token": "x"}).status_code == 403
    foreign = {"sec-fetch-site": "cross-site"}
    assert browser.post(path, data=token, headers=foreign).status_code == 403
    item = desk.ask("GET", f"/sluice/reviews/{desk.item_id}").json()
    assert item["state"] == "open"


def test_pages_allow_a_browser_nothing_but_themselves(desk: Desk, browser: httpx.Client) -> None:
    answer = browser.post(
        f"{CONSOLE}/sign-in", data={"key": desk.reviewer_key}, follow_redirects=False
    )
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/sluice/console"))
    assert desk.reviewer_key.lower() not in cookie
    page = browser.get(f"{CONSOLE}/reviews")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?! src=\"/sluice/console/static/)|style=|\son\w+=", page.text)
    for name in set(re.findall(r"/sluice/console/static/([\w.]+)\?", page.text)):
        assert browser.get(f"{CONSOLE}/static/{name}").status_code == 200
    missing = browser.get(f"{CONSOLE}/static/../session.py")
    assert missing.status_code == 404
    unknown = browser.get(f"{CONSOLE}/nothing")
    assert (unknown.status_code, unknown.headers["content-type"]) == (
        404,
        "text/html; charset=utf-8",
    )
