"""`classifyd classify`: asks the configured model about files, at once."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from classifyd.cli.options import ConfigFile, ModelUrl
from classifyd.core.errors import ConfigurationError
from classifyd.core.names import encode_path
from classifyd.core.values import Prediction, Rejected

if TYPE_CHECKING:
    from classifyd.operations.classify import Answer
    from classifyd.settings import Settings


def classify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="JPEG files.", show_default=False)],
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Ask this model [the default one].")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
    config: ConfigFile = None,
    model_url: ModelUrl = None,
) -> None:
    """Classify files at once, beside the daemon: nothing is recorded, published or moved.

    Ends with code 1 when a file could not be classified.
    """
    from classifyd.settings import load

    settings = load(config, {}, model_url)
    name = model or settings.default_model
    if name not in settings.models:
        raise ConfigurationError(f"--model: there is no model {name!r}; known: {', '.join(settings.models)}")
    failed = _print_lines if as_json else _print_table
    raise typer.Exit(1 if failed(_answers(files, name, settings)) else 0)


def _answers(files: list[Path], name: str, settings: "Settings") -> "Iterable[Answer]":
    from classifyd.bootstrap import make_classifier
    from classifyd.core.gate import Limits
    from classifyd.operations.classify import classify_files

    limits = Limits(settings.limits.max_bytes, settings.limits.max_pixels, settings.limits.max_scans)
    model = settings.models[name]
    classifier = make_classifier(name, model)
    try:
        yield from classify_files(files, classifier, limits, model.max_batch, model.max_batch_bytes)
    finally:
        classifier.close()


def _print_lines(answers: "Iterable[Answer]") -> int:
    failures = 0
    for answer in answers:
        typer.echo(json.dumps(_document(answer), ensure_ascii=False))
        failures += not isinstance(answer.found, Prediction)
    return failures


def _document(answer: "Answer") -> dict[str, Any]:
    file, found = encode_path(answer.path), answer.found
    if isinstance(found, Prediction):
        return {
            "file": file,
            "classes": found.best.class_index,
            "label": found.best.label,
            "confidence": found.best.probability,
            "top": [
                {"class_index": one.class_index, "label": one.label, "probability": one.probability}
                for one in found.top
            ],
            "model": found.model,
            "model_version": found.model_version,
        }
    if isinstance(found, Rejected):
        return {"file": file, "error_code": found.reason, "error_detail": found.detail}
    return {"file": file, "error_code": "failed", "error_detail": found}


def _print_table(answers: "Iterable[Answer]") -> int:
    from classifyd.cli.tables import table

    rows, failures = [], []
    for answer in answers:
        file, found = encode_path(answer.path), answer.found
        if isinstance(found, Prediction):
            best = found.best
            rows.append((file, best.label, f"{best.probability:.1%}", str(best.class_index)))
        else:
            failures.append(f"{file}: {found.detail if isinstance(found, Rejected) else found}")
    if rows:
        table(("file", "label", "probability", "class"), rows, long="file")
    for failure in failures:
        typer.echo(failure, err=True)
    return len(failures)
