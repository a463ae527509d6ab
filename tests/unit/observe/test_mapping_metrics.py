"""Counts of event source mappings: shown for those that ask, while they are polled."""

from lambent.observe.mapping_metrics import MAX_MAPPINGS, MappingMetrics
from lambent.observe.metrics import Metrics

FUNCTION = "arn:aws:lambda:r:1:function:f:live"
QUEUE, STREAM = "arn:aws:sqs:r:1:q", "arn:aws:kinesis:r:1:stream/s"
ASKS = {"MetricsConfig": {"Metrics": ["EventCount"]}}
LABELS = 'account_id="1",region="r",function_name="f",event_source_mapping_uuid="u"'


def shown(metrics: MappingMetrics) -> list[str]:
    """The lines with numbers."""
    return [line for line in metrics.lines() if not line.startswith("#")]


def test_only_those_that_ask_are_shown() -> None:
    """Nothing without MetricsConfig, nothing of one that is disabled; its counts go on when it is enabled."""
    metrics = MappingMetrics()
    metrics.publish("u", FUNCTION, QUEUE, {}).polled_event_count += 3
    assert shown(metrics) == []
    metrics.publish("u", FUNCTION, QUEUE, ASKS).polled_event_count += 1
    assert f"aws_lambda_polled_event_count_total{{{LABELS}}} 4" in shown(metrics)
    metrics.withhold("u")
    assert shown(metrics) == []
    metrics.publish("u", FUNCTION, QUEUE, ASKS)
    assert f"aws_lambda_polled_event_count_total{{{LABELS}}} 4" in shown(metrics)
    metrics.forget("u")
    assert shown(metrics) == []


def test_a_source_has_the_counts_that_awss_table_gives_it() -> None:
    """Queues have deletions and nothing dropped; streams the other way round."""
    for arn, there, absent in (
        (QUEUE, "deleted", "dropped"),
        (STREAM, "dropped", "deleted"),
        (STREAM, "on_failure_destination_delivered", "deleted"),
        ("arn:aws:kafka:r:1:cluster/c/u", "dropped", "deleted"),
        ("", "polled", "deleted"),
    ):
        metrics = MappingMetrics()
        metrics.publish("u", FUNCTION, arn, ASKS)
        text = "\n".join(metrics.lines())
        assert f"aws_lambda_{there}_event_count_total" in text
        assert f"aws_lambda_{absent}_event_count_total" not in text
        assert text.count("# TYPE") == len(shown(metrics))


def test_provisioned_pollers_are_a_gauge_that_needs_no_asking() -> None:
    """AWS: in provisioned mode Lambda provides ``ProvisionedPollers``; it is part of the platform's scrape."""
    metrics = Metrics()
    metrics.mappings.publish("u", FUNCTION, QUEUE, {}).provisioned_pollers = 7
    text = metrics.prometheus()
    assert (
        f"# TYPE aws_lambda_provisioned_pollers gauge\naws_lambda_provisioned_pollers{{{LABELS}}} 7\n"
        in text
    )


def test_mappings_without_number_are_not_remembered() -> None:
    """The one seen first is forgotten."""
    metrics = MappingMetrics()
    for number in range(MAX_MAPPINGS + 1):
        metrics.publish(str(number), FUNCTION, QUEUE, ASKS)
    assert len(metrics._entries) == MAX_MAPPINGS
