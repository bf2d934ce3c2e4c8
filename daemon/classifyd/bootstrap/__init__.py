"""Settings → objects: the one place that chooses adapters."""

from classifyd.bootstrap.assembly import Interior
from classifyd.bootstrap.daemon import Daemon
from classifyd.bootstrap.engines import make_classifier

__all__ = ["Daemon", "Interior", "make_classifier"]
