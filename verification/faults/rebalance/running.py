"""A run: daemons of one group and on one inbox, what is done to them while pictures flow, and the verdict."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaAdminClient, TopicPartition

from verification.faults import evidence, oracle
from verification.faults.evidence import Folders, TopicReader
from verification.faults.oracle import Inputs
from verification.faults.rebalance import copies, grouplog
from verification.faults.rebalance.copies import Copy
from verification.faults.rebalance.feeder import Feeder
from verification.faults.rebalance.fleet import Fleet
from verification.kit.broker import Broker, temporary_broker
from verification.kit.instant import instant_server

PICTURES, OUTCOMES, GROUP = "pictures", "outcomes", "fleet"
DEAD_LETTERS = f"{PICTURES}.dead-letter"
SESSION_TIMEOUT = 3.0
BURST = 100
"""Records that are sent at a time, at most; half as many on average."""
STALLED = 1.0
"""Seconds that a burst may wait for daemons before the next one follows."""
QUIET_BOUND = 180.0
SLOW_SHARE, SLOW = 0.1, 2.5
"""The share of the model's answers that take so many seconds: longer than a rebalance and a commit."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is put in, and how roughly it is treated: a fault after every so many bursts on average."""

    records: int
    files: int
    seed: int
    members: int = 3
    partitions: int = 12
    bursts_per_fault: float = 4.0


@dataclass(slots=True)
class Report:
    """What came of it."""

    violations: list[str] = field(default_factory=list)
    figures: dict[str, int | float] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{name}: {value:g}" for name, value in self.figures.items()]
        return "\n".join([*lines, *(f"VIOLATION {sentence}" for sentence in self.violations)])


def run(plan: Plan, broker: Broker, model_url: str, folder: Path) -> Report:
    """Carries the plan out in an empty folder, on a broker of its own; everything is ended afterwards."""
    with_admin = KafkaAdminClient(**broker.connection)
    try:
        for topic, partitions in (
            (PICTURES, plan.partitions),
            (OUTCOMES, plan.partitions),
            (DEAD_LETTERS, 1),
        ):
            with_admin.create_topics(
                {topic: {"num_partitions": partitions, "replication_factor": 1}}, wait_for_metadata=True
            )
        return _Run(plan, broker, with_admin, model_url, folder).carry_out()
    finally:
        with_admin.close()


@contextmanager
def surroundings(seed: int) -> Iterator[tuple[Broker, str]]:
    """A broker that nobody else uses, and the address of a model server that is slow now and then."""
    dice = random.Random(seed)
    with (
        temporary_broker() as broker,
        instant_server(10, lambda: SLOW if dice.random() < SLOW_SHARE else 0.0) as model_url,
    ):
        yield broker, model_url


