"""Makes calls for tests that need one."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from plugins.core.call import Attempt, Call, Endpoint, Outcome, Usage, UsageSource
from plugins.core.chain import Seals
from plugins.core.identifiers import new_call_id
from plugins.core.tenant import Principal

SECRET = "a secret of more than thirty-two characters"
SEALS = Seals(SECRET)
PATIENT_S = 20.0
"""What Redis gets to answer where the counts are proved and not what an outage does to them: a busy
machine must not look like one. A stopped Redis refuses at once whatever this says."""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_call(tenant_id: str = "acme", **changes: Any) -> Call:
    """An answered chat call of 250 tokens in and 150 out (SPEC 11.2's example)."""
    call = Call(
        id=new_call_id(),
        endpoint=Endpoint.CHAT,
        principal=Principal("key0000001", tenant_id),
        model_asked="gpt-4o",
        body={},
        started_at=NOON,
        started_s=100.0,
        attempts=[Attempt("openai-gpt-4o", "openai", "gpt-4o", 100.0, 100.5)],
        outcome=Outcome.ANSWERED,
        status=200,
        deployment="openai-gpt-4o",
        usage=Usage(250, 150, source=UsageSource.PROVIDER),
        cost_usd=Decimal("0.002125"),
        ended_s=100.6,
    )
    for name, value in changes.items():
        setattr(call, name, value)
    return call
