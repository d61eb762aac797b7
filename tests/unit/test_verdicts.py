"""What a client hears when no tier has answered."""

import pytest

from plugins.core.call import EMPTY_ANSWER, Attempt
from plugins.core.errors import (
    GatewayError,
    InvalidRequest,
    ProviderFailed,
    ProviderTimedOut,
    RateLimited,
    Unavailable,
)
from plugins.proxy.passage import TIMED_OUT, Failure
from plugins.proxy.verdicts import all_failed, none_left
from tests.making import a_call

REFUSED = b'{"error": {"message": "litellm.BadRequestError: temperature is too high"}}'


def _failed(*statuses: int | None, error_class: str = "APIError") -> list[Failure]:
    return [Failure(f"tier-{n}", s, error_class, REFUSED) for n, s in enumerate(statuses)]


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((400,), InvalidRequest),
        ((503,), ProviderFailed),
        ((None,), ProviderFailed),
        ((429,), RateLimited),
        ((401,), ProviderFailed),
        ((503, 400), ProviderFailed),  # the second may lack what the first could do
        ((503, 429), ProviderFailed),
        ((408, 503), ProviderTimedOut),
    ],
)
def test_the_tier_that_was_meant_to_serve_decides(
    statuses: tuple[int | None, ...], kind: type[GatewayError]
) -> None:
    attempts = [Attempt("d", "openai", f"tier-{n}", 0.0) for n in range(len(statuses))]
    error = all_failed(a_call(attempts=attempts), _failed(*statuses))
    assert type(error) is kind
    assert "litellm" not in error.message


def test_a_silent_tier_is_told_as_a_time_out() -> None:
    assert isinstance(all_failed(a_call(), _failed(None, error_class=TIMED_OUT)), ProviderTimedOut)


def test_an_answer_without_content_is_not_what_is_complained_of() -> None:
    failures = [Failure("a", 200, EMPTY_ANSWER), *_failed(429)]
    assert isinstance(all_failed(a_call(), failures), RateLimited)


LACKS = InvalidRequest("'llama-3' cannot take images", code="model_lacks_images")


def _circuit(wait_s: float) -> Unavailable:
    return Unavailable("OpenAI is left alone", code="providers_unavailable", retry_after_s=wait_s)


def _full(wait_s: float) -> RateLimited:
    return RateLimited("OpenAI is full", code="provider_limit_reached", retry_after_s=wait_s)


@pytest.mark.parametrize(
    ("skipped", "kind", "code", "wait_s"),
    [
        ([LACKS], InvalidRequest, "model_lacks_images", None),
        ([LACKS, LACKS], InvalidRequest, "model_lacks_images", None),
        ([_circuit(5)], Unavailable, "providers_unavailable", 5),
        ([_circuit(5), _circuit(3)], Unavailable, "providers_unavailable", 3),
        ([_full(7), _full(2)], RateLimited, "provider_limit_reached", 2),
        ([_full(7), _circuit(9)], Unavailable, "tiers_unavailable", 7),
        ([LACKS, _circuit(4)], Unavailable, "tiers_unavailable", 4),
        ([], Unavailable, "service_unavailable", None),
    ],
)
def test_of_tiers_left_out_the_one_that_time_mends_soonest_is_told(
    skipped: list[GatewayError], kind: type[GatewayError], code: str, wait_s: float | None
) -> None:
    error = none_left(a_call(), skipped)
    assert (type(error), error.code, error.retry_after_s) == (kind, code, wait_s)
