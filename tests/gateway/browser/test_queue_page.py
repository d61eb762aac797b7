"""The queue as reviewers see it."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from plugins.core.review import Reason
from plugins.review.pages import PAGE
from tests.gateway.browser.conftest import CONSOLE, Office
from tests.gateway.browser.stocking import MATCHING, PARSING, SCREENING, many, plain

QUEUE = f"{CONSOLE}/reviews"


def _names(page: Page) -> list[str]:
    return [text.split(",")[0] for text in page.locator(".entry .what a").all_text_contents()]


def test_what_is_due_first_comes_first_and_says_why_and_since_when(office: Office) -> None:
    office.stock(SCREENING, PARSING, MATCHING, plain("sampled", reasons=[Reason.SAMPLE]))
    page = office.seat(office.staff.anna)
    page.goto(QUEUE)
    assert _names(page) == ["resume parsing", "matching", "screening", "sampled"]
    first = page.get_by_role("listitem").filter(has_text="resume parsing")
    for words in ("overdue by 60 min", "Doubtful", "Not in the sources", "answered 9 h ago"):
        expect(first).to_contain_text(words)
    expect(page.get_by_role("heading", name="Waiting")).to_contain_text(
        "4, 1 with a caller who waits, 1 overdue"
    )
    # All of an entry can be clicked, not the few letters of its name alone.
    page.get_by_role("listitem").filter(has_text="sampled").get_by_text("Sample", exact=True).click(
        force=True
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Review of sampled")


def test_an_empty_queue_says_so_and_new_items_show_up_by_themselves(office: Office) -> None:
    page = office.seat(office.staff.anna, own=True)
    page.clock.install()
    page.goto(QUEUE)
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    expect(page.get_by_role("button", name="Take the next one")).to_have_count(0)
    office.stock(plain("matching"))
    page.clock.run_for(11_000)
    expect(page.get_by_role("link", name="matching")).to_be_visible()
    expect(page.locator("#live")).to_have_text("1 answers wait now.")


def test_a_refreshed_queue_leaves_the_keyboard_where_it_was(office: Office) -> None:
    office.stock(plain("matching"), plain("screening"))
    page = office.seat(office.staff.anna, own=True)
    page.clock.install()
    page.goto(QUEUE)
    page.get_by_role("link", name="screening").focus()
    with page.expect_response(lambda answer: answer.url.endswith("/reviews")):
        page.clock.run_for(11_000)
    expect(page.get_by_role("link", name="screening")).to_be_focused()
    expect(page.locator("#live")).to_be_empty()


def test_a_queue_that_cannot_be_refreshed_says_that_it_may_be_old(office: Office) -> None:
    office.stock(plain("matching"))
    office.expected.add(503)
    page = office.seat(office.staff.anna, own=True)
    page.clock.install()
    page.goto(QUEUE)
    page.route("**/reviews", lambda route: route.fulfill(status=503, body="away"))
    page.clock.run_for(11_000)
    expect(page.locator("#live")).to_contain_text("what you see may be old")
    expect(page.get_by_role("link", name="matching")).to_be_visible()
    page.unroute("**/reviews")
    page.clock.run_for(11_000)
    expect(page.locator("#live")).to_be_empty()
    office.watched[:] = [line for line in office.watched if "Response Status Error" not in line]


@pytest.mark.spec("13.2")
def test_a_reviewer_sees_their_own_tenants_items_alone(office: Office) -> None:
    office.expected.add(404)
    staff = office.staff
    ours = office.stock(plain("ours"))
    theirs = office.stock(plain("theirs"), tenant_id=staff.other_tenant_id)
    for key, name, foreign in ((staff.anna, "ours", theirs), (staff.cleo, "theirs", ours)):
        page = office.seat(key)
        page.goto(QUEUE)
        assert _names(page) == [name]
        (item_id,) = foreign.values()
        page.goto(f"{QUEUE}/{item_id}")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such item for you")
        page.get_by_role("link", name="Go to the queue").click()
        assert _names(page) == [name]
    page = office.seat(staff.all_tenants)
    page.goto(QUEUE)
    for name, tenant_id in (("ours", staff.tenant_id), ("theirs", staff.other_tenant_id)):
        item = page.get_by_role("listitem").filter(has=page.get_by_role("link", name=name))
        expect(item).to_contain_text(f"for {tenant_id}")


def test_a_long_queue_has_further_pages(office: Office) -> None:
    office.stock(*many(PAGE + 2))
    page = office.seat(office.staff.anna)
    page.goto(QUEUE)
    assert _names(page) == [f"agent {n}" for n in range(PAGE)]
    page.get_by_role("link", name="Show later ones").click()
    assert _names(page) == [f"agent {PAGE}", f"agent {PAGE + 1}"]
    page.get_by_role("link", name="Back to the beginning").click()
    assert _names(page)[0] == "agent 0"


def test_what_one_holds_comes_before_everything_else(office: Office) -> None:
    ids = office.stock(plain("urgent", age=timedelta(hours=30)), plain("claimed"))
    page = office.seat(office.staff.anna)
    page.goto(f"{QUEUE}/{ids['claimed']}")
    page.get_by_role("button", name="Claim it").click()
    page.goto(QUEUE)
    assert _names(page) == ["claimed", "urgent"]
    expect(page.get_by_role("region", name="With you")).to_contain_text("claimed")
    page.get_by_role("button", name="Go on with yours").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review of claimed")
    other = office.seat(office.staff.ben)
    other.goto(QUEUE)
    taken = other.get_by_role("listitem").filter(has_text="claimed")
    expect(taken).to_contain_text(f"with reviewer {office.staff.anna[3:13]}")
    other.get_by_role("button", name="Take the next one").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Review of urgent")
