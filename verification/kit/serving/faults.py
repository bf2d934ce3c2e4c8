"""Faults to order: each turns the answer that a sound server would give into what a sick one gives."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from verification.kit.serving.protocol import Answer, Request, error_answer

Fault = Callable[[Request, Answer], Answer]


def status(code: int, message: str, **headers: str) -> Fault:
    """An error of this code; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request, _answer: replace(error_answer(code, message), headers=named)


def page(code: int = 200) -> Fault:
    """A page that is no JSON, as a proxy or a portal answers."""
    content = b"<html><body>Please sign in</body></html>"
    return lambda _request, _answer: Answer(code, content, "text/html")


def body(content: bytes) -> Fault:
    """A success with this body instead."""
    return lambda _request, _answer: Answer(200, content)


def hang() -> Fault:
    """No answer, until the server stops."""
    return lambda _request, answer: replace(answer, never=True)


def reset(after: int = 0) -> Fault:
    """The connection is reset after so many bytes of the answer, its headers counted too."""
    return lambda _request, answer: replace(answer, reset_after=after)


def drip(interval: float) -> Fault:
    """The answer, headers too, one byte each `interval` seconds."""
    return lambda _request, answer: replace(answer, drip=interval)


def not_a_number(*positions: int) -> Fault:
    """NaN as first probability of the pictures at these positions of a request in row format."""

    def spoil(document: dict[str, Any]) -> None:
        for position in positions:
            document["predictions"][position]["probabilities"][0] = float("nan")

    return _changed(spoil)


def wrong_count(difference: int) -> Fault:
    """As many predictions more (the last repeated) or fewer than pictures."""

    def spoil(document: dict[str, Any]) -> None:
        predictions = document["predictions"]
        document["predictions"] = (predictions + predictions[-1:] * max(difference, 0))[
            : len(predictions) + difference
        ]

    return _changed(spoil)


def on_picture(sha256: str, fault: Fault) -> Fault:
    """A fault of every request that holds this picture."""
    return lambda request, answer: fault(request, answer) if sha256 in request.pictures else answer


def _changed(spoil: Callable[[dict[str, Any]], None]) -> Fault:
    def fault(_request: Request, answer: Answer) -> Answer:
        document = json.loads(answer.body)
        spoil(document)
        return replace(answer, body=json.dumps(document).encode())

    return fault
