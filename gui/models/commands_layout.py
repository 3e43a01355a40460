"""What the Commands page keeps for the next start, as one value of the window's settings."""

from __future__ import annotations

import base64
import binascii
import json

from PyQt5.QtCore import QByteArray


def kept_layout(*, splitter: bytes, window: int, is_whole: bool) -> QByteArray:
    """What is not as at the first start, empty where all is."""
    kept: dict[str, object] = {}
    if splitter:
        kept["splitter"] = base64.b64encode(splitter).decode()
    if window:
        kept["window"] = window
    if is_whole:
        kept["whole"] = True
    return QByteArray(json.dumps(kept).encode()) if kept else QByteArray()


def read_layout(state: QByteArray) -> tuple[bytes, int, bool]:
    """(splitter, window, is_whole) as they were kept; as at the first start where `state` is another version's."""
    try:
        kept = json.loads(bytes(state)) if state else {}
        return base64.b64decode(kept.get("splitter", "")), int(kept.get("window", 0)), bool(kept.get("whole", False))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return b"", 0, False
