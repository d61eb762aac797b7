"""What the gateway signs, and the addresses that it sends reviewers' decisions to."""

from datetime import timedelta

import pytest

from plugins.core.signing import TOLERANCE, derived_secret, sign, verify
from plugins.tenancy.rules import webhook_url
from tests.making import NOON, SECRET

TIMESTAMP = str(int(NOON.timestamp()))


def test_a_webhooks_secret_is_its_tenants_and_its_salts_own() -> None:
    one = derived_secret(SECRET, "acme", b"salt")
    assert one == derived_secret(SECRET, "acme", b"salt")
    others = {
        derived_secret(SECRET, "globex", b"salt"),
        derived_secret(SECRET, "acme", b"tlas"),
        derived_secret(SECRET + "x", "acme", b"salt"),
    }
    assert len(others | {one}) == 4
    assert len(one) == len("whsec_") + 43


def test_a_signature_holds_for_its_body_and_five_minutes() -> None:
    signature = sign("secret", TIMESTAMP, b"body")
    assert verify("secret", signature, TIMESTAMP, b"body", NOON + TOLERANCE)
    assert not verify("secret", signature, TIMESTAMP, b"body", NOON + TOLERANCE + timedelta(0, 1))
    assert not verify("secret", signature, TIMESTAMP, b"bodies", NOON)
    assert not verify("other", signature, TIMESTAMP, b"body", NOON)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/reviews?tenant=acme",
        "https://10.0.0.7:8443/",
        "http://127.0.0.1:8000/hook",
        "http://127.8.0.1/hook",
        "http://[::1]:8000/",
        "http://localhost/hook",
    ],
)
def test_an_address_is_encrypted_or_this_machines_own(url: str) -> None:
    assert webhook_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "http://10.0.0.7/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "//example.com/",
        "https://",
        "https://user@example.com/",
        "https://user:word@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com/\r\nx-header: 1",
        "https://exämple.com/",
        "",
    ],
)
def test_no_other_address_is_sent_to(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|characters"):
        webhook_url(url)
