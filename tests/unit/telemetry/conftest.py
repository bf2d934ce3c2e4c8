"""Logging set-up changes the whole process: every test here gives it back as it was."""

import logging

import pytest
import structlog


@pytest.fixture
def isolated_logging():
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in list(logging.Logger.manager.loggerDict)}
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name in list(logging.Logger.manager.loggerDict):
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    logging.captureWarnings(False)
    structlog.reset_defaults()
