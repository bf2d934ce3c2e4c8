"""`classifyd results`: what is recorded, for people and for programs."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from classifyd.core.values import Origin, Source
from classifyd.store import Database
from tests.unit.store.samples import NOON


def test_the_list_is_newest_first_and_nothing_in_a_name_is_markup(classifyd, recorded):
    ended = classifyd("results", "list")
    header, *rows = ended.out.splitlines()
    assert ended.code == 0
    assert header.split() == ["classified", "(UTC)", "outcome", "name", "id"]
    assert [row[:19] for row in rows] == [
        "2026-01-31 12:00:00",
        "2026-01-31 11:00:00",
        "2026-01-31 10:00:00",
    ]
    assert re.search(r"cat 75\.0% +album/\[red\]third\.jpg", rows[0])
    assert re.search(r"rejected: truncated +album/=1\+1\.jpg", rows[1])


def test_the_list_is_not_cut_where_no_terminal_is(classifyd, recorded, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    assert recorded[0].id in classifyd("results", "list").out


def test_in_a_narrow_terminal_only_names_are_folded(classifyd, recorded, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", classifyd("results", "list").out)
    assert max(map(len, shown.splitlines())) <= 80
    for one in recorded:
        assert one.id in shown
        assert f"{one.classified_at:%Y-%m-%d %H:%M:%S}" in shown


def test_a_record_without_a_key_is_named_by_its_place(classifyd, recorded):
    origin = Origin(Source.KAFKA, "kafka:x", topic="pictures", partition=3, offset=42)
    database = Database.open("sqlite:///data/classifyd.db", lambda: NOON)
    database.store.write([(replace(recorded[0], id="0" * 26, origin=origin), ())], ())
    database.close()
    assert "pictures/3/42" in classifyd("results", "list", "--source", "kafka").out


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--label", "cat"], [2, 0]),
        (["--status", "rejected"], [1]),
        (["--source", "kafka"], []),
        (["--name", "first.jpg"], [0]),
        (["--sha256", "0" * 64, "--limit", "1"], [2]),
        (["--since", "2026-01-31T11:00:00Z"], [2, 1]),
        (["--since", "2026-01-31T10:30", "--until", "2026-01-31T13:00+01:00"], [1]),
        (["--until", "2026-01-31"], []),
    ],
)
def test_filters(classifyd, recorded, options, found):
    ended = classifyd("results", "list", *options)
    assert re.findall(r"\w{26}$", ended.out, re.MULTILINE) == [recorded[index].id for index in found]
    assert ("No results." in ended.err) == (not found)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--since", "yesterday"),
        ("--since", "0001-01-01T00:00:00+10:00"),
        ("--until", "9999-12-31T23:00:00-10:00"),
        ("--status", "done"),
        ("--limit", "0"),
    ],
)
def test_a_filter_that_is_not_understood(classifyd, recorded, option, value):
    ended = classifyd("results", "list", option, value)
    assert ended.code == 2
    assert option in ended.err


def test_show_prints_everything(classifyd, recorded):
    shown = json.loads(classifyd("results", "show", recorded[1].id).out)
    assert shown["origin"] == "folder:=1+1.jpg"
    assert (shown["status"], shown["error_code"]) == ("rejected", "truncated")


def test_show_of_nothing(classifyd, recorded):
    ended = classifyd("results", "show", "x")
    assert (ended.code, ended.err) == (1, "classifyd: there is no result x: see classifyd results list\n")


def test_lines_are_exactly_what_is_recorded(classifyd, recorded):
    lines = [
        json.loads(line) for line in classifyd("results", "export", "--format", "jsonl").out.splitlines()
    ]
    assert [line["id"] for line in lines] == [one.id for one in reversed(recorded)]
    assert lines[1]["name"] == "=1+1.jpg"
    assert lines[0]["top"][1] == {"class_index": 5, "label": "dog", "probability": 0.25}


def test_csv_holds_every_column_and_runs_no_formula(classifyd, recorded):
    rows = list(csv.DictReader(io.StringIO(classifyd("results", "export", "--format", "csv").out)))
    assert [row["id"] for row in rows] == [one.id for one in reversed(recorded)]
    assert rows[1]["name"] == "'=1+1.jpg"
    assert rows[1]["label"] == ""
    assert json.loads(rows[0]["top"])[0]["label"] == "cat"
    assert rows[0]["size_bytes"] == "1000"
    assert None not in rows[0]


def test_export_of_some(classifyd, recorded):
    ended = classifyd("results", "export", "--format", "jsonl", "--status", "rejected")
    assert len(ended.out.splitlines()) == 1


def test_no_database_is_told_with_what_to_do(classifyd, clean):
    ended = classifyd("results", "list", "--database", "none.db")
    assert ended.code == 2
    assert ended.err == f"classifyd: there is no database at {clean}/none.db: `classifyd run` makes it\n"


def test_backup_copies_and_replaces_nothing(classifyd, recorded, clean):
    ended = classifyd("backup", "copy.db")
    assert ended.code == 0
    assert ended.out.startswith(f"{clean}/copy.db: ")
    assert "first.jpg" in classifyd("results", "list", "--database", "copy.db").out
    assert classifyd("backup", "copy.db").code == 2


def test_prune_deletes_what_is_old(classifyd, recorded):
    assert (
        classifyd("prune", "--older-than", "1d", "--dry-run").out
        == "3 results and 0 pictures would be deleted\n"
    )
    assert classifyd("prune", "--older-than", "9999w").out == "0 results and 0 pictures deleted\n"
    assert classifyd("prune", "--older-than", "1d").out == "3 results and 0 pictures deleted\n"
    assert "No results." in classifyd("results", "list").err


def test_prune_deletes_pictures_in_done_and_failed_only_where_asked(classifyd, monkeypatch, clean):
    asked = []

    def prune(url, before, folders, *, dry_run):
        from classifyd.operations.prune import Pruned

        asked.append(folders)
        return Pruned(2, 1, ("x.jpg: Permission denied",))

    monkeypatch.setattr("classifyd.operations.prune.prune", prune)
    ended = classifyd("prune", "--older-than", "1d", "--files")
    assert asked == [(clean / "data" / "done", clean / "data" / "failed")]
    assert (ended.code, ended.err) == (1, "x.jpg: Permission denied\n")
    classifyd("prune", "--older-than", "1d")
    assert asked[1] == ()


@pytest.mark.parametrize("age", ["90", "soon", "9999999999999999w", "9999999w"])
def test_an_age_that_is_none(classifyd, age):
    ended = classifyd("prune", "--older-than", age)
    assert ended.code == 2
    assert "--older-than" in ended.err
    assert "Traceback" not in ended.err
