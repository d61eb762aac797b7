"""Decisions: of each kind, by keys alone, by two people at once, and through errors."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.gateway.browser.conftest import CONSOLE, PHONE, Office
from tests.gateway.browser.stocking import change, plain

QUEUE = f"{CONSOLE}/reviews"
OUTPUT = "She worked at Acme\nsince 2011."
NEXT = "Decide, open the next"
FORM = "application/x-www-form-urlencoded"


def _claimed(office: Office, item_id: str, key: str | None = None, **options: object) -> Page:
    page = office.seat(key or office.staff.anna, **options)
    page.goto(f"{QUEUE}/{item_id}")
    page.get_by_role("button", name="Claim it").click()
    return page


def _fill(page: Page, choice: str, reason: str = "", text: str | None = None) -> None:
    page.get_by_label(choice).check()
    if text is not None:
        page.get_by_label("In its place").fill(text)
    page.get_by_label("Why").fill(reason)


def _title(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def _verdict(office: Office, item_id: str) -> tuple[object, object]:
    item = office.state(item_id)
    decision = item["decision"]
    return item["state"], decision["reason"] if isinstance(decision, dict) else None


@pytest.mark.spec("10.2", "12.1")
@pytest.mark.parametrize(
    ("choice", "state", "reason", "text", "script"),
    [
        ("is good as it is", "approved", "", None, True),
        ("needs other words", "edited", "the year", "She worked at Acme\nsince 2017.", True),
        ("needs other words", "edited", "the year", "She worked at Acme\nsince 2017.", False),
        ("comes to the wrong result", "overridden", "the gap is leave", "yes", True),
        ("is not to be used", "rejected", "made up", None, False),
    ],
)
def test_each_kind_of_decision_is_taken_and_the_next_item_opens(
    office: Office, choice: str, state: str, reason: str, text: str | None, *, script: bool
) -> None:
    first = plain("first", OUTPUT, age=timedelta(hours=2))
    ids = office.stock(first, plain("second"))
    page = _claimed(office, ids["first"], java_script_enabled=script)
    _fill(page, choice, reason, text)
    page.get_by_role("button", name=NEXT).click()
    expect(_title(page)).to_have_text("Review of second")
    expect(_title(page)).to_be_focused()
    expect(page.get_by_role("form", name="Your decision")).to_be_visible()
    expect(page.get_by_text("the answer of first. This is the next one.")).to_be_visible()
    assert _verdict(office, ids["first"]) == (state, reason)
    page.goto(f"{QUEUE}/{ids['first']}")
    decision = page.get_by_role("region", name="Decision")
    for shown in filter(None, (reason, text)):
        expect(decision).to_contain_text(shown)


def test_a_whole_round_needs_no_mouse(office: Office) -> None:
    ids = office.stock(plain("first", OUTPUT, age=timedelta(hours=2)), plain("second"))
    page = office.seat(office.staff.anna)
    page.goto(QUEUE)
    page.keyboard.press("n")
    expect(_title(page)).to_have_text("Review of first")
    page.keyboard.press("r")
    expect(page.get_by_label("Why")).to_be_focused()
    page.keyboard.type("made up: nobody said so")
    page.keyboard.press("Control+Enter")
    expect(_title(page)).to_have_text("Review of second")
    expect(_title(page)).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_label("In its place")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.get_by_label("is good as it is")).to_be_focused()
    page.keyboard.press("s")
    expect(_title(page)).to_have_text("Answers to review")
    expect(page.get_by_text("You approved the answer of second.")).to_be_visible()
    assert _verdict(office, ids["first"]) == ("rejected", "made up: nobody said so")
    assert _verdict(office, ids["second"]) == ("approved", "")


def test_tab_alone_reaches_everything_in_the_order_that_is_seen(office: Office) -> None:
    ids = office.stock(plain("first", OUTPUT))
    page = _claimed(office, ids["first"])
    reached: list[str] = []
    page.locator("#given").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("(e => e.id || e.value || e.textContent.trim())(document.activeElement)")
        )
        outline = page.evaluate(
            "(e => getComputedStyle(e.closest('label') || e).outlineStyle)(document.activeElement)"
        )
        assert outline != "none", f"nothing shows that {reached[-1]!r} has the focus"
        if reached[-1].startswith("Give it back"):
            break
    wanted = ["approved", "reason", "next", "queue", "Hold it for 15 more minutes"]
    assert [name for name in reached if name in wanted] == wanted
    assert reached[-1].startswith("Give it back")


def test_the_list_of_keys_opens_closes_and_turns_them_off(office: Office) -> None:
    office.stock(plain("first"))
    page = office.seat(office.staff.anna, own=True)
    page.goto(QUEUE)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("take the next item")
    page.keyboard.press("n")  # keys of the page behind it rest
    expect(keys).to_be_visible()
    keys.get_by_label("Keys work").uncheck()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("n")
    page.reload()
    page.keyboard.press("n")
    expect(_title(page)).to_have_text("Answers to review")
    page.get_by_role("button", name="Keys").click()
    keys.get_by_label("Keys work").check()
    keys.get_by_role("button", name="Close").click()
    page.keyboard.press("n")
    expect(_title(page)).to_have_text("Review of first")


@pytest.mark.parametrize(
    ("choice", "reason", "text", "words", "field", "script"),
    [
        ("is not to be used", "", None, "Say in a few words why.", "Why", True),
        ("needs other words", "the year", None, "still the model's own", "In its place", True),
        ("needs other words", "", "since 2017", "Say in a few words why.", "Why", False),
    ],
)
def test_what_is_missing_is_said_and_nothing_typed_is_lost(
    office: Office,
    choice: str,
    reason: str,
    text: str | None,
    words: str,
    field: str,
    *,
    script: bool,
) -> None:
    office.expected.add(400)
    ids = office.stock(plain("first", OUTPUT))
    page = _claimed(office, ids["first"], java_script_enabled=script)
    _fill(page, choice, reason, text)
    page.get_by_role("button", name=NEXT).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Nothing was decided yet")
    expect(alert).to_contain_text(words)
    expect(alert).to_be_focused()
    expect(page).to_have_title(re.compile("^Nothing was decided yet"))
    expect(page.get_by_label(choice)).to_be_checked()
    expect(page.get_by_label("Why")).to_have_value(reason)
    if text is not None:
        expect(page.get_by_label("In its place")).to_have_value(text)
    alert.get_by_role("link").click()
    expect(page.get_by_label(field)).to_be_focused()
    expect(page.get_by_label(field)).to_have_attribute("aria-invalid", "true")
    assert office.state(ids["first"])["state"] == "claimed"


def test_the_second_of_two_reviewers_hears_that_the_first_has_the_item(office: Office) -> None:
    office.expected.add(409)
    ids = office.stock(plain("first", OUTPUT, age=timedelta(hours=2)), plain("second"))
    ben = office.seat(office.staff.ben)
    ben.goto(f"{QUEUE}/{ids['first']}")
    _claimed(office, ids["first"])
    ben.get_by_role("button", name="Claim it").click()
    alert = ben.get_by_role("alert")
    expect(alert).to_contain_text("Another reviewer is working on this item")
    expect(alert).to_be_focused()
    expect(ben.get_by_role("button", name="Claim it")).to_have_count(0)
    alert.get_by_role("button", name="Take the next one").click()
    expect(_title(ben)).to_have_text("Review of second")


def _taken_over(office: Office) -> tuple[str, Page, Page]:
    """Anna writes for so long that her time runs out and Ben claims her item."""
    ids = office.stock(plain("first", OUTPUT))
    anna = _claimed(office, ids["first"])
    _fill(anna, "needs other words", "the year", "Anna's wording")
    over = datetime.now(UTC) - timedelta(minutes=1)
    change(office.gateway.ready["database_url"], ids["first"], lease_until=over)
    return ids["first"], anna, _claimed(office, ids["first"], office.staff.ben)


def test_the_second_of_two_decisions_is_not_taken_and_not_thrown_away(office: Office) -> None:
    office.expected.add(409)
    item_id, anna, ben = _taken_over(office)
    _fill(ben, "is not to be used", "Ben was faster")
    ben.get_by_role("button", name=NEXT).click()
    expect(_title(ben)).to_have_text("Answers to review")
    anna.get_by_role("button", name=NEXT).click()
    expect(anna.get_by_role("alert")).to_contain_text("This item is decided already")
    expect(anna.get_by_role("region", name="Decision: rejected")).to_contain_text("Ben was faster")
    written = anna.get_by_role("region", name="What you had written")
    expect(written.get_by_label("Text")).to_have_value("Anna's wording")
    assert _verdict(office, item_id) == ("rejected", "Ben was faster")


def test_who_has_lost_an_item_can_claim_it_again_and_go_on_writing(office: Office) -> None:
    office.expected.add(409)
    item_id, anna, ben = _taken_over(office)
    anna.get_by_role("button", name=NEXT).click()
    expect(anna.get_by_role("alert")).to_contain_text("You do not hold this item any more")
    expect(anna.get_by_role("region", name="What you had written")).to_be_visible()
    assert office.state(item_id)["state"] == "claimed"
    ben.get_by_role("button", name="Give it back undecided").click()
    expect(_title(ben)).to_have_text("Answers to review")
    anna.goto(f"{QUEUE}/{item_id}")
    anna.get_by_role("button", name="Claim it").click()
    expect(anna.get_by_label("In its place")).to_have_value("Anna's wording")
    anna.get_by_role("button", name=NEXT).click()
    expect(_title(anna)).to_have_text("Answers to review")
    assert _verdict(office, item_id) == ("edited", "the year")


def test_an_item_that_changed_since_is_read_again_with_what_was_written(office: Office) -> None:
    office.expected.add(409)
    ids = office.stock(plain("first", OUTPUT))
    page = _claimed(office, ids["first"])
    _fill(page, "is not to be used", "made up")
    office.seat(office.staff.anna).goto(f"{QUEUE}/{ids['first']}")
    claimed_again = office.gateway.request(
        "POST", f"/sluice/reviews/{ids['first']}/claim", office.staff.anna
    )
    assert claimed_again.status_code == 200
    page.get_by_role("button", name=NEXT).click()
    expect(page.get_by_role("alert")).to_contain_text("has changed since you opened it")
    expect(page.get_by_label("Why")).to_have_value("made up")
    page.get_by_role("button", name=NEXT).click()
    expect(_title(page)).to_have_text("Answers to review")
    assert _verdict(office, ids["first"]) == ("rejected", "made up")


def test_a_form_of_an_older_session_is_shown_again_and_not_obeyed(office: Office) -> None:
    office.expected.add(403)
    ids = office.stock(plain("first", OUTPUT))
    page = _claimed(office, ids["first"])
    _fill(page, "is not to be used", "made up")
    page.locator("form.decide [name=form_token]").evaluate("e => e.value = 'of yesterday'")
    page.get_by_role("button", name=NEXT).click()
    expect(page.get_by_role("alert")).to_contain_text("You have signed in anew")
    expect(page.get_by_label("Why")).to_have_value("made up")
    assert office.state(ids["first"])["state"] == "claimed"
    page.get_by_role("button", name=NEXT).click()
    expect(_title(page)).to_have_text("Answers to review")


def test_a_decision_sent_twice_counts_once_and_claims_one_item(office: Office) -> None:
    ids = office.stock(
        plain("first", OUTPUT, age=timedelta(hours=2)),
        plain("second", age=timedelta(hours=1)),
        plain("third"),
    )
    page = _claimed(office, ids["first"], java_script_enabled=False)
    page.get_by_label("is good as it is").check()
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.get_by_role("button", name=NEXT).click()
    expect(_title(page)).to_have_text("Review of second")
    again = page.context.request.post(
        sent.value.url, data=sent.value.post_data, headers={"content-type": FORM}
    )
    assert "Review of second" in again.text()
    assert "You approved the answer of" in again.text()
    page.reload()
    expect(_title(page)).to_have_text("Review of second")
    assert office.state(ids["first"])["version"] == 3  # claimed, decided
    assert office.state(ids["third"])["state"] == "open"


def test_a_second_click_while_the_first_is_on_its_way_sends_nothing(office: Office) -> None:
    ids = office.stock(plain("first", OUTPUT, age=timedelta(hours=2)), plain("second"))
    page = _claimed(office, ids["first"])
    sent: list[Route] = []
    page.route("**/decision", lambda route: sent.append(route))
    page.get_by_label("is good as it is").check()
    page.evaluate(
        """async () => {
          const button = document.querySelector("button[value=next]");
          button.click();
          await new Promise((resolve) => setTimeout(resolve, 100));
          button.click();
          await new Promise((resolve) => setTimeout(resolve, 100));
        }"""
    )
    (first,) = sent
    first.continue_()
    expect(_title(page)).to_have_text("Review of second")
    assert office.state(ids["first"])["version"] == 3


def test_writing_for_long_keeps_the_item_without_losing_a_word(office: Office) -> None:
    ids = office.stock(plain("first", OUTPUT))
    page = office.seat(office.staff.anna, own=True)
    page.clock.install()
    page.goto(f"{QUEUE}/{ids['first']}")
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("is not to be used").check()
    before = office.state(ids["first"])
    page.get_by_label("Why").press_sequentially("made ")
    page.clock.run_for(6 * 60 * 1000)
    with page.expect_response(lambda answer: answer.url.endswith("/claim")):
        page.get_by_label("Why").press_sequentially("up")
    expect(page.locator("[name=version]")).to_have_value("3")
    after = office.state(ids["first"])
    assert str(after["lease_until"]) > str(before["lease_until"])
    expect(page.get_by_label("Why")).to_have_value("made up")
    page.get_by_role("button", name=NEXT).click()
    expect(_title(page)).to_have_text("Answers to review")
    assert _verdict(office, ids["first"]) == ("rejected", "made up")


def test_a_half_written_decision_is_there_again_after_a_look_at_something_else(
    office: Office,
) -> None:
    ids = office.stock(plain("first", OUTPUT), plain("second"))
    page = _claimed(office, ids["first"])
    _fill(page, "needs other words", "the year", "since 2017")
    page.get_by_role("link", name="Queue").click()
    page.get_by_role("link", name="first").click()
    expect(page.get_by_label("In its place")).to_have_value("since 2017")
    expect(page.locator("#live")).to_have_text("What you had begun to write is back.")
    page.get_by_role("button", name="Give it back undecided").click()
    expect(_title(page)).to_have_text("Answers to review")
    assert office.state(ids["first"])["state"] == "open"
    assert page.evaluate("Object.keys(sessionStorage).filter(n => n.startsWith('draft'))") == []


def test_holding_an_item_for_longer_keeps_what_was_written_without_a_script(
    office: Office,
) -> None:
    ids = office.stock(plain("first", OUTPUT))
    page = _claimed(office, ids["first"], java_script_enabled=False, viewport=PHONE)
    _fill(page, "is not to be used", "made up")
    page.get_by_role("button", name="Hold it for 15 more minutes").click()
    expect(page.get_by_label("Why")).to_have_value("made up")
    expect(page.get_by_label("is not to be used")).to_be_checked()
    page.get_by_role("button", name="Decide, then the queue").click()
    expect(page.get_by_text("You rejected the answer of first.")).to_be_visible()
