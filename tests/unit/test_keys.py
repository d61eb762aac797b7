import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.agents.rules import Catalogue, may_use
from plugins.cli.up_console import Report
from plugins.cli.up_gateway import Gateway, Options
from plugins.core.agent import Agent
from plugins.core.call import Endpoint
from plugins.core.errors import GatewayError
from plugins.core.tenant import Principal
from plugins.tenancy.rules import KeyHasher, KeyRecord, judge, key_id_of, new_token

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HASHER = KeyHasher("x" * 32)


def test_a_new_key_carries_its_identifier_and_a_checksum() -> None:
    key_id, token = new_token()
    assert token.startswith(f"sk-{key_id}-")
    assert key_id_of(token) == key_id


@given(st.integers(3, 51), st.characters(min_codepoint=33, max_codepoint=126))
def test_one_wrong_character_is_noticed_without_a_query(index: int, wrong: str) -> None:
    _, token = new_token()
    changed = token[:index] + wrong + token[index + 1 :]
    assert changed == token or key_id_of(changed) is None


@given(st.text())
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert key_id_of(text) is None


def _record(**changes: object) -> KeyRecord:
    values: dict[str, object] = {
        "principal": Principal("k", "acme"),
        "hash": HASHER.hash("token"),
        "revoked_at": None,
        "tenant_active": True,
        "version": 1,
    }
    return KeyRecord(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("record", "token", "code"),
    [
        (None, "token", "invalid_api_key"),
        (_record(), "other", "invalid_api_key"),
        (_record(revoked_at=NOW), "token", "key_revoked"),
        (_record(revoked_at=NOW + timedelta(hours=1)), "token", "key_revoked"),
        (_record(revoked_at=NOW), "other", "invalid_api_key"),
        (_record(principal=Principal("k", "acme", expires_at=NOW)), "token", "key_expired"),
        (
            _record(principal=Principal("k", "acme", expires_at=NOW + timedelta(seconds=1))),
            "token",
            None,
        ),
        (_record(tenant_active=False), "token", "tenant_suspended"),
        (_record(), "token", None),
    ],
)
def test_a_key_is_judged_by_secret_first_then_state(
    record: KeyRecord | None, token: str, code: str | None
) -> None:
    verdict = judge(record, HASHER.hash(token), NOW)
    assert (verdict.code if isinstance(verdict, GatewayError) else None) == code


@pytest.mark.parametrize(
    ("agents", "models", "allowed"),
    [
        ((), (), {"matching", "gpt-4o"}),
        (("matching",), (), {"matching"}),
        ((), ("gpt-4o",), {"gpt-4o"}),
        (("matching",), ("gpt-4o",), {"matching", "gpt-4o"}),
        (("decision",), (), set()),
    ],
)
@pytest.mark.spec("13.1")
def test_a_key_that_lists_something_may_use_that_alone(
    agents: tuple[str, ...], models: tuple[str, ...], allowed: set[str]
) -> None:
    who = Principal("k", "acme", agents=frozenset(agents), models=frozenset(models))
    assert {name for name in ("matching", "gpt-4o") if may_use(who, name)} == allowed


CATALOGUE = Catalogue(
    {"matching": Agent("matching", ("gpt-4o", "llama-3"))},
    {"gpt-4o": "chat", "llama-3": "chat", "ada": "embedding"},
)


@pytest.mark.spec("2.8")
@pytest.mark.parametrize(
    ("name", "endpoint", "tiers"),
    [
        ("matching", Endpoint.CHAT, ("gpt-4o", "llama-3")),
        ("gpt-4o", Endpoint.CHAT, ("gpt-4o",)),
        ("ada", Endpoint.EMBEDDINGS, ("ada",)),
    ],
)
def test_a_name_is_an_agent_or_a_plain_model(
    name: str, endpoint: Endpoint, tiers: tuple[str, ...]
) -> None:
    found = CATALOGUE.resolve(Principal("k", "acme"), name, endpoint)
    assert not isinstance(found, GatewayError)
    assert found[1] == tiers


@pytest.mark.parametrize(
    ("name", "endpoint", "code"),
    [
        ("nope", Endpoint.CHAT, "model_not_found"),
        ("ada", Endpoint.CHAT, "model_not_supported"),
        ("matching", Endpoint.EMBEDDINGS, "model_not_supported"),
        ("gpt-4o", Endpoint.MODERATIONS, "model_not_supported"),
    ],
)
def test_a_name_that_does_not_fit_is_refused_with_what_does(
    name: str, endpoint: Endpoint, code: str
) -> None:
    found = CATALOGUE.resolve(Principal("k", "acme"), name, endpoint)
    assert isinstance(found, GatewayError)
    assert (found.code, found.param) == (code, "model")


def test_a_name_not_allowed_is_said_not_to_be() -> None:
    who = Principal("k", "acme", models=frozenset({"ada"}))
    found = CATALOGUE.resolve(who, "matching", Endpoint.CHAT)
    assert isinstance(found, GatewayError)
    assert (found.status, found.code) == (403, "model_not_allowed")


def test_the_practice_server_is_not_given_the_operators_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "SLUICE_SECRET", "DATABASE_URL"):
        monkeypatch.setenv(name, "the operator's own")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    options = Options("127.0.0.1", 0, 1, tmp_path / "config.yaml", tmp_path, "error")
    _, (practice,) = Gateway(options, Report())._practice()
    given = practice._launch.env
    assert given is not None, "None would be our whole environment"
    assert "the operator's own" not in given.values()
    assert given["PATH"] == os.environ["PATH"]


def test_tiers_are_named_in_order() -> None:
    agent = Agent("a", ("w", "x", "y", "z"))
    assert [agent.tier_of(t) for t in ("w", "x", "y", "z", "?")] == [
        "primary",
        "secondary",
        "tertiary",
        "tier-4",
        "other",
    ]
