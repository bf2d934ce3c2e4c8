"""A soak's end: everything that was put in against everything that came of it, and how long it took."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from kafka import KafkaAdminClient

from verification.faults import evidence, oracle
from verification.faults.soak import load
from verification.faults.soak.growth import Latencies
from verification.faults.soak.running import DEAD_LETTERS, GROUP, INPUT, OUTPUT, Running

Shadow = tuple[float, float]
Timed = tuple[float, float]
"""When a picture was put in, and seconds until its outcome."""
Record = tuple[oracle.Produced, float]
"""A record, and when it was produced (UNIX time)."""
OK = HTTPStatus.OK


def judge(
    running: Running, began: float, ended: float, outages: Sequence[Shadow]
) -> tuple[list[str], list[Latencies]]:
    """The violated sentences, and the latencies by source outside `outages`. Times are UNIX times."""
    daemon, connection = running.daemon, running.broker.connection
    drops = list(load.drops(running.journal("folder")))
    answers = list(load.answers(running.journal("http")))
    produced = list(_produced(connection, running.journal("kafka")))
    rows = evidence.rows(daemon.database)
    inputs = oracle.Inputs(
        [oracle.Dropped(drop.path, drop.sha256, drop.good) for drop in drops],
        [record for record, _moment in produced],
    )
    folders = evidence.folders(daemon.inbox, daemon.done, daemon.failed)
    violations = [
        *oracle.rows_at_rest(inputs, rows),
        *oracle.files_at_rest(inputs, rows, folders),
        *oracle.rows_of_requests([oracle.Answered(one.status, one.id, one.sha256) for one in answers], rows),
        *oracle.messages(rows, list(_outcomes(connection))),
        *oracle.dead_letters(inputs, rows, _dead_letters(connection)),
        *oracle.offsets(inputs, rows, _committed(connection)),
    ]
    return violations, _latencies(rows, drops, answers, produced, began, ended, outages)


def _latencies(
    rows: Sequence[evidence.Row],
    drops: Sequence[load.Drop],
    answers: Sequence[load.Answer],
    produced: Sequence[Record],
    began: float,
    ended: float,
    outages: Sequence[Shadow],
) -> list[Latencies]:
    """Of sound pictures that have a row."""
    recorded = {row.sha256: datetime.fromisoformat(row.classified_at).timestamp() for row in rows}
    timed: dict[str, Iterable[Timed]] = {
        "http, due to answered": ((one.due, one.moment - one.due) for one in answers if one.status == OK),
        "folder, dropped to row": (
            (one.moment, recorded[one.sha256] - one.moment)
            for one in drops
            if one.good and one.sha256 in recorded
        ),
        "kafka, produced to row": (
            (moment, recorded[one.sha256] - moment)
            for one, moment in produced
            if one.good and one.sha256 in recorded
        ),
    }
    return [_quarters(name, times, began, ended, outages) for name, times in timed.items()]


def _quarters(
    name: str, timed: Iterable[Timed], began: float, ended: float, outages: Sequence[Shadow]
) -> Latencies:
    quarters: dict[int, list[float]] = defaultdict(list)
    for moment, seconds in timed:
        if began <= moment < ended and not any(start <= moment < end for start, end in outages):
            quarters[int((moment - began) / (ended - began) * 4)].append(seconds)
    return Latencies(name, quarters[0], quarters[3])


def _produced(connection: dict[str, Any], journal: Path) -> Iterator[Record]:
    """What lies in the input topic, whatever its producer was told of it."""
    good = set(journal.read_text().split())
    with evidence.TopicReader(connection, INPUT) as reader:
        for record in reader.records():
            sha256 = evidence.sha256(record.value)
            produced = oracle.Produced(record.partition, record.offset, sha256, sha256 in good)
            yield produced, record.timestamp / 1000


def _outcomes(connection: dict[str, Any]) -> Iterator[evidence.Message]:
    """The messages of the output topic, less what nobody asks for here: there may be a million."""
    with evidence.TopicReader(connection, OUTPUT) as reader:
        for record in reader.records():
            whole = evidence.Message(dict(record.headers), record.key, record.value)
            origin = orjson.dumps({"origin": whole.document["origin"]})
            yield evidence.Message({"ce_id": whole.headers["ce_id"]}, None, origin)


def _dead_letters(connection: dict[str, Any]) -> list[evidence.Message]:
    with evidence.TopicReader(connection, DEAD_LETTERS) as reader:
        return reader.read()


def _committed(connection: dict[str, Any]) -> dict[int, int]:
    admin = KafkaAdminClient(**connection)
    try:
        return evidence.committed(admin, GROUP, INPUT)
    finally:
        admin.close()
