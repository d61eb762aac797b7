"""Reviewers at work in real Chromium, on the gateway that all tests share.

Playwright's own loop runs in this thread while the browser is open: what needs another loop runs
in a thread of its own (`stocking.in_thread`).
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.gateway.browser import stocking
from tests.gateway.browser.stocking import Case
from tests.gateway.running import Gateway, eventually

CONSOLE = "/sluice/console"
PATIENCE_MS = 10_000
"""Of a test with a page; on a busy machine, a page can take a second."""
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
        expect.set_options(timeout=PATIENCE_MS)
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
class Rooms:
    """Browser contexts that tests share: a new one takes long, and has nothing in its cache."""

    gateway: Gateway
    chromium: Browser
    sessions: dict[str, str] = field(default_factory=dict)
    contexts: dict[str, BrowserContext] = field(default_factory=dict)

    def open(self, key: str | None, options: dict[str, object]) -> BrowserContext:
        context = self.chromium.new_context(
            base_url=self.gateway.base_url, **({"viewport": DESK} | options)
        )
        context.set_default_timeout(PATIENCE_MS)
        if key is not None:
            self.sign_in(context, key)
        return context

    def shared(self, key: str, options: dict[str, object]) -> BrowserContext:
        name = f"{key} {options}"
        if name not in self.contexts:
            self.contexts[name] = self.open(key, options)
        self.sign_in(self.contexts[name], key)
        return self.contexts[name]

    def sign_in(self, context: BrowserContext, key: str) -> None:
        if key not in self.sessions:
            self.sessions[key] = session_of(self.gateway, key)
        cookie = {"name": "sluice_session", "value": self.sessions[key], "path": CONSOLE}
        context.add_cookies([cookie | {"domain": "127.0.0.1", "sameSite": "Strict"}])


@pytest.fixture(scope="package")
def rooms(gateway: Gateway, chromium: Browser) -> Iterator[Rooms]:
    made = Rooms(gateway, chromium)
    yield made
    for context in made.contexts.values():
        context.close()


@dataclass
class Office:
    """Reviewers, their queue, and their browsers.

    Args:
        pages: that the test has opened.
        own: contexts that it has for itself.
        watched: what the browsers complained of, or asked others for.
        expected: statuses of pages that a test means to provoke.
    """

    gateway: Gateway
    staff: Staff
    rooms: Rooms
    pages: list[Page] = field(default_factory=list)
    own: list[BrowserContext] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def stock(self, *cases: Case, tenant_id: str | None = None) -> dict[str, str]:
        """Put items into the queue; gives their identifiers by name."""
        url, secret = self.gateway.ready["database_url"], self._secret()
        return stocking.stock(url, secret, tenant_id or self.staff.tenant_id, cases)

    def seat(self, key: str | None = None, *, own: bool = False, **options: object) -> Page:
        """A tab of somebody who is signed in.

        Args:
            key: whose; None for nobody, who signs in by hand.
            own: in a browser of its own, for who changes its clock or what it keeps.
            options: of the browser.
        """
        if own or key is None:
            context = self.rooms.open(key, options)
            self.own.append(context)
        else:
            context = self.rooms.shared(key, options)
        page = context.new_page()
        self.pages.append(page)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.watched.append(f"script failed: {error}"))
        page.on("request", lambda request: self._asked(request.url))
        return page

    def leave(self) -> None:
        """Close everything that the test has opened."""
        for page in self.pages:
            page.close()
        for context in self.own:
            context.close()

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
def office(gateway: Gateway, staff: Staff, rooms: Rooms) -> Iterator[Office]:
    stocking.clear(gateway.ready["database_url"], [staff.tenant_id, staff.other_tenant_id])
    made = Office(gateway, staff, rooms)
    yield made
    made.leave()
    assert made.watched == []


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures go: `--pictures docs/pictures` renews those of the documentation."""
    folder = request.config.getoption("--pictures", default=None)
    return Path(folder) if folder else tmp_path
