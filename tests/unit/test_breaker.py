"""The breaker against a simple reference, and its boundaries as tables."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plugins.breaker.rules import BreakerPolicy, Circuit, Permit, State, is_providers_fault

POLICY = BreakerPolicy(jitter=0.0)


def _failed(circuit: Circuit, now_s: float = 0.0, retry_after_s: float = 0.0) -> Circuit:
    return circuit.failed(now_s, POLICY, chance=0.0, retry_after_s=retry_after_s)


@pytest.mark.spec("8.3")
def test_three_failures_in_a_row_open_and_two_do_not() -> None:
    circuit = _failed(_failed(Circuit()))
    assert circuit.permit(0) is Permit.ALLOW
    assert _failed(circuit).permit(0) is Permit.REFUSE


@pytest.mark.spec("8.3")
def test_a_success_between_failures_starts_the_count_anew() -> None:
    circuit = _failed(_failed(_failed(_failed(Circuit()).succeeded())))
    assert circuit.state is State.OPEN
    assert _failed(_failed(_failed(Circuit())).succeeded()).state is State.CLOSED


def test_after_the_cool_off_one_probe_at_a_time_is_let_through() -> None:
    circuit = _failed(_failed(_failed(Circuit())))
    assert circuit.permit(POLICY.cool_off_s - 0.001) is Permit.REFUSE
    assert circuit.permit(POLICY.cool_off_s) is Permit.PROBE
    probed = circuit.probed(POLICY.cool_off_s, POLICY)
    assert probed.permit(POLICY.cool_off_s) is Permit.REFUSE
    assert probed.succeeded().permit(POLICY.cool_off_s) is Permit.ALLOW


def test_a_probe_that_never_reports_is_given_to_another_call() -> None:
    circuit = _failed(_failed(_failed(Circuit()))).probed(10, POLICY)
    assert circuit.permit(10 + POLICY.probe_lease_s) is Permit.PROBE


def test_each_failed_probe_doubles_the_cool_off_up_to_its_bound() -> None:
    circuit, waits = _failed(_failed(_failed(Circuit()))), []
    for _ in range(9):
        waits.append(circuit.until_s)
        circuit = _failed(circuit.probed(0, POLICY))
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


@pytest.mark.parametrize(("asked_s", "until_s"), [(0.0, 5.0), (3.0, 5.0), (60.0, 60.0)])
def test_a_provider_is_left_alone_as_long_as_it_asks(asked_s: float, until_s: float) -> None:
    assert _failed(_failed(_failed(Circuit())), 0, asked_s).until_s == until_s


def test_chance_adds_at_most_the_jitter() -> None:
    policy = BreakerPolicy(failures_to_open=1, jitter=0.2)
    assert Circuit().failed(0, policy, chance=0.0).until_s == 5.0
    assert Circuit().failed(0, policy, chance=0.5).until_s == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("pinned", "permit"), [(State.OPEN, Permit.REFUSE), (State.CLOSED, Permit.ALLOW)]
)
def test_what_is_set_by_hand_stays(pinned: State, permit: Permit) -> None:
    circuit = Circuit().pin(pinned)
    assert circuit.permit(1e9) is permit
    assert _failed(_failed(_failed(circuit))).permit(1e9) is permit
    assert circuit.succeeded().permit(1e9) is permit
    assert circuit.pin(None) == Circuit()


def test_half_open_is_not_for_hands() -> None:
    with pytest.raises(ValueError, match="half_open"):
        Circuit().pin(State.HALF_OPEN)


@pytest.mark.spec("8.3")
@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (None, True), (500, True), (502, True), (503, True), (529, True), (408, True),
        (429, True), (400, False), (401, False), (404, False), (413, False), (422, False),
        (200, True),
    ],
)  # fmt: skip
def test_the_clients_own_fault_does_not_count(status: int | None, counts: bool) -> None:
    assert is_providers_fault(status) is counts


class BreakerAgainstReference(RuleBasedStateMachine):
    """Any sequence of calls, time passing and failing: the reference is a list of outcomes."""

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit()
        self.now_s = 0.0
        self.row = 0  # failures in a row, by the reference
        self.open_until_s: float | None = None
        self.probing_until_s: float | None = None
        self.doublings = 0

    @rule(seconds=st.floats(0, 400))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @precondition(lambda self: self.circuit.permit(self.now_s) is Permit.ALLOW)
    @rule()
    def a_call_succeeds(self) -> None:
        assert self.open_until_s is None
        self.circuit = self.circuit.succeeded()
        self.row = self.doublings = 0

    @precondition(lambda self: self.circuit.permit(self.now_s) is Permit.ALLOW)
    @rule()
    def a_call_fails(self) -> None:
        assert self.open_until_s is None
        self.circuit = _failed(self.circuit, self.now_s)
        self.row += 1
        if self.row == 3:
            self._opens()

    @precondition(lambda self: self.circuit.permit(self.now_s) is Permit.PROBE)
    @rule()
    def a_probe_is_taken(self) -> None:
        assert self.open_until_s is not None
        assert self.now_s >= self.open_until_s
        assert self.probing_until_s is None or self.now_s >= self.probing_until_s
        self.circuit = self.circuit.probed(self.now_s, POLICY)
        self.probing_until_s = self.now_s + POLICY.probe_lease_s

    @precondition(lambda self: self.probing_until_s is not None)
    @rule(works=st.booleans())
    def the_probe_reports(self, works: bool) -> None:
        self.probing_until_s = None
        if works:
            self.circuit = self.circuit.succeeded()
            self.open_until_s, self.row, self.doublings = None, 0, 0
        else:
            self.circuit = _failed(self.circuit, self.now_s)
            self._opens()

    @precondition(lambda self: self.open_until_s is not None and self.probing_until_s is None)
    @rule()
    def a_call_begun_before_the_opening_ends(self) -> None:
        assert _failed(self.circuit, self.now_s) == self.circuit
        assert self.circuit.succeeded() == self.circuit

    def _opens(self) -> None:
        wait_s = min(POLICY.cool_off_s * 2.0**self.doublings, POLICY.longest_cool_off_s)
        self.open_until_s = self.now_s + wait_s
        self.doublings += 1

    @invariant()
    def the_permit_is_the_references(self) -> None:
        expected = Permit.ALLOW
        if self.probing_until_s is not None:
            expected = Permit.REFUSE if self.now_s < self.probing_until_s else Permit.PROBE
        elif self.open_until_s is not None:
            expected = Permit.REFUSE if self.now_s < self.open_until_s else Permit.PROBE
        assert self.circuit.permit(self.now_s) is expected


TestBreakerAgainstReference = BreakerAgainstReference.TestCase
TestBreakerAgainstReference.settings = settings(max_examples=100, stateful_step_count=40)
