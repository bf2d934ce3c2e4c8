"""The metrics of `GET /metrics`, on the process's default registry. No label holds a file name."""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# A second series for every counter, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]

pictures = Counter(
    "classifyd_pictures",
    "Pictures with an outcome, by how they ended",
    ["source", "model", "status", "reason"],
)
stage_duration = Histogram(
    "classifyd_stage_duration_seconds",
    "How long a stage took: read, gate, queue, classify, record, settle, publish, total",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
intake_items = Gauge("classifyd_intake_items", "Pictures under credit", ["model", "lane"])
intake_bytes = Gauge("classifyd_intake_bytes", "Bytes under credit", ["model", "lane"])
inbox_waiting = Gauge("classifyd_inbox_waiting_files", "Files seen in the inbox and not yet claimed")
inbox_skipped = Gauge("classifyd_inbox_skipped_files", "Files in the inbox that are not pictures by name")
suspects = Gauge("classifyd_suspects", "Pictures set aside that the model alone fails on", ["model"])
oldest_waiting = Gauge("classifyd_oldest_waiting_seconds", "Age of the oldest picture under way")
kafka_lag = Gauge("classifyd_kafka_lag_records", "Records past the position", ["topic", "partition"])
kafka_skipped = Counter(
    "classifyd_kafka_skipped_records", "Records without a picture (tombstones)", ["topic"]
)
kafka_resets = Counter("classifyd_kafka_offset_resets", "Positions that were reset", ["topic"])
outbox_pending = Gauge("classifyd_outbox_pending", "Messages that wait to be published")
published = Counter("classifyd_published_messages", "Messages the broker acknowledged", ["topic"])
http_requests = Counter("classifyd_http_requests", "Requests answered", ["method", "route", "code"])
http_cut = Counter("classifyd_http_cut_connections", "Connections that were cut off", ["reason"])
part_up = Gauge("classifyd_part_up", "Whether a part of the daemon works", ["part"])
disk_free = Gauge("classifyd_disk_free_bytes", "Free space of a folder's disk", ["folder"])
build_info = Gauge("classifyd_build_info", "Always 1", ["version"])
