from classifyd.core.suspects import ATTEMPTS, LONGEST_DELAY, PERIOD, Suspects


def fail_until_condemned(suspects: Suspects[str]) -> tuple[int, float]:
    now, failures = 0.0, 1
    while not suspects.failed("x", "item", now):
        due = suspects.next_due()
        assert due is not None
        assert due - now <= LONGEST_DELAY
        assert suspects.take_due(due - 0.001) == []
        assert suspects.take_due(due) == ["item"]
        now, failures = due, failures + 1
    return failures, now


def test_a_picture_is_condemned_after_ten_failures_over_an_hour_and_not_before():
    failures, elapsed = fail_until_condemned(Suspects())
    assert failures >= ATTEMPTS
    assert PERIOD <= elapsed <= PERIOD + LONGEST_DELAY


def test_ten_failures_in_a_minute_condemn_nothing():
    suspects: Suspects[str] = Suspects()
    assert not any(suspects.failed("x", "item", float(second)) for second in range(60))


def test_a_missing_answer_never_condemns():
    suspects: Suspects[str] = Suspects()
    for hour in range(100):
        suspects.unanswered("x", "item", hour * PERIOD)
    assert not suspects.failed("x", "item", 100 * PERIOD)


def test_it_goes_on_for_weeks():
    suspects: Suspects[str] = Suspects()
    for number in range(2000):
        suspects.unanswered("x", "item", number * LONGEST_DELAY)
    assert suspects.take_due(2000 * LONGEST_DELAY) == ["item"] * 2000


def test_an_answer_clears_the_record():
    suspects: Suspects[str] = Suspects()
    for number in range(ATTEMPTS - 1):
        suspects.failed("x", "item", number * PERIOD)
    suspects.cleared("x")
    assert not suspects.failed("x", "item", ATTEMPTS * PERIOD)


def test_a_condemned_picture_begins_anew():
    suspects: Suspects[str] = Suspects()
    fail_until_condemned(suspects)
    assert not suspects.failed("x", "item", 10 * PERIOD)


def test_each_delivery_of_a_picture_comes_out_once_and_their_failures_count_together():
    suspects: Suspects[str] = Suspects()
    suspects.failed("x", "first delivery", 0.0)
    suspects.failed("x", "second delivery", 0.0)
    assert suspects.take_due(PERIOD) == ["first delivery", "second delivery"]
    assert suspects.take_due(PERIOD) == []
    assert suspects.next_due() is None
    for _ in range(ATTEMPTS - 3):
        suspects.failed("x", "item", PERIOD)
    assert suspects.failed("x", "item", PERIOD)
