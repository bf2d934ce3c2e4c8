"""Results as text that other programs read."""

import csv
import json
import re
from collections.abc import Iterable
from typing import IO, Any

from classifyd.core.documents import ClassifiedDocument, document
from classifyd.core.values import Result

# What spreadsheets take for the start of a formula (OWASP, CSV Injection).
_FORMULA = re.compile(r"[=+\-@\t\r]")


def as_lines(results: Iterable[Result], stream: IO[str]) -> None:
    """One JSON document a line, exactly as recorded."""
    for result in results:
        stream.write(json.dumps(document(result), ensure_ascii=False) + "\n")


def as_csv(results: Iterable[Result], stream: IO[str]) -> None:
    """A header and a row for each result (RFC 4180). Names come from strangers: a text that a spreadsheet
    would run as a formula is led by an apostrophe."""
    writer = csv.DictWriter(stream, fieldnames=list(ClassifiedDocument.__annotations__))
    writer.writeheader()
    for result in results:
        writer.writerow({key: _cell(value) for key, value in document(result).items()})


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
