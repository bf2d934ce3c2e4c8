"""The names of a model's classes: a text file with one label a line, in the order of its outputs."""

from pathlib import Path

from classifyd.core.errors import ConfigurationError


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of a file, in order, without surrounding white space.

    Raises ConfigurationError when it cannot be read, is not UTF-8, is empty, or has an empty line: an
    empty line in the middle would shift every label after it.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"labels {path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"labels {path}: not UTF-8 text ({error.reason})") from error
    labels = tuple(line.strip() for line in text.rstrip().split("\n"))
    if "" in labels:
        raise ConfigurationError(f"labels {path}: line {labels.index('') + 1} is empty; one label a line")
    return labels


def require_fit(model: str, labels: tuple[str, ...], outputs: int) -> None:
    """Raises ConfigurationError unless there is a label for every output of the model."""
    if len(labels) != outputs:
        raise ConfigurationError(
            f"model {model}: {outputs} outputs but {len(labels)} labels; the labels must be the model's own,"
            f" one a line in the order of its outputs"
        )
