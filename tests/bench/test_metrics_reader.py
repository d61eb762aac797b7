"""The reader of metrics, on pages written by hand."""

import pytest

from bench.metrics_reader import read

PAGE = """# HELP hits Hits
# TYPE hits counter
hits_total{who="a",how="x"} 3.0
hits_total{who="a",how="y"} 4.0
hits_total{who="b",how="x"} 0.0
# HELP wait_seconds A wait
# TYPE wait_seconds histogram
wait_seconds_bucket{who="a",le="0.1"} 1.0 # {trace_id="0af7651916cd43dd8448eb211c80319c"} 0.05 1.5
wait_seconds_bucket{who="a",le="1.0"} 2.0
wait_seconds_bucket{who="a",le="+Inf"} 4.0
wait_seconds_count{who="a"} 4.0
wait_seconds_sum{who="a"} 9.0
# EOF
"""


def test_samples_are_summed_by_what_is_asked_for() -> None:
    page = read(PAGE)
    assert page.total("hits_total") == 7
    assert page.total("hits_total", who="a", how="y") == 4
    assert page.total("hits_total", who="nobody") == page.total("nothing") == 0
    assert page.by("hits_total", "who") == {("a",): 7}
    assert page.by("hits_total", "how", "who") == {("x", "a"): 3, ("y", "a"): 4}
    assert list(page.traces["wait_seconds"].values()) == ["0af7651916cd43dd8448eb211c80319c"]


def test_a_page_less_an_earlier_one_is_what_came_between() -> None:
    later = read(PAGE.replace('how="y"} 4.0', 'how="y"} 9.0'))
    assert later.since(read(PAGE)).by("hits_total", "how") == {("y",): 5}


@pytest.mark.parametrize(
    ("share", "bounds"),
    [(0.25, (0.0, 0.1)), (0.26, (0.1, 1.0)), (0.5, (0.1, 1.0)), (0.51, (1.0, float("inf")))],
)
def test_a_percentile_lies_in_a_bucket(share: float, bounds: tuple[float, float]) -> None:
    assert read(PAGE).bounds_of("wait_seconds", share, who="a") == bounds


def test_nothing_observed_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing was observed"):
        read(PAGE).bounds_of("wait_seconds", 0.5, who="b")


def test_prometheus_own_format_is_read_as_well() -> None:
    text = "# HELP hits_total Hits\n# TYPE hits_total counter\nhits_total 2.0\n"
    assert read(text).total("hits_total") == 2
