"""How sure an answer is, 0..1, and what follows from it (SPEC 10.2).

The rules are pure. `schema_stage.py` mends and repairs structured answers before the other judges
see them, `stage.py` asks for log-probabilities and further samples and says what follows;
`labels.py` reads what people said of answers, `learned.py` fits on it.

**Signals** (`rules.Signals`), each from 0 to 1 and each optional:

| signal | from | where it is to be had |
|---|---|---|
| groundedness | `plugins.grounding`, handed in as a number | with sources |
| agreement | `agreement.py`: two more samples compared field by field | near the threshold |
| tokens | `tokens.py`: probability of each JSON field, the least sure quarter | OpenAI, vLLM |
| self-report | `rules.self_report`: `confidence` in the answer | prompts that ask for it |
| schema | `repair.py`, `schema.py` | structured answers |

**Combination**: the weighted geometric mean of those that are known (0.45, 0.25, 0.2, 0.1, scaled
to sum to 1); then at most 0.3 for an answer that its schema refuses, 0.9 for one whose form had to
be mended. What falls away: without log-probabilities (Claude) the other three; without sources,
agreement decides; with a self-report alone, that; with nothing, 0.7 and an empty `basis`, because
an answer of which nothing is known is not thereby wrong, and a soft reject of every chat reply
would teach reviewers to click it away. The stage tells no number then (`confidence` is null).

**Calibration** (`calibration.py`): Platt's line per agent and model, from 50 judged answers on;
under that the result says `calibrated=False` and is only an order. The expected calibration error
is taken from answers that the line was not fitted on, with an interval that holds the truth at
least 95 times in 100 (tests/unit/test_calibration.py). `threshold 0.7` then means that 7 in 10
answers at that confidence are right.

**Soft reject**: below 0.7, not at it: annotate, hold, or escalate (`rules.ConfidencePolicy`).
"""
