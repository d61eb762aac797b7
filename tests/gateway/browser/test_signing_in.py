"""Into the console and out of it again, in a real browser."""

import re

from playwright.sync_api import Page, expect

from tests.gateway.browser.conftest import CONSOLE, Office
from tests.gateway.browser.stocking import plain


def _sign_in(page: Page, key: str) -> None:
    page.get_by_label("Your key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_reviewer_signs_in_and_out(office: Office) -> None:
    page = office.seat()
    page.goto(CONSOLE)
    expect(page.get_by_label("Your key")).to_be_focused()
    _sign_in(page, office.staff.anna)
    expect(page.get_by_role("heading", level=1)).to_have_text("Answers to review")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status").filter(has_text="You have signed out.")).to_be_visible()
    page.goto(f"{CONSOLE}/reviews")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to review")


def test_a_wrong_key_is_refused_in_words_that_help(office: Office) -> None:
    office.expected |= {401, 403}
    page = office.seat()
    page.goto(f"{CONSOLE}/sign-in")
    _sign_in(page, "sk-wrong")
    expect(page.get_by_role("alert")).to_contain_text("This is no key of this gateway.")
    key = page.get_by_label("Your key")
    expect(key).to_have_attribute("aria-invalid", "true")
    expect(key).to_be_focused()
    expect(key).to_have_value("")
    _sign_in(page, office.gateway.demo_key)
    expect(page.get_by_role("alert")).to_contain_text("This key calls models and opens no reviews.")
    assert page.context.cookies() == []


def test_a_link_to_an_item_leads_there_once_signed_in(office: Office) -> None:
    ids = office.stock(plain("matching"))
    page = office.seat()
    page.goto(f"{CONSOLE}/reviews/{ids['matching']}")
    _sign_in(page, office.staff.anna)
    expect(page).to_have_url(re.compile(f"{ids['matching']}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Review of matching")


def test_a_link_in_a_chat_opens_an_item_for_who_is_signed_in(office: Office) -> None:
    ids = office.stock(plain("matching"))
    page = office.seat(office.staff.anna)
    elsewhere = office.gateway.base_url.replace("127.0.0.1", "localhost")
    page.goto(f"{elsewhere}{CONSOLE}/sign-in")  # to a browser, another site
    page.evaluate(
        """(href) => {
          const link = document.createElement("a");
          link.href = href;
          document.body.append(link);
          link.click();
        }""",
        f"{office.gateway.base_url}{CONSOLE}/reviews/{ids['matching']}",
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Review of matching")
    office.watched[:] = [line for line in office.watched if elsewhere not in line]


def test_no_link_leads_from_the_sign_in_to_another_site(office: Office) -> None:
    page = office.seat()
    page.goto(f"{CONSOLE}/sign-in?then=//example.org/sluice/console/reviews")
    _sign_in(page, office.staff.anna)
    expect(page).to_have_url(f"{office.gateway.base_url}{CONSOLE}/reviews")


def test_what_was_written_is_back_after_a_session_that_was_over(office: Office) -> None:
    office.expected.add(401)
    ids = office.stock(plain("matching"))
    page = office.seat(office.staff.anna)
    page.goto(f"{CONSOLE}/reviews/{ids['matching']}")
    page.get_by_role("button", name="Claim it").click()
    page.get_by_label("is not to be used").check()
    page.get_by_label("Why").fill("She left in 2017.")
    page.context.clear_cookies()
    page.get_by_role("button", name="Decide, open the next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your session is over")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_label("Reason")).to_have_value("She left in 2017.")
    page.get_by_role("link", name="Sign in again").click()
    _sign_in(page, office.staff.anna)
    expect(page.get_by_label("Why")).to_have_value("She left in 2017.")
    expect(page.get_by_label("is not to be used")).to_be_checked()
    assert office.state(ids["matching"])["state"] == "claimed"


def test_a_queue_left_open_asks_to_sign_in_when_its_session_is_over(office: Office) -> None:
    office.expected.add(401)
    page = office.seat(office.staff.anna, own=True)
    page.clock.install()
    page.goto(f"{CONSOLE}/reviews")
    page.context.clear_cookies()
    page.clock.run_for(11_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to review")
