from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from plugins import policy
from plugins.core.limit import RateLimit
from plugins.settings import ConfigurationError, environment, load

ROOT = Path(__file__).parents[2]


def _written(tmp_path: Path, **changes: object) -> Path:
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    path = tmp_path / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config | changes))
    return path


PRIMARIES = {
    "resume_parsing": "gpt-4o-mini",
    "jd_enrichment": "gpt-4o",
    "matching": "gpt-4o",
    "screening": "gpt-4o",
    "voice_interview": "gpt-4o",
    "decision": "claude-3-5-sonnet",
    "explanation": "claude-3-5-sonnet",
}


@pytest.mark.spec("2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7")
@pytest.mark.parametrize(("agent", "primary"), PRIMARIES.items())
def test_each_agent_has_its_primary_model(agent: str, primary: str) -> None:
    assert load(ROOT / "proxy_config.yaml").agents[agent].tiers[0] == primary


@pytest.mark.parametrize("agent", PRIMARIES)
def test_each_agent_falls_back_to_the_other_provider_and_then_to_our_own_weights(
    agent: str,
) -> None:
    config = load(ROOT / "proxy_config.yaml")
    providers = {d.model_name: d.provider for d in config.deployments.values()}
    tiers = [providers[t] for t in config.agents[agent].tiers]
    first = providers[PRIMARIES[agent]]
    other = {"openai": "anthropic", "anthropic": "openai"}[first]
    assert tiers == [first, other, "vllm"]


def test_every_fault_is_reported_at_once_with_its_path(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        sluice={
            "agents": {
                "matching": {"tiers": ["gpt-5000"], "colour": "red"},
                "empty": {"tiers": []},
            },
            "limits": {"body_bytes": -1},
            "prices": {"x": {}},
        },
    )
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    text = str(caught.value)
    for part in (
        "sluice.agents.matching.colour",
        "sluice.agents.empty.tiers",
        "sluice.limits.body_bytes",
        "sluice.prices.x",
    ):
        assert part in text


def test_a_tier_without_a_model_is_named_with_those_that_exist(tmp_path: Path) -> None:
    path = _written(tmp_path, sluice={"agents": {"matching": {"tiers": ["gpt-4o", "nope"]}}})
    with pytest.raises(ConfigurationError, match=r"sluice\.agents\.matching\.tiers\[1\].*'nope'"):
        load(path)


@pytest.mark.parametrize(
    ("text", "part"),
    [("", "no mapping"), ("a: [", "not valid YAML"), ("- 1", "no mapping"), ("\x00", "YAML")],
)
def test_a_file_that_is_no_configuration_is_said_to_be_none(
    tmp_path: Path, text: str, part: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=part):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml"):
        load(tmp_path / "absent.yaml")


def test_two_deployments_of_one_id_are_refused(tmp_path: Path) -> None:
    models = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())["model_list"]
    with pytest.raises(ConfigurationError, match="stands twice"):
        load(_written(tmp_path, model_list=[*models, models[0]]))


def test_missing_variables_are_all_named_and_no_value_is_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        environment({"SLUICE_SECRET": "too-short"})
    text = str(caught.value)
    assert "SLUICE_DATABASE_URL" in text
    assert "SLUICE_REDIS_URL" in text
    assert "SLUICE_SECRET" in text
    assert "too-short" not in text


def test_the_environment_is_read() -> None:
    found = environment(
        {
            "SLUICE_DATABASE_URL": "postgresql://x",
            "SLUICE_REDIS_URL": "redis://x",
            "SLUICE_SECRET": "s" * 32,
            "SLUICE_PRACTICE_PROVIDERS": "openai, vllm,",
        }
    )
    assert found.practice == {"openai", "vllm"}
    assert "s" * 32 not in repr(found)


def test_the_policy_states_a_retired_model_and_its_date() -> None:
    policy = load(ROOT / "proxy_config.yaml").policy
    assert policy.retired == {"claude-3-5-sonnet": date(2025, 10, 28)}


GPU_HOUR = {"usd_per_hour": "2.50", "input_tokens_per_s": 8000, "output_tokens_per_s": 1200}


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"input_per_million_usd": 1, "free_because": "x"},
        {"gpu_hour": GPU_HOUR, "free_because": "x"},
        {"gpu_hour": GPU_HOUR, "output_per_million_usd": 1},
    ],
)
def test_a_price_is_given_or_explained(row: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="free_because"):
        policy.PriceRow.model_validate(row)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("usd_per_hour", 0),
        ("usd_per_hour", "-1"),
        ("usd_per_hour", "Infinity"),
        ("usd_per_hour", "NaN"),
        ("gpus", 0),
        ("input_tokens_per_s", 0),
        ("output_tokens_per_s", "-1"),
        ("busy_share", 0),
        ("busy_share", "1.01"),
        ("tokens_per_s", 1),
    ],
)
def test_a_gpu_hour_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        policy.PriceRow.model_validate({"gpu_hour": {**GPU_HOUR, field: value}})


def test_prices_are_decimals() -> None:
    row = policy.PriceRow.model_validate({"per_minute_usd": "0.0043"})
    assert row.per_minute_usd == Decimal("0.0043")


