"""Old results go, and their pictures where asked; nothing else does."""

from datetime import timedelta
from pathlib import Path

import pytest

from classifyd.core.errors import ConfigurationError
from classifyd.core.names import encode_path
from classifyd.core.values import Filter
from classifyd.operations.prune import Pruned, prune
from classifyd.store import Database, pruning, read_only
from tests.unit.store.samples import CAT, NOON, TORN, Clock, message, result

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(pruning, "_old", pruning._old.limit(2))


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/classifyd.db"


@pytest.fixture
def folders(tmp_path) -> list[Path]:
    return [tmp_path / "done", tmp_path / "failed"]


def filled(url, *entries, published=True):
    """A database that holds these results, each with a message, and no daemon."""
    database = Database.open(url, Clock())
    database.store.write([(entry, (message(),)) for entry in entries], ())
    if published:
        database.store.write([], [one.position for one in database.outbox.pending({}, (), 10**6)])
    database.close()


def left(url) -> str:
    with read_only(url) as reader:
        return "".join(one.origin.name or "" for one in reader.stream(Filter()))


def picture(path: Path, size: int = 1000) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return encode_path(path)


def test_results_older_than_the_moment_go(url):
    filled(url, *(result(name, number=n, at=NOON + n * DAY) for n, name in enumerate("abcdefg")))
    assert prune(url, NOON + 5 * DAY) == Pruned(5, 0, ())
    assert left(url) == "gf"
    assert prune(url, NOON + 5 * DAY) == Pruned(0, 0, ())


def test_a_result_whose_message_waits_stays(url):
    filled(url, result("a"), published=False)
    filled(url, result("b", number=1))
    database = Database.open(url, Clock())
    database.store.write([(result("c", number=2), (message(), message()))], ())
    *_, last = (one.position for one in database.outbox.pending({}, (), 10**6))
    database.store.write([], [last])
    database.close()
    assert prune(url, NOON + DAY).results == 2
    assert left(url) == "c"


def test_it_is_refused_while_a_daemon_holds_the_database(url):
    database = Database.open(url, Clock())
    with pytest.raises(ConfigurationError, match="in use by the daemon"):
        prune(url, NOON)
    database.close()
    prune(url, NOON)


def test_a_daemon_is_refused_while_it_prunes(url):
    filled(url, result("a"))
    with pruning.OldResults(url, exclusive=True), pytest.raises(ConfigurationError, match="classifyd prune"):
        Database.open(url, Clock())


def test_a_dry_run_counts_beside_a_daemon_and_deletes_nothing(url, folders):
    place = picture(folders[0] / "2026-01-31" / "a.jpg")
    database = Database.open(url, Clock())
    database.store.write([(result("a", stored_path=place), ()), (result("b", number=1), ())], ())
    assert prune(url, NOON + DAY, folders, dry_run=True) == Pruned(2, 1, ())
    assert left(url) == "ba"
    assert Path(place).exists()
    database.close()


def test_pictures_stay_unless_asked(url, folders):
    place = picture(folders[0] / "a.jpg")
    filled(url, result("a", stored_path=place))
    assert prune(url, NOON + DAY) == Pruned(1, 0, ())
    assert Path(place).exists()


def test_pictures_go_with_the_reason_beside_them_and_with_empty_folders(url, folders):
    done, failed = folders
    good = picture(done / "2026-01-31" / "album" / "a b%.jpg")
    bad = picture(failed / "album" / "b.jpg")
    other = done / "2026-01-31" / "mine.txt"
    picture(other)
    (failed / "album" / "b.jpg.error.json").write_text("{}")
    filled(url, result("a", CAT, stored_path=good), result("b", TORN, number=1, stored_path=bad))
    assert prune(url, NOON + DAY, folders) == Pruned(2, 2, ())
    assert sorted(folders[0].rglob("*")) == [other.parent, other]
    assert list(failed.rglob("*")) == []
    assert done.is_dir()


def test_only_what_the_result_tells_of_is_taken_for_its_picture(url, folders, tmp_path):
    done, _ = folders
    outside = picture(tmp_path / "inbox" / "kept.jpg")
    sneaky = encode_path(done / ".." / "inbox" / "kept.jpg")
    changed = picture(done / "changed.jpg", size=999)
    picture(done / "target.jpg")
    (done / "link.jpg").symlink_to(done / "target.jpg")
    places = [outside, sneaky, changed, encode_path(done / "link.jpg"), encode_path(done / "gone.jpg"), None]
    places += [encode_path(done / "target.jpg" / "below.jpg"), f"{done}/null%00byte.jpg"]
    results = [result(f"{n}", number=n, stored_path=place) for n, place in enumerate(places)]
    filled(url, *results)
    before = sorted(tmp_path.rglob("*.jpg"))
    assert prune(url, NOON + DAY, folders) == Pruned(len(places), 0, ())
    assert sorted(tmp_path.rglob("*.jpg")) == before


def test_a_place_that_a_later_result_names_too_is_left_to_it(url, folders):
    """A picture that was put back and failed again under the same name."""
    place = picture(folders[1] / "a.jpg")
    filled(
        url,
        result("a", TORN, stored_path=place),
        result("b", TORN, number=1, at=NOON + 9 * DAY, stored_path=place),
    )
    assert prune(url, NOON + DAY, folders) == Pruned(1, 0, ())
    assert Path(place).exists()
    assert prune(url, NOON + 10 * DAY, folders) == Pruned(1, 1, ())
    assert not Path(place).exists()


def test_a_picture_that_cannot_be_deleted_keeps_its_result(url, folders, monkeypatch):
    places = [picture(folders[0] / name) for name in ("a.jpg", "b.jpg")]
    filled(url, *(result(f"{n}", number=n, stored_path=place) for n, place in enumerate(places)))
    unlink = Path.unlink

    def refuse(path, **options):
        if path.name == "a.jpg":
            raise PermissionError(13, "Permission denied")
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert prune(url, NOON + DAY, folders) == Pruned(1, 1, (f"{places[0]}: Permission denied",))
    assert left(url) == "0"


def test_a_missing_database_is_told(url):
    with pytest.raises(ConfigurationError, match="no database"):
        prune(url, NOON)
