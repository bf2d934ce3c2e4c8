"""What every database does for the recorder, the sources, the relay and for people."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from classifyd.core.errors import UnstorableRow
from classifyd.core.values import Candidate, Filter, Message, Origin, Prediction, Source, Status
from classifyd.store import Database
from tests.unit.store.samples import CAT, DOG, NOON, TORN, Clock, message, result


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite"])
def database(tmp_path: Path, clock: Clock) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/classifyd.db", clock)
    yield opened
    opened.close()


def pending(database: Database, max_bytes: int = 10**6, **after: int):
    return database.outbox.pending(after, (), max_bytes)


class TestWriting:
    def test_an_inserted_result_is_returned_as_the_same_object(self, database):
        first, second = result("a"), result("b", TORN, number=1)
        assert all(
            written is given
            for written, given in zip(
                database.store.write([(first, ()), (second, ())], ()), (first, second), strict=True
            )
        )

    def test_an_origin_that_is_recorded_keeps_its_result_and_gets_no_message(self, database):
        first = result("a", CAT)
        database.store.write([(first, (message(b"first"),))], ())
        again = result("a", TORN, number=9)
        assert database.store.write([(again, (message(b"again"),))], ()) == [first]
        assert database.results.page(Filter(), 10) == [first]
        assert [waiting.message.value for waiting in pending(database)] == [b"first"]

    def test_of_one_origin_twice_in_a_call_the_first_counts(self, database):
        first, again = result("a", CAT), result("a", DOG, number=1)
        written = database.store.write([(first, (message(b"1"),)), (again, (message(b"2"),))], ())
        assert written[0] is first
        assert written[1] is first
        assert len(pending(database)) == 1

    def test_the_same_result_twice_in_a_call_is_one_row(self, database):
        only = result("a")
        assert database.store.write([(only, (message(),)), (only, (message(),))], ()) == [only, only]
        assert len(pending(database)) == 1

    def test_the_same_result_in_a_later_call_is_one_row(self, database):
        """As after a commit whose answer was lost."""
        only = result("a")
        database.store.write([(only, (message(),))], ())
        assert database.store.write([(only, (message(),))], ()) == [only]
        assert len(pending(database)) == 1

    def test_new_and_known_origins_are_answered_in_the_order_of_the_entries(self, database):
        known = result("known")
        database.store.write([(known, ())], ())
        entries = [
            (result("a", number=1), ()),
            (result("known", DOG, number=2), ()),
            (result("b", number=3), ()),
        ]
        assert database.store.write(entries, ()) == [entries[0][0], known, entries[2][0]]

    def test_nothing_is_written_of_a_call_with_data_that_cannot_be_held(self, database):
        good, bad = result("good"), result("bad\ud800", number=1)
        with pytest.raises(UnstorableRow):
            database.store.write([(good, (message(),)), (bad, ())], ())
        assert database.results.page(Filter(), 10) == []
        assert pending(database) == []

    @pytest.mark.parametrize(
        "bad",
        [
            replace(result("a"), size_bytes=2**70),
            replace(result("a"), sha256="\ud800"),
            replace(result("a"), outcome=Prediction((Candidate(1, "cat", float("nan")),), "resnet", "1")),
            replace(result("a"), outcome=Prediction((Candidate(1, "\ud800", 0.5),), "resnet", "1")),
            replace(result("a"), width=object()),
            replace(result("a"), size_bytes=None),
        ],
        ids=["integer", "text", "number", "label", "type", "missing"],
    )
    def test_data_that_cannot_be_held_is_named_unstorable_and_the_store_goes_on(self, database, bad):
        with pytest.raises(UnstorableRow):
            database.store.write([(bad, ())], ())
        good = result("b", number=1)
        assert database.store.write([(good, ())], ()) == [good]

    def test_a_header_that_is_no_text_is_unstorable(self, database):
        bad = Message("results", None, (("\ud800", b""),), b"")
        with pytest.raises(UnstorableRow):
            database.store.write([(result("a"), (bad,))], ())
        assert database.ledger.known({"folder:a"}) == {}

    def test_an_id_that_another_origin_has_is_unstorable(self, database):
        first = result("a")
        database.store.write([(first, ())], ())
        with pytest.raises(UnstorableRow):
            database.store.write([(replace(result("b"), id=first.id), ())], ())

    def test_nothing_to_write_is_no_error(self, database):
        assert database.store.write([], []) == []


class TestLedger:
    def test_it_knows_what_is_recorded_and_nothing_else(self, database):
        first, second = result("a"), result("b", TORN, number=1)
        database.store.write([(first, ()), (second, ())], ())
        known = database.ledger.known({"folder:a", "folder:b", "folder:c"})
        assert known == {"folder:a": first, "folder:b": second}

    def test_it_takes_any_number_of_keys(self, database):
        written = [result(f"{number}", number=number) for number in range(1203)]
        database.store.write([(one, ()) for one in written], ())
        assert len(database.ledger.known([f"folder:{number}" for number in range(-5, 1300)])) == 1203
        assert database.ledger.known(()) == {}

    def test_it_answers_several_threads_while_one_writes(self, database):
        answers: list[int] = []

        def ask() -> None:
            while not answers or answers[-1] < 20:
                answers.append(len(database.ledger.known([f"folder:{number}" for number in range(20)])))

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(20):
            database.store.write([(result(f"{number}", number=number), ())], ())
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        assert answers[-1] == 20


class TestOutbox:
    def test_messages_wait_in_the_order_of_recording_with_rising_positions(self, database):
        database.store.write(
            [(result("a"), (message(b"1"), message(b"2", "dead"))), (result("b", number=1), ())], ()
        )
        database.store.write([(result("c", number=2), (message(b"3"),))], ())
        waiting = pending(database)
        assert [one.message.value for one in waiting] == [b"1", b"2", b"3"]
        assert sorted({one.position for one in waiting}) == [one.position for one in waiting]

    def test_a_message_is_read_as_it_was_written(self, database):
        given = Message("t", None, (("a", b"\x00%\xff\xc3\xa9"), ("a", b""), ("\u00e9", b"x")), b"\xff\xd8")
        database.store.write([(result("a"), (given, replace(given, key=b"\x00k", value=b"")))], ())
        assert [one.message for one in pending(database)] == [given, replace(given, key=b"\x00k", value=b"")]

    def test_marked_messages_wait_no_more(self, database):
        database.store.write([(result("a"), (message(b"1"), message(b"2"), message(b"3")))], ())
        first, second, third = (one.position for one in pending(database))
        database.store.write([(result("b", number=1), (message(b"4"),))], [first, third])
        assert [one.message.value for one in pending(database)] == [b"2", b"4"]
        assert database.outbox.count() == 2
        database.store.write([], [first, second, 999_999])
        assert database.outbox.count() == 1

    def test_only_messages_past_the_position_given_for_their_topic_are_read(self, database):
        messages = (message(b"1"), message(b"x", "dead"), message(b"2"), message(b"y", "dead"))
        database.store.write([(result("a"), messages)], ())
        first, other, *_ = (one.position for one in pending(database))
        assert [one.message.value for one in pending(database, results=first)] == [b"x", b"2", b"y"]
        assert [one.message.value for one in pending(database, results=first, dead=other)] == [b"2", b"y"]

    def test_excluded_topics_are_passed_over(self, database):
        messages = (message(b"1"), message(b"x", "dead"), message(b"2"))
        database.store.write([(result("a"), messages)], ())
        assert [one.message.value for one in database.outbox.pending({}, {"results"}, 100)] == [b"x"]
        assert database.outbox.pending({}, ["results", "dead"], 100) == []
        assert {one.message.topic for one in pending(database)} == {"dead", "results"}

    @pytest.mark.parametrize(
        ("max_bytes", "count"), [(0, 1), (9, 1), (10, 1), (19, 1), (20, 2), (25, 2), (30, 3)]
    )
    def test_no_more_bytes_are_read_than_asked_for_but_one_message_at_least(self, database, max_bytes, count):
        ten_bytes = Message("results", b"ke", (), b"x" * 6)  # and two for no headers
        database.store.write([(result("a"), [ten_bytes] * 3)], ())
        assert len(pending(database, max_bytes)) == count

    def test_headers_count_as_bytes_that_are_read(self, database):
        heavy = Message("results", None, (("camera", b"x" * 1000),), b"")
        database.store.write([(result("a"), [heavy] * 3)], ())
        assert len(pending(database, 1500)) == 1

    def test_the_topics_and_the_count_are_of_what_waits(self, database):
        assert pending(database) == []
        assert database.outbox.count() == 0
        database.store.write([(result("a"), (message(), message(topic="dead")))], ())
        (dead,) = (one.position for one in pending(database) if one.message.topic == "dead")
        database.store.write([], [dead])
        assert {one.message.topic for one in pending(database)} == {"results"}
        assert database.outbox.count() == 1

    def test_messages_published_before_a_moment_are_pruned_up_to_the_limit(self, database, clock):
        database.store.write([(result("a"), [message()] * 5)], ())
        *early, late, _ = (one.position for one in pending(database))
        database.store.write([], early)
        clock.now += timedelta(hours=2)
        database.store.write([], [late])
        before = NOON + timedelta(hours=1)
        assert database.store.prune_outbox(before, 2) == 2
        assert database.store.prune_outbox(before, 2) == 1
        assert database.store.prune_outbox(before, 2) == 0
        assert database.outbox.count() == 1
        assert database.store.prune_outbox(clock.now + timedelta(hours=1), 9) == 1

    def test_marked_again_a_message_keeps_the_moment_of_its_first_mark(self, database, clock):
        database.store.write([(result("a"), (message(),))], ())
        (position,) = (one.position for one in pending(database))
        database.store.write([], [position])
        clock.now += timedelta(hours=2)
        database.store.write([], [position])
        assert database.store.prune_outbox(NOON + timedelta(hours=1), 9) == 1

    def test_positions_are_not_given_again_after_pruning(self, database, clock):
        database.store.write([(result("a"), (message(),))], ())
        (first,) = (one.position for one in pending(database))
        database.store.write([], [first])
        clock.now += timedelta(days=1)
        assert database.store.prune_outbox(clock.now, 9) == 1
        database.store.write([(result("b", number=1), (message(),))], ())
        assert pending(database)[0].position > first


class TestResults:
    def test_one_is_found_by_its_id(self, database):
        first = result("a")
        database.store.write([(first, ())], ())
        assert database.results.get(first.id) == first
        assert database.results.get("no such id") is None
        assert database.results.get("\udcff") is None

    def test_they_come_newest_first_in_pages(self, database):
        written = [result(f"{number}", number=number) for number in range(7)]
        database.store.write([(one, ()) for one in written], ())
        seen: list = []
        before = None
        while page := database.results.page(Filter(), 3, before):
            assert len(page) <= 3
            seen += page
            before = page[-1].id
        assert seen == written[::-1]

    @pytest.mark.parametrize(
        ("wanted", "keys"),
        [
            (Filter(label="cat"), "a"),
            (Filter(status=Status.REJECTED), "c"),
            (Filter(status=Status.CLASSIFIED), "dba"),
            (Filter(source=Source.KAFKA), "d"),
            (Filter(name="b"), "b"),
            (Filter(sha256="1" * 64), "c"),
            (Filter(since=NOON + timedelta(hours=1)), "dcb"),
            (Filter(until=NOON + timedelta(hours=1)), "a"),
            (Filter(since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=3)), "cb"),
            (Filter(label="dog", source=Source.FOLDER), "b"),
            (Filter(label="\udcff"), ""),
            (Filter(label="' OR 1=1 --"), ""),
        ],
        ids=str,
    )
    def test_they_are_filtered(self, database, wanted, keys):
        kafka = Origin(Source.KAFKA, "kafka:x/t/1/0/7", "d", topic="t", partition=0, offset=7)
        written = [
            result("a", CAT, number=0),
            result("b", DOG, number=1, at=NOON + timedelta(hours=1)),
            result("c", TORN, number=2, at=NOON + timedelta(hours=2), sha256="1" * 64),
            replace(result("d", DOG, number=3, at=NOON + timedelta(hours=3)), origin=kafka),
        ]
        database.store.write([(one, ()) for one in written], ())
        assert "".join(one.origin.name for one in database.results.page(wanted, 10)) == keys


def test_the_instance_is_a_ulid_that_stays(tmp_path, clock):
    names = set()
    for _ in range(2):
        database = Database.open(f"sqlite:///{tmp_path}/classifyd.db", clock)
        names.add(database.instance)
        database.close()
    (name,) = names
    assert len(name) == 26
