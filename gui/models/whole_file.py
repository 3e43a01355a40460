"""Writes a file whole or not at all: on a full disk what was there before stays."""

from __future__ import annotations

import os
from pathlib import Path

from PyQt5.QtCore import QBuffer, QIODevice
from PyQt5.QtGui import QImage


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` in the place of what is at `path`. Raises OSError, and leaves no part of it then."""
    draft = path.with_name(f".{path.name[:80]}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def png_octets(image: QImage) -> bytes:
    """A picture as a PNG file has it."""
    buffer = QBuffer()
    buffer.open(QIODevice.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data())
