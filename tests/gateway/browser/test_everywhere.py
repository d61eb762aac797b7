"""What holds on every page: readable, reachable, on a phone, in the dark, for all readers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.gateway.browser.conftest import CONSOLE, DESK, PHONE, Office
from tests.gateway.browser.stocking import ALL, HOSTILE, MATCHING, PARSING, plain

QUEUE = f"{CONSOLE}/reviews"
LOOK = (Path(__file__).parent / "looking.js").read_text()
ON_A_PHONE: dict[str, object] = {"viewport": PHONE, "is_mobile": True, "has_touch": True}


def _sign_in_refused(page: Page, _: dict[str, str]) -> None:
    page.goto(f"{CONSOLE}/sign-in")
    page.get_by_label("Your key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()


def _queue(page: Page, ids: dict[str, str]) -> None:
    page.goto(f"{QUEUE}/{ids['resume_parsing']}")
    page.get_by_role("button", name="Claim it").click()
    page.goto(QUEUE)


def _hostile(page: Page, ids: dict[str, str]) -> None:
    page.goto(f"{QUEUE}/{ids['decision']}")


def _deciding_wrongly(page: Page, ids: dict[str, str]) -> None:
    page.goto(f"{QUEUE}/{ids['matching']}")
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("needs other words").check()
    page.get_by_role("button", name="Decide, open the next").click()
    expect(page.get_by_role("alert")).to_be_visible()


def _decided(page: Page, ids: dict[str, str]) -> None:
    page.goto(f"{QUEUE}/{ids['explanation']}")
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("is good as it is").check()
    page.get_by_role("button", name="Decide, then the queue").click()
    page.get_by_role("link", name="Decided").click()


def _decided_item(page: Page, ids: dict[str, str]) -> None:
    _decided(page, ids)
    page.get_by_role("link", name="explanation").click()


def _nothing(page: Page, _: dict[str, str]) -> None:
    page.goto(f"{CONSOLE}/nothing")


def _keys(page: Page, _: dict[str, str]) -> None:
    page.goto(QUEUE)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def _session_over(page: Page, ids: dict[str, str]) -> None:
    page.goto(f"{QUEUE}/{ids['matching']}")
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("Why").fill("half a sentence")
    page.context.clear_cookies()
    page.get_by_label("is not to be used").check()
    page.get_by_role("button", name="Decide, open the next").click()
    expect(page.get_by_role("heading", name="Your session is over")).to_be_visible()


PAGES = (
    *(_sign_in_refused, _queue, _hostile, _deciding_wrongly),
    *(_decided, _decided_item, _nothing, _keys, _session_over),
)


@pytest.mark.parametrize("reach", PAGES, ids=lambda reach: reach.__name__.strip("_"))
def test_every_page_is_readable_and_in_order(
    office: Office, reach: Callable[[Page, dict[str, str]], None]
) -> None:
    office.expected |= {400, 401, 404}
    ids = office.stock(*ALL)
    page = office.seat(office.staff.anna)
    reach(page, ids)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        _look(page)
    page.set_viewport_size(PHONE)
    assert _look(page)["small"] == []
    page.set_viewport_size({"width": 320, "height": 256})  # a desk's page at 400 %
    _look(page)


def _look(page: Page) -> dict[str, Any]:
    seen: dict[str, Any] = page.evaluate(LOOK)
    for fault in ("pale", "edges", "wide", "twice", "nameless", "dangling", "styled"):
        assert seen[fault] == [], fault
    headings = seen["headings"]
    assert headings.count(1) == 1
    assert headings[0] == 1 or page.get_by_role("alert").is_visible()  # what is wrong comes first
    assert all(level <= before + 1 for before, level in zip([2, *headings], headings, strict=False))
    assert seen["landmarks"].count("main") == 1
    assert "header" in seen["landmarks"]
    assert seen["language"] == "en"
    assert seen["title"].endswith(" · Sluice")
    return seen


def test_every_action_is_within_reach_on_a_phone(office: Office) -> None:
    first = replace(MATCHING, age=timedelta(hours=3))
    office.stock(first, plain("second"))
    page = office.seat(office.staff.anna, **ON_A_PHONE)
    page.goto(QUEUE)
    page.get_by_role("button", name="Take the next one").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review of matching")
    jump = page.get_by_role("navigation", name="On this page")
    for name, target in (
        ("Given", "What the model was given"),
        ("Answer", "What the model said"),
        ("Decision", "Your decision"),
    ):
        jump.get_by_role("link", name=name).tap()
        expect(page.get_by_role("heading", name=target)).to_be_in_viewport()
    page.get_by_label("needs other words").tap()
    page.get_by_label("In its place").fill("Maria Keller fits well.")
    page.get_by_label("Why").fill("There are wrong facts in it.")
    page.get_by_role("button", name="Decide, open the next").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review of second")
    page.get_by_role("button", name="Give it back undecided").tap()
    page.get_by_role("button", name="Sign out").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to review")


def test_a_screen_reader_is_told_what_an_item_is_and_what_to_do(office: Office) -> None:
    ids = office.stock(PARSING)
    page = office.seat(office.staff.anna)
    page.goto(f"{QUEUE}/{ids['resume_parsing']}")
    page.get_by_role("button", name="Claim it").click()
    expect(page.locator("body")).to_match_aria_snapshot("""
    - link "Skip to the content"
    - banner:
      - link "Sluice"
      - navigation "Console":
        - link "Queue"
        - link "Decided"
      - button "Sign out"
    - main:
      - heading "Review of resume parsing" [level=1]
      - region "What was found":
        - heading "What was found" [level=2]
        - list:
          - listitem:
            - link "1, show it in the answer"
      - region "What the model said":
        - heading "What the model said" [level=2]
      - region "What the model was given":
        - group:
          - region "Source 1"
      - form "Your decision":
        - group "The answer":
          - radio "is good as it is"
          - radio "needs other words"
          - radio "comes to the wrong result"
          - radio "is not to be used"
        - textbox /Why/
        - button "Decide, open the next"
        - button "Decide, then the queue"
        - button "Hold it for 15 more minutes"
        - button "Give it back undecided"
    - status
    """)


def test_the_browser_may_do_nothing_that_the_pages_do_not_need(office: Office) -> None:
    ids = office.stock(HOSTILE)
    page = office.seat(office.staff.anna)
    page.goto(f"{QUEUE}/{ids['decision']}")
    refused = page.evaluate(
        """() => new Promise((resolve) => {
          const seen = [];
          const note = (e) => seen.push(e.effectiveDirective);
          document.addEventListener("securitypolicyviolation", note);
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
          const picture = new Image();
          picture.src = "http://127.0.0.1:9/x.png";
          document.body.setAttribute("onclick", "window.hacked = 2");
          document.body.style = "color: red";
          document.body.click();
          const form = document.createElement("form");
          form.action = "http://127.0.0.1:9/";
          document.body.append(form);
          form.submit();
          setTimeout(() => resolve(seen), 200);
        })"""
    )
    assert {"script-src-elem", "script-src-attr", "img-src", "form-action"} <= set(refused)
    assert page.evaluate("window.hacked") is None
    office.watched.clear()  # the browser has complained of each


def test_the_documentations_pictures(office: Office, pictures: Path) -> None:
    """Run with `--pictures docs/pictures` to renew them."""
    ids = office.stock(*(case for case in ALL if case is not HOSTILE))
    for name, options in (("item", {"viewport": DESK}), ("phone", ON_A_PHONE)):
        page = office.seat(office.staff.anna, **options)
        page.goto(f"{QUEUE}/{ids['matching']}")
        if name == "item":
            page.get_by_role("button", name="Claim it").click()
            page.get_by_role("heading", level=1).wait_for()
        _draw(page, pictures / f"review-{name}.png")
    page = office.seat(office.staff.ben)
    page.goto(QUEUE)
    _draw(page, pictures / "review-queue.png")


def _draw(page: Page, path: Path) -> None:
    page.screenshot(path=path, full_page=page.viewport_size == DESK, animations="disabled")
    with Image.open(path) as drawn:
        few = drawn.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    assert path.stat().st_size < 200_000
