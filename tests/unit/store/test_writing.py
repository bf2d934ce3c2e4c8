"""What recording costs: a statement for the results of a transaction and one for their messages."""

import pytest
from sqlalchemy import event

from classifyd.core.values import Filter
from tests.unit.store.samples import DOG, message, result


@pytest.fixture
def statements(database):
    found: list[str] = []
    event.listen(
        database.store._engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: found.append(statement.split()[0]),
    )
    return found


def test_of_new_origins_nothing_is_asked(database, statements):
    database.store.write([(result(f"{n}", number=n), (message(),)) for n in range(50)], ())
    assert statements == ["BEGIN", "INSERT", "INSERT"]


def test_a_known_origin_costs_a_second_transaction_that_asks_first(database, statements):
    known = result("known")
    database.store.write([(known, (message(),))], ())
    statements.clear()
    new, again = result("new", number=1), result("known", DOG, number=2)
    waiting = [one.position for one in database.outbox.pending({}, (), 10**6)]
    assert database.store.write([(new, (message(),)), (again, (message(),))], waiting) == [new, known]
    assert statements == ["BEGIN", "INSERT", "BEGIN", "SELECT", "INSERT", "INSERT", "UPDATE"]
    assert database.results.page(Filter(), 9) == [new, known]
    assert database.outbox.count() == 1
