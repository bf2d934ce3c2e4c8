"""What the daemon tells: one type per event emits both the log line and the metric.

    telemetry.emit(FileUnreadable(path=..., remedy=...))

Events live beside their subject in this package (`telemetry.folder`, `telemetry.kafka`, ...), metrics in
`telemetry.metrics`, the log's set-up in `telemetry.logs`.
"""

from classifyd.telemetry.events import Event, emit

__all__ = ["Event", "emit"]
