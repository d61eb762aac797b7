"""Reviewers at work in real Chromium, on the gateway that all tests share.

Playwright's own loop runs in this thread while the browser is open: what needs another loop runs
in a thread of its own (`stocking.in_thread`).
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.gateway.browser import stocking
from tests.gateway.browser.stocking import Case
from tests.gateway.running import Gateway, eventually

CONSOLE = "/sluice/console"
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="FOLDER", help="draw the pictures of docs/reviews.md")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


@dataclass
class Staff:
    """Tenants and their reviewers, made once: a new key takes a second to reach all workers."""

    tenant_id: str
    anna: str
    ben: str
    other_tenant_id: str
    cleo: str
    all_tenants: str


@pytest.fixture(scope="package")
def staff(gateway: Gateway) -> Staff:
    ours, theirs = gateway.new_tenant(), gateway.new_tenant()
    made = Staff(
        tenant_id=ours,
        anna=gateway.new_key(ours, role="reviewer", label="Anna"),
        ben=gateway.new_key(ours, role="reviewer", label="Ben"),
        other_tenant_id=theirs,
        cleo=gateway.new_key(theirs, role="reviewer", label="Cleo"),
        all_tenants=gateway.admin_key,
    )
    cookies = {"sluice_session": session_of(gateway, made.cleo)}
    for _ in range(8):  # whichever worker answers
        eventually(
            lambda: gateway.request("GET", f"{CONSOLE}/reviews", None, cookies=cookies).status_code,
            lambda status: status == 200,
        )
    return made


def session_of(gateway: Gateway, key: str) -> str:
    """Sign in; gives the cookie's value."""
    answer = gateway.request("POST", f"{CONSOLE}/sign-in", None, data={"key": key})
    return answer.cookies["sluice_session"]


@dataclass
class Office:
    """Reviewers, their queue, and their browsers.

    Args:
        watched: what the browsers complained of, or asked others for.
        expected: statuses of pages that a test means to provoke.
    """

    gateway: Gateway
    staff: Staff
    chromium: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def stock(self, *cases: Case, tenant_id: str | None = None) -> dict[str, str]:
        """Put items into the queue; gives their identifiers by name."""
        url, secret = self.gateway.ready["database_url"], self._secret()
        return stocking.stock(url, secret, tenant_id or self.staff.tenant_id, cases)

    def seat(self, key: str | None = None, **options: object) -> Page:
        """A browser of somebody's own, signed in unless there is no key."""
        context = self.chromium.new_context(
            base_url=self.gateway.base_url, **({"viewport": DESK} | options)
        )
        context.set_default_timeout(5000)
        self.contexts.append(context)
        if key is not None:
            value = session_of(self.gateway, key)
            cookie = {"name": "sluice_session", "value": value, "path": CONSOLE}
            context.add_cookies([cookie | {"domain": "127.0.0.1", "sameSite": "Strict"}])
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.watched.append(f"script failed: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        return page

    def state(self, item_id: str) -> dict[str, object]:
        """An item as the routes give it."""
        return self.gateway.admin("GET", f"/sluice/reviews/{item_id}").json()

    def _secret(self) -> str:
        return (self.gateway.data_dir / "secret").read_text().strip()

    def _heard(self, message: ConsoleMessage) -> None:
        provoked = any(f"a status of {status} " in message.text for status in self.expected)
        if message.type in {"error", "warning"} and not provoked:
            self.watched.append(f"console: {message.text}")

    def _asked(self, url: str) -> None:
        if not url.startswith(self.gateway.base_url):
            self.watched.append(f"left the host: {url}")


@pytest.fixture
def office(gateway: Gateway, staff: Staff, chromium: Browser) -> Iterator[Office]:
    stocking.clear(gateway.ready["database_url"], [staff.tenant_id, staff.other_tenant_id])
    made = Office(gateway, staff, chromium)
    yield made
    for context in made.contexts:
        context.close()
    assert made.watched == []


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures go: `--pictures docs/pictures` renews those of the documentation."""
    folder = request.config.getoption("--pictures", default=None)
    return Path(folder) if folder else tmp_path
