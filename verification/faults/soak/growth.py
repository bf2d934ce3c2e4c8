"""What may not grow: memory, descriptors, threads, the write-ahead log, the outbox, and latencies."""

from collections.abc import Sequence
from dataclasses import dataclass

from verification.faults.soak.vitals import Vitals
from verification.kit.percentiles import percentile

MEMORY = 0.10
"""By how much memory at the end may be above its level after the warm-up."""
LONGEST_WAL = 64 * 2**20
"""Bytes: what `journal_size_limit` cuts the log back to."""
CONNECTIONS = 3
"""How many more may be open: clients of the model and of Kafka open one when they next need it."""
PRUNED_AFTER = 60.0
"""Seconds that a message may outlive its retention, since pruning comes by now and then."""
NOISE = 0.05
"""Seconds by which latencies differ on a machine that does something else now and then."""


def growth(before: Vitals, after: Vitals, line: Sequence[Vitals], retention: float) -> list[str]:
    """`before` and `after` at rest, `line` in between; `retention` in seconds. Returns what has grown."""
    found = []
    if after.rss > before.rss * (1 + MEMORY):
        found.append(f"memory grew from {before.rss} to {after.rss} bytes")
    if after.fds - after.connections != before.fds - before.connections:
        found.append(f"{before.fds} file descriptors after the warm-up, {after.fds} at the end")
    if after.connections > before.connections + CONNECTIONS:
        found.append(f"{before.connections} connections after the warm-up, {after.connections} at the end")
    if after.threads != before.threads:
        found.append(f"{before.threads} threads after the warm-up, {after.threads} at the end")
    if (longest := max(one.wal for one in line)) > LONGEST_WAL:
        found.append(f"the write-ahead log grew to {longest} bytes")
    if after.pending:
        found.append(f"{after.pending} messages wait in the outbox at the end")
    if (oldest := max(one.oldest for one in line)) > retention + PRUNED_AFTER:
        found.append(f"a published message was in the outbox for {oldest:.0f} s; {retention:.0f} s were set")
    return found


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of one source in seconds, outside outages: those of the first quarter and of the last."""

    source: str
    first: Sequence[float]
    last: Sequence[float]

    @property
    def ratio(self) -> float:
        """The last quarter's median to the first's."""
        return percentile(self.last, 0.5) / percentile(self.first, 0.5)

    def violation(self, ratio: float) -> str | None:
        """Told where the last quarter's median is more than `ratio` times the first's."""
        allowed = percentile(self.first, 0.5) * ratio + NOISE
        if percentile(self.last, 0.5) > allowed:
            return f"latency: {self}"
        return None

    def __str__(self) -> str:
        told = ", then ".join(
            f"{percentile(part, 0.5) * 1000:.1f} ms (p99 {percentile(part, 0.99) * 1000:.1f})"
            for part in (self.first, self.last)
        )
        return f"{self.source}: median of the first quarter and of the last {told}: {self.ratio:.2f} times"
