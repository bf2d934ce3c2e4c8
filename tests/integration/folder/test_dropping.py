"""Pictures that arrive in a watched inbox."""

import os
from pathlib import Path

import pytest

from classifyd.core.names import decode_path, encode_path
from classifyd.core.values import Reason, Rejected, Source
from classifyd.sources.folder.inbox import Inbox
from tests.integration.folder.world import World, jpeg, until


def test_a_dropped_picture_is_recorded_and_moved_to_done(world: World) -> None:
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    (row,) = world.rows(1)
    assert row.origin.source is Source.FOLDER
    assert (row.origin.name, row.origin.path) == ("cat.jpg", "cat.jpg")
    assert row.origin.key.startswith("folder:")
    assert row.origin.key.endswith("/cat.jpg")
    assert row.stored_path == str(world.today / "cat.jpg")
    assert world.files(world.done) == {f"{world.today.name}/cat.jpg": jpeg()}
    assert world.files(world.inbox) == {}


def test_pictures_that_lay_there_before_the_start_are_taken(world: World) -> None:
    for number in range(5):
        (world.inbox / f"{number}.JPEG").write_bytes(jpeg(number))
    world.start()
    world.rows(5)
    assert len(world.files(world.done)) == 5


def test_a_closed_file_is_taken_without_waiting_to_see_it_stand_still(world: World) -> None:
    world.start(settle_time=3600.0)
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg())
    world.rows(1)


@pytest.mark.parametrize("after", ["move", "delete"])
def test_a_file_moved_into_the_inbox_is_taken_at_once(world: World, after: str) -> None:
    world.start(settle_time=3600.0, after=after)
    world.watched()
    (world.top / "elsewhere").write_bytes(jpeg())
    (world.top / "elsewhere").rename(world.inbox / "cat.jpg")
    world.rows(1)


def test_a_file_renamed_from_a_temporary_name_is_taken_under_its_final_one(world: World) -> None:
    world.start(settle_time=3600.0)
    world.watched()
    temporary = world.inbox / ".cat.jpg.Xy12ab"  # as rsync does
    temporary.write_bytes(jpeg())
    temporary.rename(world.inbox / "cat.jpg")
    (row,) = world.rows(1)
    assert row.origin.name == "cat.jpg"


def test_a_hard_link_into_the_inbox_is_taken_and_its_original_left(world: World) -> None:
    world.start()
    world.watched()
    original = world.top / "original.jpg"
    original.write_bytes(jpeg())
    os.link(original, world.inbox / "cat.jpg")
    os.link(original, world.inbox / "dog.jpg")
    world.rows(2)
    assert original.read_bytes() == jpeg()
    assert set(world.files(world.today)) == {"cat.jpg", "dog.jpg"}


def test_a_folder_moved_in_whole_gives_all_its_pictures(world: World) -> None:
    world.start()
    world.watched()
    tree = world.top / "album"
    for number in range(30):
        path = tree / f"{number % 3}" / f"{number % 5}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
    tree.rename(world.inbox / "album")
    world.rows(30)
    assert len(world.files(world.today / "album")) == 30


def test_a_folder_that_is_filled_after_it_was_made_is_watched(world: World) -> None:
    world.start()
    world.watched()
    for depth in range(1, 8):
        folder = world.inbox.joinpath(*map(str, range(depth)))
        folder.mkdir()
        (folder / "cat.jpg").write_bytes(jpeg(depth))
    world.rows(7)


def test_without_recursion_only_the_inbox_itself_is_read(world: World) -> None:
    (world.inbox / "sub").mkdir()
    (world.inbox / "sub" / "cat.jpg").write_bytes(jpeg())
    world.start(recursive=False)
    world.watched()
    (world.inbox / "sub" / "late.jpg").write_bytes(jpeg())
    (world.inbox / "dog.jpg").write_bytes(jpeg(1))
    (row,) = world.rows(1)
    assert row.origin.path == "dog.jpg"
    assert set(world.files(world.inbox)) == {"sub/cat.jpg", "sub/late.jpg"}


def test_an_inbox_that_is_a_link_to_a_folder_is_watched(world: World) -> None:
    real = world.inbox.rename(world.top / "real")
    world.inbox.symlink_to(real)
    world.start(settle_time=3600.0)
    world.watched()
    (real / "sub").mkdir()
    (real / "cat.jpg").write_bytes(jpeg())
    (row,) = world.rows(1)
    assert row.origin.path == "cat.jpg"


