"""What recording costs: a statement for the results of a transaction and one for their messages."""

import pytest

from classifyd.core.values import Filter
from tests.unit.store.samples import DOG, message, result


@pytest.fixture
def statements(database):
    """What SQLite is told to do; of a statement for many rows once."""
    found: list[str] = []

    def tell(statement: str) -> None:
        verb, *words = statement.split()
        told = f"INSERT {words[1]}" if verb == "INSERT" else verb
        if found[-1:] != [told]:
            found.append(told)

    driver = database.store._connection.connection.driver_connection
    driver.set_trace_callback(tell)
    yield found
    driver.set_trace_callback(None)


def test_of_new_origins_nothing_is_asked(database, statements):
    database.store.write([(result(f"{n}", number=n), (message(),)) for n in range(50)], ())
    assert statements == ["BEGIN", "INSERT results", "INSERT outbox", "COMMIT"]


def test_a_known_origin_costs_a_second_transaction_that_asks_first(database, statements):
    known = result("known")
    database.store.write([(known, (message(),))], ())
    statements.clear()
    new, again = result("new", number=1), result("known", DOG, number=2)
    waiting = [one.position for one in database.outbox.pending({}, (), 10**6)]
    assert database.store.write([(new, (message(),)), (again, (message(),))], waiting) == [new, known]
    assert statements == [
        *("BEGIN", "INSERT results", "ROLLBACK"),
        *("BEGIN", "SELECT", "INSERT results", "INSERT outbox", "UPDATE", "COMMIT"),
    ]
    assert database.results.page(Filter(), 9) == [new, known]
    assert database.outbox.count() == 1