class _Run:
    def __init__(
        self, plan: Plan, broker: Broker, admin: KafkaAdminClient, model_url: str, folder: Path
    ) -> None:
        self._plan = plan
        self._broker = broker
        self._admin = admin
        self._dice = random.Random(plan.seed)
        self._fleet = Fleet(folder, plan.members, _settings(broker, model_url))
        self._feeder = Feeder(broker.connection, PICTURES, self._fleet.inbox, random.Random(plan.seed))
        self._report = Report()

    def carry_out(self) -> Report:
        began = time.monotonic()
        try:
            self._fleet.have_all_work()
            self._let_flow()
            self._fleet.have_all_work()
            fed = time.monotonic()
            if not self._fleet.wait_until(self._at_rest, QUIET_BOUND):
                self._report.violations.append(f"not at rest {QUIET_BOUND:.0f} s after the last fault")
            rested = time.monotonic()
            self._fleet.stop_all()
        finally:
            self._fleet.kill_all()
            self._feeder.close()
        self._judge()
        figures = {"seconds of faults": round(fed - began), "seconds until rest": round(rested - fed, 1)}
        self._report.figures |= figures
        return self._report

    def _let_flow(self) -> None:
        """Bursts, of which each is worked off in part before the next thing happens."""
        plan, dice = self._plan, self._dice
        left = plan.records
        while left:
            before = self._fleet.count()
            burst = min(left, dice.randint(1, BURST))
            files = len(self._feeder.inputs.dropped)
            self._feeder.produce(burst)
            left -= burst
            self._feeder.drop(plan.files * (plan.records - left) // plan.records - files)
            self._fleet.wait_for_rows(before + dice.randint(0, burst), STALLED)
            if dice.random() < 1 / plan.bursts_per_fault:
                self._fleet.disturb(dice)

    def _at_rest(self) -> bool:
        """Everything is recorded, put away, committed and published."""
        return (
            not self._feeder.waiting
            and not any(self._lag().values())
            and not any(evidence.unpublished(member.daemon.database) for member in self._fleet.members)
        )

    def _lag(self) -> dict[int, int]:
        """By partition, how far the group's offset is from the log's end."""
        partitions = {TopicPartition(PICTURES, number): -1 for number in range(self._plan.partitions)}
        ends = self._admin.list_partition_offsets(partitions)
        offsets = evidence.committed(self._admin, GROUP, PICTURES)
        return {where.partition: end.offset - offsets.get(where.partition, 0) for where, end in ends.items()}

    def _judge(self) -> None:
        inputs, found = self._feeder.inputs, self._fleet.copies
        log = grouplog.read(self._broker.connection, GROUP, PICTURES)
        pairs = copies.pairs(found)
        ends = self._fleet.ends
        folders, remains = copies.without_remains(self._fleet.folders, pairs)
        self._report.violations += [
            *(sentence for member in self._fleet.members for sentence in member.wrong),
            *_rows(inputs, found),
            *copies.unexplained_records(pairs, log),
            *copies.unexplained_files(pairs, ends),
            *copies.hasty_commits(inputs.produced, found, log),
            *_files(inputs, found, folders),
            *self._messages(inputs, found),
            *(f"partition {number}: {lag} not committed" for number, lag in self._lag().items() if lag),
        ]
        counted = Counter((pair.first.row.source, copies.cause(pair, ends)) for pair in pairs)
        self._report.figures |= {
            "records": len(inputs.produced),
            "files": len(inputs.dropped),
            "starts": sum(member.starts for member in self._fleet.members),
            "kills": sum(end.cause == "killed" for end in ends),
            "stops": sum(end.cause == "stopped" for end in ends),
            "freezes": sum(member.freezes for member in self._fleet.members),
            "generations of the group": len(
                {one.number for one in log if isinstance(one, grouplog.Generation)}
            ),
            "commits": sum(isinstance(one, grouplog.Commit) for one in log),
            "records in two databases": sum(pair.first.row.source == "kafka" for pair in pairs),
            **{f"... {source}, the first was {cause}": count for (source, cause), count in counted.items()},
            "files in two databases": sum(pair.first.row.source == "folder" for pair in pairs),
            "remains of what a kill cut short": remains,
        }

    def _messages(self, inputs: Inputs, found: Sequence[Copy]) -> list[str]:
        """Each daemon's rows against its own messages; the dead letters against all rows."""
        with TopicReader(self._broker.connection, OUTCOMES) as reader:
            outcomes = reader.read()
        with TopicReader(self._broker.connection, DEAD_LETTERS) as reader:
            letters = reader.read()
        self._report.figures["messages sent again"] = oracle.duplicates(outcomes)
        sentences = oracle.dead_letters(inputs, [copy.row for copy in found], letters)
        for instance in sorted({copy.instance for copy in found}):
            source = f"urn:classifyd:{instance}".encode()
            own = [message for message in outcomes if message.headers["ce_source"] == source]
            sentences += oracle.messages([copy.row for copy in found if copy.instance == instance], own)
        return sentences


def _settings(broker: Broker, model_url: str) -> Mapping[str, str]:
    return {
        "CLASSIFYD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CLASSIFYD_KAFKA__INPUT__TOPIC": PICTURES,
        "CLASSIFYD_KAFKA__INPUT__GROUP_ID": GROUP,
        "CLASSIFYD_KAFKA__INPUT__SESSION_TIMEOUT": f"{SESSION_TIMEOUT:g}s",
        "CLASSIFYD_KAFKA__OUTPUT__TOPIC": OUTCOMES,
        "CLASSIFYD_MODELS__RESNET__ENGINE": "tfserving",
        "CLASSIFYD_MODELS__RESNET__URL": model_url,
        "CLASSIFYD_INBOX__RESCAN_INTERVAL": "1s",
    }


def _rows(inputs: Inputs, found: Sequence[Copy]) -> list[str]:
    """Each database by itself, and all of them together, less what is in several."""
    sentences = []
    for instance in sorted({copy.instance for copy in found}):
        sentences += oracle.rows_under_way(inputs, [copy.row for copy in found if copy.instance == instance])
    firsts = {copy.row.origin: copy.row for copy in reversed(found)}
    return sentences + oracle.rows_at_rest(inputs, list(firsts.values()))


def _files(inputs: Inputs, found: Sequence[Copy], folders: Folders) -> list[str]:
    """Every file once, where a row of it says: the last one, of those that are in several databases."""
    lasts = {copy.row.origin: copy.row for copy in found}
    return oracle.files_at_rest(inputs, list(lasts.values()), folders)