def test_the_same_name_twice_in_a_row_gives_two_rows_and_two_files(world: World) -> None:
    world.start()
    world.watched()
    for shade in range(4):
        (world.inbox / "cat.jpg").write_bytes(jpeg(shade))
        until(lambda shade=shade: len(world.ledger.rows) == shade + 1)
    rows = world.rows(4)
    assert {Path(row.stored_path or "").read_bytes() for row in rows} == set(map(jpeg, range(4)))
    assert len({row.origin.key for row in rows}) == 4
    assert (world.today / "cat.jpg").read_bytes() == jpeg(0)


def test_two_of_one_name_in_one_commit_do_not_get_one_place(world: World) -> None:
    world.intake.held = True
    world.start()
    world.watched()
    for shade in (1, 2):
        (world.inbox / "cat.jpg").write_bytes(jpeg(shade))
        until(lambda shade=shade: len(world.intake.offered) == shade)
    recorded = [world.ledger.record(delivery) for delivery in world.intake.offered]
    for delivery in world.intake.offered:
        world.intake.finish(delivery)
    world.rows(2)
    assert len({result.stored_path for result in recorded}) == 2
    assert sorted(world.files(world.today).values()) == sorted([jpeg(1), jpeg(2)])


@pytest.mark.parametrize(
    "name",
    [
        b"with space.jpg",
        b"line\nbreak.jpg",
        b"tab\there.jpg",
        b"percent%41.jpg",
        b"latin-\xe9\xff.jpg",
        "\u2028 und ümlaut.jpg".encode(),
        b"x" * 251 + b".jpg",
        "ü".encode() * 125 + b".jpeg",
    ],
)
@pytest.mark.parametrize("content", [jpeg(), b"this is no picture"])
def test_strange_names_are_recorded_faithfully(world: World, name: bytes, content: bytes) -> None:
    world.start()
    world.watched()
    path = os.fsencode(world.inbox) + b"/" + name
    for number in (1, 2):
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)
        until(lambda number=number: len(world.ledger.rows) == number)
    rows = world.rows(2)
    assert {row.origin.name for row in rows} == {encode_path(os.fsdecode(name))}
    for row in rows:
        assert Path(decode_path(row.stored_path or "")).read_bytes() == content
    assert world.files(world.inbox) == {}


def test_one_name_in_two_subfolders_is_two_pictures(world: World) -> None:
    for sub in ("a", "b"):
        (world.inbox / sub).mkdir()
        (world.inbox / sub / "cat.jpg").write_bytes(jpeg(ord(sub)))
    world.start()
    world.rows(2)
    assert world.files(world.today) == {"a/cat.jpg": jpeg(ord("a")), "b/cat.jpg": jpeg(ord("b"))}


def test_a_folder_named_like_an_earlier_picture_takes_nothing_from_it(world: World) -> None:
    world.start()
    world.watched()
    (world.inbox / "cat.jpg").write_bytes(jpeg(1))
    world.rows(1)
    (world.inbox / "cat.jpg").mkdir()
    (world.inbox / "cat.jpg" / "dog.jpg").write_bytes(jpeg(2))
    world.rows(2)
    assert sorted(world.files(world.today).values()) == sorted([jpeg(1), jpeg(2)])


def test_what_is_no_picture_is_rejected_with_a_sidecar(world: World) -> None:
    world.start()
    world.watched()
    (world.inbox / "sub").mkdir()
    (world.inbox / "sub" / "text.jpg").write_bytes(b"\x89PNG\r\n\x1a\n and so on")
    (row,) = world.rows(1)
    assert isinstance(row.outcome, Rejected)
    assert row.outcome.reason is Reason.NOT_A_JPEG
    files = world.files(world.failed)
    assert set(files) == {"sub/text.jpg", "sub/text.jpg.error.json"}
    assert b'"reason": "not_a_jpeg"' in files["sub/text.jpg.error.json"]
    assert row.stored_path == str(world.failed / "sub" / "text.jpg")
    assert not (world.inbox / ".classifyd" / "claimed" / "ONE").exists() or not list(
        (world.inbox / ".classifyd" / "claimed" / "ONE").iterdir()
    )


def test_a_folder_that_is_watched_twice_over_is_no_trouble(world: World, opened: list[Inbox]) -> None:
    world.start(settle_time=3600.0)
    world.watched()
    (world.inbox / "sub").mkdir()
    watcher = opened[-1].watcher
    assert watcher is not None
    (emitter,) = watcher._observer.emitters
    group, path = emitter._inotify, bytes(world.inbox / "sub")
    until(lambda: path in group._active_callbacks_by_path)
    group._add_callback(path)
    (world.inbox / "sub" / "cat.jpg").write_bytes(jpeg())
    world.rows(1)
    assert watcher.broken is None
