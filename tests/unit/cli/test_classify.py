"""`classifyd classify`: asks the model about files, and records nothing."""

import json
import logging
import shutil
from collections import deque

import pytest

from classifyd.core.control import CONTROL
from classifyd.core.errors import Unavailable
from classifyd.core.values import Candidate, Prediction


class FakeClassifier:
    """Answers every picture alike, or raises what it is told to."""

    name = "resnet"

    def __init__(self, fails=None):
        self.fails = fails
        self.closed = False

    def classify(self, images):
        if self.fails:
            raise self.fails
        return [
            Prediction((Candidate(3, "cat", 0.75), Candidate(5, "dog", 0.25)), "resnet", "1") for _ in images
        ]

    def close(self):
        self.closed = True


@pytest.fixture
def classifier(monkeypatch):
    fake = FakeClassifier()
    made = deque()

    def make(name, settings):
        made.append((name, settings))
        return fake

    monkeypatch.setattr("classifyd.bootstrap.make_classifier", make)
    fake.made = made
    return fake


@pytest.fixture
def files(clean):
    (clean / "[b]cat.jpg").write_bytes(CONTROL.data)
    (clean / "text.jpg").write_text("hello")
    return clean


def test_a_table_of_answers(classifyd, classifier, files):
    ended = classifyd("classify", "[b]cat.jpg")
    assert ended.code == 0
    assert [line.split() for line in ended.out.splitlines()] == [
        ["file", "label", "probability", "class"],
        ["[b]cat.jpg", "cat", "75.0%", "3"],
    ]
    assert classifier.closed


def test_files_that_cannot_be_classified_are_told_and_fail_the_command(classifyd, classifier, files):
    ended = classifyd("classify", "text.jpg", "[b]cat.jpg", "gone.jpg")
    assert ended.code == 1
    assert "cat" in ended.out
    assert ended.err.splitlines() == [
        "text.jpg: The file is text, not a JPEG.",
        "gone.jpg: cannot be read: No such file or directory",
    ]


def test_json_is_a_document_a_line_in_order(classifyd, classifier, files):
    ended = classifyd("classify", "--json", "text.jpg", "[b]cat.jpg", "gone.jpg")
    text, cat, gone = map(json.loads, ended.out.splitlines())
    assert ended.code == 1
    assert (text["file"], text["error_code"]) == ("text.jpg", "not_a_jpeg")
    assert (cat["classes"], cat["label"], cat["confidence"], len(cat["top"])) == (3, "cat", 0.75, 2)
    assert gone["error_detail"] == "cannot be read: No such file or directory"


def test_a_model_that_is_away_is_one_line(classifyd, classifier, files):
    classifier.fails = Unavailable("the server at x does not answer")
    ended = classifyd("classify", "[b]cat.jpg")
    assert ended.code == 1
    assert "classifyd: " in ended.err
    assert "the server at x does not answer" in ended.err
    assert "Traceback" not in ended.err
    assert classifier.closed


def test_another_model_may_be_asked(classifyd, classifier, files):
    (files / "c.toml").write_text("[models.resnet]\n[models.other]\ntop_k = 2\n")
    classifyd("classify", "--config", "c.toml", "--model", "other", "[b]cat.jpg")
    [(name, settings)] = classifier.made
    assert (name, settings.top_k) == ("other", 2)


def test_an_unknown_model_names_the_known_ones(classifyd, classifier, files):
    ended = classifyd("classify", "--model", "x", "[b]cat.jpg")
    assert (ended.code, ended.err) == (2, "classifyd: --model: there is no model 'x'; known: resnet\n")


def test_the_bundled_model_answers(classifyd, files):
    shutil.copy(files / "[b]cat.jpg", files / "gradient.jpg")
    answer = json.loads(classifyd("classify", "--json", "gradient.jpg").out)
    assert answer["label"]
    assert len(answer["top"]) == 5


def test_what_a_part_logs_does_not_disturb_the_answers(classifyd, classifier, files, monkeypatch):
    from classifyd.telemetry import emit
    from classifyd.telemetry.guidance import Hint

    class Loud(Hint):
        level = logging.WARNING

    monkeypatch.setattr(classifier, "close", lambda: emit(Loud(hint="look")))
    ended = classifyd("classify", "--json", "[b]cat.jpg")
    assert len(ended.out.splitlines()) == 1
    assert "look" in ended.err
