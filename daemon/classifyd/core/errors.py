"""The exception tree. Every message says what happened, to which picture or setting, and what to do."""


class ClassifydError(Exception):
    """The root of everything that classifyd raises on purpose."""


class ConfigurationError(ClassifydError):
    """The user's settings or surroundings forbid a start: told in one line, exit code 2, no traceback."""


class ClassifierError(ClassifydError):
    """The root of what a classifier raises."""


class Unavailable(ClassifierError):
    """The model cannot be asked now (outage, time-out, not loaded, overloaded): says nothing of any picture.

    `retry_after` is what the server asked for, in seconds, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(ClassifierError):
    """The model refused the request as sent (HTTP 400): for a picture, the batch's size or its own setup."""


class Oversized(Refused):
    """Something before the model forbids a request of this size (HTTP 413): no word against a picture."""


class Failed(ClassifierError):
    """The model failed on the request (HTTP 5xx that is not an outage): perhaps because of one picture."""


class StoreError(ClassifydError):
    """The root of what the database raises."""


class StoreUnavailable(StoreError):
    """The database cannot be written now (locked, disk full, read-only, gone): try the same again later."""


class UnstorableRow(StoreError):
    """The database refuses this data, and would refuse it again: retry row by row to find which."""


class PublishError(ClassifydError):
    """The root of what the publisher reports for a message."""


class PublishUnavailable(PublishError):
    """The topic or the broker cannot take messages now: try the same again later."""


class MessageTooLarge(PublishError):
    """The broker's limit forbids this message, and would forbid it again."""
