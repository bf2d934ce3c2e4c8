"""Where the models that come with classifyd lie."""

from pathlib import Path

import classifyd
from classifyd.core.errors import ConfigurationError

_PACKAGE = Path(classifyd.__file__).parent


def bundled_model(name: str) -> Path:
    """The folder of a bundled model: inside an installed package, or `models/` of a checkout.

    Raises ConfigurationError when there is none of this name.
    """
    candidates = (_PACKAGE / "bundled" / name, _PACKAGE.parents[1] / "models" / name)
    for folder in candidates:
        if (folder / "model.toml").is_file():
            return folder
    raise ConfigurationError(f"no model named {name!r} comes with classifyd; name a folder by `path`")
