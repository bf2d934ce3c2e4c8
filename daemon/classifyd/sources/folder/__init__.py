"""Pictures that are dropped into a folder."""

from classifyd.sources.folder.check import check_folders, ensure_folders
from classifyd.sources.folder.config import FolderConfig
from classifyd.sources.folder.source import FolderSource

__all__ = ["FolderConfig", "FolderSource", "check_folders", "ensure_folders"]