@pytest.mark.spec("8.1")
def test_answers_are_cached_for_an_hour_unless_an_agent_says_otherwise(tmp_path: Path) -> None:
    shipped = load(ROOT / "proxy_config.yaml").cache_policies
    assert {(p.ttl_s, p.enabled) for n, p in shipped.items() if n != "voice_interview"} == {
        (3600, True)
    }
    assert not shipped["voice_interview"].enabled
    agents = {
        "matching": {"tiers": ["gpt-4o"], "cache": {"ttl_s": 60, "coalesce": False}},
        "decision": {"tiers": ["gpt-4o"], "cache": {"keep_tool_calls": True}},
    }
    policy = {"agents": agents, "cache": {"ttl_s": 120, "wait_s": 5}}
    found = load(_written(tmp_path, sluice=policy)).cache_policies
    assert [(found[n].ttl_s, found[n].coalesce) for n in ("", "matching", "decision")] == [
        (120, True),
        (60, False),
        (120, True),
    ]
    assert [found[n].keep_tool_calls for n in ("", "matching", "decision")] == [False, False, True]
    assert {p.wait_s for p in found.values()} == {5.0}


@pytest.mark.parametrize(
    ("cache", "path"),
    [
        ({"ttl_s": 0}, "sluice.cache.ttl_s"),
        ({"wait_s": 0}, "sluice.cache.wait_s"),
        ({"tenant_bytes": 1000}, "sluice.cache.tenant_bytes"),
        ({"ttl": 60}, "sluice.cache.ttl"),
        ({"largest_entry_bytes": 16_000_000, "tenant_bytes": 2**21}, "no such entry would fit"),
    ],
)
def test_a_cache_that_cannot_be_is_refused_with_its_path(
    tmp_path: Path, cache: dict[str, object], path: str
) -> None:
    policy = {"agents": {"a": {"tiers": ["gpt-4o"]}}, "cache": cache}
    with pytest.raises(ConfigurationError) as caught:
        load(_written(tmp_path, sluice=policy))
    assert path in str(caught.value)


def test_the_cache_may_have_a_redis_of_its_own() -> None:
    variables = {
        "SLUICE_DATABASE_URL": "postgresql://x",
        "SLUICE_REDIS_URL": "redis://x",
        "SLUICE_SECRET": "s" * 32,
    }
    assert environment(variables).cache_redis_url is None
    assert environment(variables | {"SLUICE_CACHE_REDIS_URL": ""}).cache_redis_url is None
    own = environment(variables | {"SLUICE_CACHE_REDIS_URL": "redis://own"})
    assert (own.redis_url, own.cache_redis_url) == ("redis://x", "redis://own")


@pytest.mark.spec("8.2")
def test_the_providers_limits_are_those_of_the_requirement() -> None:
    limits = load(ROOT / "proxy_config.yaml").policy.rate_limits
    assert limits.of_providers == {
        "openai": RateLimit(10_000, 2_000_000),
        "anthropic": RateLimit(5_000, 400_000),
    }
    assert (limits.tenant, limits.key) == (None, None)


@pytest.mark.parametrize(
    ("rate_limits", "said"),
    [
        ({"providers": {"opnai": {"rpm": 1}}}, r"rate_limits\.providers\.opnai: no provider"),
        ({"providers": {"openai": {"rpm": 0}}}, r"providers\.openai\.rpm"),
        ({"providers": {"openai": {"rps": 5}}}, r"providers\.openai\.rps"),
        ({"tenant": {"tpm": -1}}, r"rate_limits\.tenant\.tpm"),
        ({"key": "all"}, r"rate_limits\.key"),
        ({"agents_answer_tokens": {"mtching": 5}}, r"agents_answer_tokens\.mtching: no agent"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_a_fault(
    tmp_path: Path, rate_limits: dict[str, object], said: str
) -> None:
    policy = {"agents": {"matching": {"tiers": ["gpt-4o"]}}, "rate_limits": rate_limits}
    with pytest.raises(ConfigurationError, match=said):
        load(_written(tmp_path, sluice=policy))


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"tenants": ["Acme"]}, r"metrics\.tenants\.0"),
        ({"tenants": ["a" * 64]}, r"metrics\.tenants\.0"),
        ({"tenants": ["acme\n"]}, r"metrics\.tenants\.0"),
        ({"tenants": ["acme", "acme"]}, r"metrics\.tenants.*stands twice"),
        ({"tenants": ["other"]}, r"metrics\.tenants.*'other'"),
        ({"tenants": [f"t{n}" for n in range(51)]}, r"metrics\.tenants.*at most 50"),
        ({"tenant": ["acme"]}, r"metrics\.tenant: Extra"),
    ],
)
def test_tenants_that_cannot_be_measured_are_a_fault(
    tmp_path: Path, metrics: dict[str, object], said: str
) -> None:
    sections = {"agents": {"matching": {"tiers": ["gpt-4o"]}}, "metrics": metrics}
    with pytest.raises(ConfigurationError, match=said):
        load(_written(tmp_path, sluice=sections))


def test_no_tenant_is_measured_unless_it_is_named(tmp_path: Path) -> None:
    assert load(ROOT / "proxy_config.yaml").policy.metrics.tenants == ()
    named = {"agents": {"matching": {"tiers": ["gpt-4o"]}}, "metrics": {"tenants": ["acme", "b"]}}
    assert load(_written(tmp_path, sluice=named)).policy.metrics.tenants == ("acme", "b")
