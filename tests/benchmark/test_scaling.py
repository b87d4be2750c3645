"""The autoscaler's formula, by hand, and the chart's settings and rules as the closed loop takes them."""

import pytest

from histoserve.benchmark.scaling.hpa import Autoscaler, Behavior

BEHAVIOR = Behavior(least=1, most=8, target=4, down_window_s=60, down_period_s=12)


def decided(*course: tuple[float, int, float | None]) -> list[int]:
    """For each time, replicas and metric."""
    autoscaler = Autoscaler(BEHAVIOR)
    return [autoscaler.replicas(*each) for each in course]


@pytest.mark.parametrize(
    ("current", "metric", "replicas"),
    [
        (1, 4.0, 1),
        # Within a tenth of the target nothing changes.
        (2, 8.7, 2),
        (2, 8.9, 3),
        (1, 16.0, 4),
        # Four more at most in 15 s, or twice as many.
        (1, 32.0, 5),
        (5, 400.0, 8),
        (3, None, 3),
    ],
)
def test_as_many_as_the_metric_has_targets(current: int, metric: float | None, replicas: int) -> None:
    assert decided((0, current, metric)) == [replicas]


def test_what_went_up_in_a_period_counts_to_its_limit() -> None:
    assert decided((0, 1, 32), (3, 5, 32), (15.1, 5, 32)) == [5, 5, 8]


def test_it_goes_down_after_the_window_a_replica_a_period() -> None:
    course = decided((0, 4, 16), (30, 4, 0), (60, 4, 0), (60.1, 4, 0), (66, 3, 0), (72.2, 3, 0), (85, 2, 0), (98, 1, 0))

    assert course == [4, 4, 4, 3, 3, 2, 1, 1]


def test_the_chart_says_how_and_by_what() -> None:
    pytest.importorskip("helm_python")
    pytest.importorskip("dnslib")
    from histoserve.benchmark.scaling.bench import FASTER, behavior_of
    from histoserve.benchmark.scaling.prometheus import recorded, rendered

    chart = rendered({"scaling": {"prometheus": "http://prometheus:9090", "least": 1, "most": 4}})
    behavior = behavior_of(chart["ScaledObject"]["spec"])
    rules = recorded(chart["PrometheusRule"]["spec"]["groups"][0]["rules"], FASTER)

    assert (behavior.least, behavior.most, behavior.target) == (1, 4, 4)
    assert (behavior.down_window_s, behavior.down_period_s) == (60, 12)
    assert "histoserve:requests_in_servers:sum" in {rule["record"] for rule in rules}
    assert all("[12000ms]" in rule["expr"] and "m]" not in rule["expr"] for rule in rules)


@pytest.mark.parametrize(
    ("queues", "seconds"),
    [
        ([None, 0.2, 0.9, 0.4], 0),
        ([0.2, 1.5, 0.4, 1.3, 0.4, 0.2], 12),
        ([0.2, 1.5, 1.3], None),
        ([1.5, 0.1], 3),
    ],
)
def test_a_queue_that_never_grew_too_long_recovered_at_once(queues: list[float | None], seconds: float | None) -> None:
    pytest.importorskip("helm_python")
    pytest.importorskip("dnslib")
    from histoserve.benchmark.scaling.bench import under_for_good
    from histoserve.benchmark.scaling.plot import Moment

    moments = [Moment(100.0 + 3 * place, 16, 1.0, queue, 4, 4) for place, queue in enumerate(queues)]
    assert under_for_good(moments, 1.2) == seconds
