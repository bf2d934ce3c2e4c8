from classifyd.core.suspects import ATTEMPTS, LONGEST_DELAY, PERIOD, Suspects


def fail_until_condemned(suspects: Suspects) -> tuple[int, float]:
    now, failures = 0.0, 1
    while not suspects.failed("x", now):
        due = suspects.next_due()
        assert due is not None
        assert due - now <= LONGEST_DELAY
        assert suspects.take_due(due - 0.001) == []
        assert suspects.take_due(due) == ["x"]
        now, failures = due, failures + 1
    return failures, now


def test_a_picture_is_condemned_after_ten_failures_over_an_hour_and_not_before():
    failures, elapsed = fail_until_condemned(Suspects())
    assert failures >= ATTEMPTS
    assert PERIOD <= elapsed <= PERIOD + LONGEST_DELAY


def test_ten_failures_in_a_minute_condemn_nothing():
    suspects = Suspects()
    assert not any(suspects.failed("x", float(second)) for second in range(60))


def test_a_missing_answer_never_condemns():
    suspects = Suspects()
    for hour in range(100):
        suspects.unanswered("x", hour * PERIOD)
    assert not suspects.failed("x", 100 * PERIOD)


def test_an_answer_clears_the_record():
    suspects = Suspects()
    for number in range(ATTEMPTS - 1):
        suspects.failed("x", number * PERIOD)
    suspects.cleared("x")
    assert not suspects.failed("x", ATTEMPTS * PERIOD)


def test_a_condemned_picture_begins_anew():
    suspects = Suspects()
    fail_until_condemned(suspects)
    assert not suspects.failed("x", 10 * PERIOD)
