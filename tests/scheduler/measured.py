"""What the metrics say, by name and labels."""

from scheduler.metrics import Metrics


def measured(metrics: Metrics, name: str, **labels: str) -> float:
    """0 for what was never counted."""
    return metrics.registry.get_sample_value(f"countersign_{name}", labels) or 0.0
