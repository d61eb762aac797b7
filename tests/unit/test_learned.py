"""Fits follow the labels: per agent and model, only when there are new ones, told as they are."""

from collections.abc import Mapping

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from plugins.cli import app, confidence
from plugins.confidence.calibration import calibrate
from plugins.confidence.families import CALIBRATED, ERROR, LABELS
from plugins.confidence.labels import Labelled, Pair
from plugins.confidence.learned import Calibration
from plugins.confidence.routes import router
from plugins.core.errors import Unavailable
from plugins.core.tenant import Principal, Role
from tests.remembering import SetClock
from tests.simulations.labelled import MODELS, simulate, true_error


def _labelled(model: str, count: int, seed: int = 1) -> Labelled:
    raw, _, right = simulate(MODELS[model], count, seed)
    return Labelled(tuple(raw), tuple(right))


class GivenLabels:
    """Gives what it is told to, or fails."""

    def __init__(self, **labels: Labelled) -> None:
        self.held: dict[Pair, Labelled] | None = {
            (None if agent == "plain" else agent, "gpt-4o"): one for agent, one in labels.items()
        }

    async def read(self) -> Mapping[Pair, Labelled]:
        if self.held is None:
            raise Unavailable("PostgreSQL is away")
        return self.held


def _calibration(labels: GivenLabels, clock: SetClock | None = None) -> Calibration:
    return Calibration(labels, {"decision"}, {"gpt-4o"}, clock or SetClock())


@pytest.mark.spec("10.2")
async def test_each_agent_and_model_has_a_fit_of_its_own() -> None:
    held, plain = _labelled("overconfident", 400), _labelled("too modest", 400)
    calibration = _calibration(GivenLabels(decision=held, plain=plain))
    assert calibration.of("decision", "gpt-4o") is None
    await calibration.read()
    assert calibration.of("decision", "gpt-4o") == calibrate(held.raw, held.right)
    assert calibration.of(None, "gpt-4o") == calibrate(plain.raw, plain.right)
    assert calibration.of("matching", "gpt-4o") is None
    assert calibration.of(None, None) is None


@pytest.mark.spec("10.2")
@pytest.mark.parametrize(("labels", "calibrated"), [(49, False), (50, True)])
async def test_under_fifty_labels_uncalibrated_is_said(labels: int, calibrated: bool) -> None:
    calibration = _calibration(GivenLabels(decision=_labelled("honest", labels)))
    values = await calibration.read()
    pair = ("decision", "gpt-4o")
    assert values[LABELS] == {pair: float(labels)}
    assert values[CALIBRATED] == {pair: float(calibrated)}
    assert set(values[ERROR]) == (
        {(*pair, bound) for bound in ("estimate", "lower", "upper")} if calibrated else set()
    )
    fit = calibration.of(*pair)
    assert fit is not None
    assert fit.is_calibrated is calibrated


@pytest.mark.spec("10.2")
async def test_the_stated_error_holds_the_true_one_and_the_threshold_means_what_it_says() -> None:
    """From labels as they are read, to what the stage applies; truth known, seeds fixed."""
    for name in ("overconfident", "too modest", "honest"):
        held = 0
        shares: list[float] = []
        for seed in range(20):
            calibration = _calibration(GivenLabels(decision=_labelled(name, 400, seed)))
            values = await calibration.read()
            fit = calibration.of("decision", "gpt-4o")
            assert fit is not None
            raw, true, _ = simulate(MODELS[name], 2000, 1000 + seed)
            stated = [fit.apply(value) for value in raw]
            actual = true_error(stated, true, 10)
            pair = ("decision", "gpt-4o")
            held += values[ERROR][*pair, "lower"] <= actual <= values[ERROR][*pair, "upper"]
            # What passes by little is right seven times in ten.
            shares += [t for s, t in zip(stated, true, strict=True) if 0.69 <= s <= 0.71]
        assert held >= 17
        assert abs(sum(shares) / len(shares) - 0.7) < 0.04


async def test_only_new_labels_are_fitted_and_lost_ones_forgotten() -> None:
    clock = SetClock()
    labels = GivenLabels(decision=_labelled("honest", 60))
    calibration = _calibration(labels, clock)
    await calibration.read()
    (first,) = calibration.learned
    clock.passed_s += 60
    await calibration.read()
    assert calibration.learned == [first]
    labels.held = {("decision", "gpt-4o"): _labelled("honest", 61)}
    await calibration.read()
    (second,) = calibration.learned
    assert second.fitted_at > first.fitted_at
    assert second.calibrator.labels == 61
    labels.held = {}
    values = await calibration.read()
    assert calibration.learned == []
    assert not any(values.values())


async def test_while_the_database_is_away_the_last_fits_stay() -> None:
    labels = GivenLabels(decision=_labelled("honest", 60))
    calibration = _calibration(labels)
    await calibration.read()
    labels.held = None
    with pytest.raises(Unavailable):
        await calibration.read()
    assert calibration.of("decision", "gpt-4o") is not None


async def test_names_that_no_label_may_hold_are_not_measured() -> None:
    labels = GivenLabels(gone=_labelled("honest", 60), plain=_labelled("honest", 60))
    labels.held = {**(labels.held or {}), ("decision", "gone"): _labelled("honest", 60)}
    calibration = _calibration(labels)
    values = await calibration.read()
    assert set(values[LABELS]) == {("none", "gpt-4o")}
    assert len(calibration.learned) == 3


def _administrator(_: Request) -> Principal:
    return Principal("key0000001", "", Role.ADMIN)


async def test_the_route_and_the_command_tell_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = GivenLabels(decision=_labelled("overconfident", 300), plain=_labelled("honest", 9))
    calibration = _calibration(labels)
    await calibration.read()
    api = FastAPI()
    api.include_router(router(calibration, _administrator), prefix="/sluice")
    told = TestClient(api).get("/sluice/confidence").json()
    assert [(row["agent"], row["labels"], row["calibrated"]) for row in told] == [
        (None, 9, False),
        ("decision", 300, True),
    ]
    assert told[0]["error"] is None
    assert told[1]["error"]["lower"] <= told[1]["error"]["estimate"] <= told[1]["error"]["upper"]

    class Client:
        def get(self, path: str) -> object:
            assert path == "/sluice/confidence"
            return told

    monkeypatch.setattr(confidence, "connect", lambda *_: Client())
    shown = CliRunner().invoke(app, ("confidence",), env={"SLUICE_ADMIN_KEY": "sk-a"})
    assert shown.exit_code == 0
    assert "uncalibrated: under 50 labels" in shown.stdout
    assert f"{told[1]['error']['estimate']:.3f}" in shown.stdout
    assert capsys.readouterr().err == ""
