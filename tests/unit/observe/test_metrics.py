"""What is counted is what a scrape shows, function by function."""

from lambent.observe.metrics import COUNTERS, MAX_FUNCTIONS, Metrics

LABELS = 'account_id="1",region="r",function_name="f"'


def test_every_count_is_shown_under_awss_name() -> None:
    """Each counter has a line with its number, and says which CloudWatch metric it is."""
    metrics = Metrics()
    counts = metrics.of("1", "r", "f")
    for number, attribute in enumerate(COUNTERS.values(), start=1):
        setattr(counts, attribute, number)
    text = metrics.prometheus()
    for number, (name, attribute) in enumerate(COUNTERS.items(), start=1):
        assert f"aws_lambda_{attribute}_total{{{LABELS}}} {number}\n" in text
        assert f"# HELP aws_lambda_{attribute}_total AWS/Lambda {name}\n" in text


def test_ages_are_a_cumulative_histogram() -> None:
    """Every bucket holds what is at most its bound, the last one everything."""
    metrics = Metrics()
    ages = metrics.of("1", "r", "f").async_event_age
    for age_s in (0.001, 0.005, 0.2, 99_999):
        ages.observe(age_s)
    text = metrics.prometheus()
    shown = "aws_lambda_async_event_age_seconds"
    assert f'{shown}_bucket{{{LABELS},le="0.005"}} 2\n' in text
    assert f'{shown}_bucket{{{LABELS},le="0.25"}} 3\n' in text
    assert f'{shown}_bucket{{{LABELS},le="21600"}} 3\n' in text
    assert f'{shown}_bucket{{{LABELS},le="+Inf"}} 4\n' in text
    assert f"{shown}_count{{{LABELS}}} 4\n" in text


def test_functions_without_number_are_not_remembered() -> None:
    """The one seen first is forgotten, the others keep their counts."""
    metrics = Metrics()
    for number in range(MAX_FUNCTIONS + 1):
        metrics.of("1", "r", f"f{number}").invocations += 1
    assert len(metrics._functions) == MAX_FUNCTIONS
    assert metrics.of("1", "r", "f1").invocations == 1
    assert metrics.of("1", "r", "f0").invocations == 0
