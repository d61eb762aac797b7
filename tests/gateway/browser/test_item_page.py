"""One item: what the model said beside what it was given, and what was found in it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.gateway.browser.conftest import CONSOLE, Office
from tests.gateway.browser.stocking import (
    ALL,
    ARABIC,
    ERASED,
    EXPLANATION,
    HOSTILE,
    INJECTION,
    LONG,
    MATCHING,
    PARSED,
    PARSING,
    RESUME,
    SCREENING,
    UNKEPT,
    Case,
)


def _open(office: Office, case: Case, **options: object) -> Page:
    ids = office.stock(case)
    page = office.seat(office.staff.anna, **options)
    page.goto(f"{CONSOLE}/reviews/{ids[case.name]}")
    return page


@pytest.mark.spec("10.2", "10.4")
def test_the_answer_stands_beside_its_sources_with_findings_highlighted(office: Office) -> None:
    page = _open(office, MATCHING)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    answer = page.get_by_role("region", name="What the model said")
    given = page.get_by_role("region", name="What the model was given")
    assert answer.locator(".answer").evaluate("e => e.textContent") == EXPLANATION
    assert given.get_by_role("region", name="Source 1").inner_text().strip() == RESUME
    marks = page.locator("mark")
    assert marks.all_inner_texts() == [
        "a team of six",
        "PhD in statistics",
        "No experience with Kubernetes",
        "As a young mother",
    ]
    left, right = answer.bounding_box(), given.bounding_box()
    assert left
    assert right
    assert left["x"] + left["width"] <= right["x"]
    found = page.get_by_role("region", name="What was found").get_by_role("listitem")
    expect(found).to_have_count(5)
    expect(found.nth(1)).to_contain_text("the resume says MSc")
    expect(found.nth(3)).to_contain_text("Unfair wording: family status")
    expect(found.nth(4)).to_contain_text("Confidence: below threshold")
    given.get_by_text("Message 2: user").click()
    expect(given.get_by_role("region", name="Message 2")).to_contain_text("Explain the score")


def test_a_finding_leads_to_its_place_by_mouse_and_by_keys(office: Office) -> None:
    page = _open(office, MATCHING, viewport={"width": 1280, "height": 420})
    last = page.locator("mark").nth(3)
    expect(last).not_to_be_in_viewport()
    page.get_by_role("link", name="4, show it in the answer").click()
    expect(last).to_be_in_viewport()
    assert page.evaluate("document.querySelector(':target').textContent") == "As a young mother"
    page.locator("h1").focus()
    for wanted in (0, 1, 2, 3, 0):
        page.keyboard.press("j")
        expect(page.locator("mark").nth(wanted)).to_be_focused()
    page.keyboard.press("k")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    expect(page.locator("#live")).to_contain_text("Finding 4 of 4: Unfair wording")


def test_the_sources_stay_in_sight_while_one_reads_on(office: Office) -> None:
    page = _open(office, MATCHING, viewport={"width": 1280, "height": 420})
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("Why").scroll_into_view_if_needed()
    expect(page.get_by_role("heading", name="What the model was given")).to_be_in_viewport()


def test_a_json_answer_is_laid_out_and_its_fields_are_marked(office: Office) -> None:
    page = _open(office, PARSING)
    shown = page.locator(".answer").evaluate("e => e.textContent")
    assert '\n  "personal": {\n    "full_name": "Øyvind Ñuñez-Łukasiewicz",' in shown
    assert "".join(shown.split()) == "".join(PARSED.split())
    assert page.locator("mark").all_inner_texts() == ['"2021-13"', '"日本語"']
    # Two findings share a place, and each leads there.
    for number in (1, 2):
        page.get_by_role("link", name=f"{number}, show it").click()
        assert page.evaluate("document.querySelector(':target').closest('mark').textContent") == (
            '"2021-13"'
        )


def test_scripts_from_right_to_left_read_from_the_right(office: Office) -> None:
    page = _open(office, SCREENING)
    answer = page.locator(".answer")
    expect(answer).to_contain_text(ARABIC)
    assert answer.evaluate("e => getComputedStyle(e).direction") == "rtl"
    assert answer.evaluate("e => getComputedStyle(e).unicodeBidi") == "plaintext"
    expect(page.get_by_role("region", name="Message 5")).to_contain_text("שלום")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_injected_html_is_text_wherever_it_is_shown(office: Office, *, script: bool) -> None:
    ids = office.stock(HOSTILE)
    page = office.seat(office.staff.anna, java_script_enabled=script)
    for path in ("", f"/{ids['decision']}"):
        page.goto(f"{CONSOLE}/reviews{path}")
        expect(page.locator("#injected, main img, main svg, main script")).to_have_count(0)
    page.get_by_role("button", name="Claim it").click()
    expect(page.locator(".answer")).to_have_text(INJECTION)
    expect(page.locator("#text")).to_have_value(INJECTION)
    page.get_by_label("is not to be used").check()
    page.get_by_label("Why").fill(INJECTION)
    page.get_by_role("button", name="Decide, then the queue").click()
    page.get_by_role("link", name="Decided").click()
    expect(page.get_by_role("listitem")).to_contain_text("<script>window.hacked = 1")
    page.get_by_role("link", name="decision", exact=False).last.click()
    expect(page.get_by_role("region", name="Decision")).to_contain_text(INJECTION)
    expect(page.locator("#injected, main img, main svg, main script")).to_have_count(0)
    if script:
        assert page.evaluate("window.hacked") is None


@pytest.mark.spec("14.2")
@pytest.mark.parametrize(
    ("case", "words"),
    [
        (ERASED, "The texts were erased on"),
        (UNKEPT, "The texts of this call were not kept."),
    ],
)
def test_an_item_without_texts_says_why_and_can_be_decided(
    office: Office, case: Case, words: str
) -> None:
    page = _open(office, case)
    expect(page.get_by_role("region", name="What the model said")).to_contain_text(words)
    page.get_by_role("button", name="Claim it").click()
    expect(page.get_by_role("radio")).to_have_count(2)
    page.get_by_label("is not to be used").check()
    page.get_by_label("Why").fill("nobody can say any more")
    page.get_by_role("button", name="Decide, open the next").click()
    expect(page.locator("[data-done]")).to_contain_text("You rejected the answer of")


def test_a_resume_of_200_kb_is_all_there_and_out_of_the_way(office: Office) -> None:
    page = _open(office, LONG)
    source = page.get_by_role("region", name="Source 1")
    assert LONG.dossier
    assert source.evaluate("e => e.textContent") == LONG.dossier.sources[0].text
    page.get_by_role("button", name="Claim it").click()
    expect(page.get_by_role("form", name="Your decision")).to_be_visible()
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height < 3 * 900, f"the page is {height} px high"
    page.keyboard.press("d")
    expect(page.get_by_label("is good as it is")).to_be_in_viewport()


def test_an_item_of_any_kind_opens_without_a_complaint(office: Office) -> None:
    ids = office.stock(*ALL)
    page = office.seat(office.staff.all_tenants)
    for name, item_id in ids.items():
        page.goto(f"{CONSOLE}/reviews/{item_id}")
        heading = re.compile(name.replace("_", " "))
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
