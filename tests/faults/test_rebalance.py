"""Daemons that share a consumer group and an inbox come and go: nothing is missing, and what two of them
recorded is explained, one by one."""

from dataclasses import replace
from pathlib import Path

import pytest

from verification.faults.evidence import Folders, Found, Row
from verification.faults.oracle import Produced
from verification.faults.rebalance import copies
from verification.faults.rebalance.copies import Copy, End
from verification.faults.rebalance.grouplog import Commit, Generation
from verification.faults.rebalance.running import Plan, run, surroundings
from verification.kit.broker import Broker


@pytest.mark.kafka
@pytest.mark.timeout(600)
def test_nothing_is_missing_and_every_repetition_is_explained_while_daemons_come_and_go(
    tmp_path, broker: Broker, record_property
):
    """`broker` skips where there can be none; the one used here is nobody else's."""
    plan = Plan(records=4_000, files=700, seed=1)
    with surroundings(plan.seed) as (own, model_url):
        report = run(plan, own, model_url, tmp_path / "fleet")
    record_property("rebalance", str(report))
    assert report.violations == []
    assert min(report.figures[fault] for fault in ("kills", "stops", "freezes")) > 0
    assert report.figures["records in two databases"] > 0


def recorded(instance: str, at: int, source: str = "kafka", offset: int = 10) -> Copy:
    moment = f"1970-01-01T00:00:{at:02}.000Z"
    kafka = source == "kafka"
    row = Row(
        id=f"{instance}-{at}",
        origin="the same",
        source=source,
        status="classified",
        path=None if kafka else "a.jpg",
        stored_path=None,
        topic="pictures" if kafka else None,
        partition=0 if kafka else None,
        offset=offset if kafka else None,
        sha256="a" * 64,
        error_code=None,
        received_at=moment,
        classified_at=moment,
    )
    return Copy(instance, row)


LOG = [
    Generation(1_000, 1, {0: "one"}),
    Commit(2_000, 0, 5),
    Generation(4_000, 2, {0: "two"}),
]
TWICE = copies.pairs([recorded("two", at=5), recorded("one", at=3)])
KILLED = End("one", "killed", 3_500, 3_600)


def test_a_record_above_the_offset_that_was_committed_at_the_handover_is_explained():
    assert len(TWICE) == 1
    assert copies.unexplained_records(TWICE, LOG) == []


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ([*LOG[:2], Commit(3_900, 0, 11), LOG[2]], "11 was committed when the second got the partition"),
        (LOG[:2], "did not hold the partition"),
        ([*LOG[:2], replace(LOG[2], moment=6_000)], "did not hold the partition"),
        ([*LOG[:2], replace(LOG[2], holders={1: "two"})], "did not hold the partition"),
    ],
)
def test_a_record_in_two_databases_is_told_where_the_groups_log_does_not_explain_it(log, told):
    (sentence,) = copies.unexplained_records(TWICE, log)
    assert told in sentence


def test_only_a_kill_in_between_explains_a_file_in_two_databases():
    twice = copies.pairs([recorded("one", at=3, source="folder"), recorded("two", at=5, source="folder")])
    assert copies.unexplained_files(twice, [KILLED]) == []
    for other in (
        replace(KILLED, cause="stopped"),
        replace(KILLED, instance="two"),
        replace(KILLED, began=2_000, over=2_900),
        replace(KILLED, began=5_100, over=5_200),
    ):
        assert len(copies.unexplained_files(twice, [other])) == 1


def test_the_cause_is_what_happened_to_the_first_in_between():
    (pair,) = TWICE
    assert copies.cause(pair, [KILLED]) == "killed"
    assert copies.cause(pair, [replace(KILLED, cause="stopped")]) == "stopped"
    assert copies.cause(pair, [replace(KILLED, began=1_000, over=1_100)]) == "rebalanced"


FAILED = Path("/failed")
BEGUN, AGAIN = FAILED / "a.jpg", FAILED / "a.again.jpg"
SIDECARS = frozenset(Path(f"{place}.error.json") for place in (BEGUN, AGAIN))


def put_away(instance: str, at: int, place: Path) -> Copy:
    copy = recorded(instance, at, source="folder")
    return replace(copy, row=replace(copy.row, stored_path=str(place), status="rejected"))


def test_what_a_killed_daemon_had_begun_is_no_stranger_where_another_one_did_it_again():
    twice = copies.pairs([put_away("one", 3, BEGUN), put_away("two", 5, AGAIN)])
    whole, half = Found(AGAIN, "a" * 64), Found(FAILED / ".one-3.tmp", "b" * 64)
    folders = Folders(inbox=(), done=(), failed=(whole, half), sidecars=SIDECARS)
    less, remains = copies.without_remains(folders, twice)
    assert remains == 2
    assert less.failed == [whole]
    assert less.sidecars == {Path(f"{AGAIN}.error.json")}
    assert copies.without_remains(folders, []) == (replace(folders, done=[], failed=[whole, half]), 0)


def test_half_a_sidecar_is_no_stranger_where_the_other_daemon_chose_the_same_place():
    twice = copies.pairs([put_away("one", 3, BEGUN), put_away("two", 5, BEGUN)])
    whole, half = Found(BEGUN, "a" * 64), Found(FAILED / ".one-3.tmp", "b" * 64)
    less, remains = copies.without_remains(Folders((), (), (whole, half), SIDECARS), twice)
    assert (less.failed, less.sidecars, remains) == ([whole], SIDECARS, 1)


def test_the_second_link_that_a_killed_daemon_had_made_is_none_if_the_picture_is_where_the_other_put_it():
    twice = copies.pairs([put_away("one", 3, BEGUN), put_away("two", 5, AGAIN)])
    both = [Found(BEGUN, "a" * 64), Found(AGAIN, "a" * 64)]
    less, remains = copies.without_remains(Folders((), (), both, SIDECARS), twice)
    assert (less.failed, remains) == (both[1:], 2)
    less, remains = copies.without_remains(Folders((), (), both[:1]), twice)
    assert (less.failed, remains) == (both[:1], 0)


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ([Commit(5_000, 0, 11)], None),
        ([Commit(2_000, 0, 10)], None),
        ([Commit(2_000, 0, 11)], "before the outcome"),
        ([Commit(5_000, 0, 12)], "before the outcome"),
        ([Commit(5_000, 0, 11), Commit(6_000, 0, 10)], "after 11"),
    ],
)
def test_a_commit_that_passes_a_hole_or_goes_back_is_told(log, told):
    produced = [Produced(0, 10, "a" * 64), Produced(0, 11, "b" * 64)]
    sentences = copies.hasty_commits(produced, [recorded("one", at=3), recorded("two", at=5)], log)
    assert [told in sentence for sentence in sentences] == ([] if told is None else [True])
