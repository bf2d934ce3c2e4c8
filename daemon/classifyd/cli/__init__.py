"""The command line: parses, calls, prints."""

import sys

from classifyd.core.errors import ClassifydError, ConfigurationError

EXIT_FAILED = 1
EXIT_CONFIGURATION = 2


def main() -> None:
    """The console script `classifyd`.

    Exit codes: 0 all well; 1 something failed; 2 the command line, the settings or the surroundings forbid
    it (one line on standard error, no traceback); 130 interrupted. A reader that goes away is no error.
    """
    from classifyd.cli.app import app

    try:
        app(prog_name="classifyd")
    except ConfigurationError as error:
        _tell(str(error), EXIT_CONFIGURATION)
    except PermissionError as error:
        place = f"{error.filename}: " if error.filename else ""
        remedy = "give this user the right to it and to its folders, or name another place"
        _tell(f"{place}permission denied: {remedy}", EXIT_CONFIGURATION)
    except ClassifydError as error:
        _tell(str(error), EXIT_FAILED)


def _tell(message: str, code: int) -> None:
    for line in message.splitlines():
        print(f"classifyd: {line}", file=sys.stderr)  # noqa: T201 - the one place that prints errors
    sys.exit(code)
