"""Prices and abilities of the deployments: LiteLLM's list, with the operator's word over it."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from typing_extensions import override

from plugins.agents.abilities import Abilities
from plugins.core.money import usd
from plugins.cost.rules import MILLION, MINUTE_S, THOUSAND, Price
from plugins.policy import PriceRow
from plugins.settings import Configuration, Deployment

RETIRES_SOON_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class LifecycleNote:
    """One model that its provider has retired or is about to.

    Args:
        text: what is said of it, with the date.
        day: when it is or was retired.
        replaced: tells whether the policy knows, and something else serves the name.
    """

    text: str
    day: date
    replaced: bool = False

    @override
    def __str__(self) -> str:
        return self.text


def price_list() -> Mapping[str, Mapping[str, Any]]:
    """Give LiteLLM's own list, the copy that ships with it: no network, alike on every worker."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm

    return cast("Mapping[str, Mapping[str, Any]]", litellm.model_cost)


def prices_of(
    configuration: Configuration, listed: Mapping[str, Mapping[str, Any]]
) -> dict[str, Price]:
    """Price every deployment that either source knows.

    Args:
        configuration: deployments, and `sluice.prices` by `model_info.id`.
        listed: LiteLLM's list by model name.
    """
    prices: dict[str, Price] = {}
    for name, deployment in configuration.deployments.items():
        row = configuration.policy.prices.get(name)
        entry = _entry(deployment, listed)
        if row is not None:
            prices[name] = _from_policy(row)
        elif entry is not None:
            prices[name] = _from_list(entry)
    return prices


def abilities_of(
    configuration: Configuration, listed: Mapping[str, Mapping[str, Any]]
) -> dict[str, Abilities]:
    """Tell what each model group can take: what `model_info` states, else LiteLLM's list.

    Args:
        configuration: the deployments.
        listed: LiteLLM's list by model name.
    """
    groups: dict[str, Abilities] = {}
    for deployment in configuration.deployments.values():
        entry = _entry(deployment, listed)
        stated = {**(entry or {}), **deployment.stated}
        found = Abilities.read(stated, listed=entry is not None)
        known = groups.get(deployment.model_name)
        groups[deployment.model_name] = found if known is None else known & found
    return groups


def lifecycle_notes(
    configuration: Configuration, listed: Mapping[str, Mapping[str, Any]], today: date
) -> list[LifecycleNote]:
    """Name the configured models that their provider has retired or is about to (SPEC 2.9)."""
    notes: list[LifecycleNote] = []
    for deployment in configuration.deployments.values():
        printed = (_entry(deployment, listed) or {}).get("deprecation_date")
        if not printed:
            continue
        day = date.fromisoformat(str(printed)[:10])
        if (day - today).days <= RETIRES_SOON_DAYS:
            verb = "was retired" if day <= today else "will be retired"
            text = (
                f"{deployment.model} (behind {deployment.model_name!r}) {verb} by its provider on"
                f" {day}; name its successor in model_list"
            )
            notes.append(LifecycleNote(text, day))
    for group, day in configuration.policy.retired.items():
        behind = [d.model for d in configuration.deployments.values() if d.model_name == group]
        text = (
            f"{group} was retired by its provider on {day}; the name is served by"
            f" {', '.join(behind) or 'nothing'}"
        )
        notes.append(LifecycleNote(text, day, replaced=bool(behind)))
    return notes


def _entry(
    deployment: Deployment, listed: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    return listed.get(deployment.model) or listed.get(deployment.model.split("/", 1)[-1])


def _from_list(entry: Mapping[str, Any]) -> Price:
    def per_unit(key: str) -> Any:
        return usd(entry[key]) if entry.get(key) is not None else None

    return Price(
        input_usd=per_unit("input_cost_per_token") or usd(0),
        output_usd=per_unit("output_cost_per_token") or usd(0),
        cached_input_usd=per_unit("cache_read_input_token_cost"),
        cache_write_usd=per_unit("cache_creation_input_token_cost"),
        character_usd=per_unit("input_cost_per_character") or usd(0),
        second_usd=per_unit("input_cost_per_second") or usd(0),
    )


def _from_policy(row: PriceRow) -> Price:
    if row.gpu_hour is not None:
        return row.gpu_hour.rule.price()

    def per_token(amount: Any) -> Any:
        return None if amount is None else amount / MILLION

    return Price(
        input_usd=per_token(row.input_per_million_usd) or usd(0),
        output_usd=per_token(row.output_per_million_usd) or usd(0),
        cached_input_usd=per_token(row.cached_input_per_million_usd),
        cache_write_usd=per_token(row.cache_write_per_million_usd),
        character_usd=(row.per_thousand_characters_usd or usd(0)) / THOUSAND,
        second_usd=(row.per_minute_usd or usd(0)) / MINUTE_S,
        free_because=row.free_because,
    )
