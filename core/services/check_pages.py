"""Pages that checks have fetched, as files: named by their address alone, nothing that was there is written over."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from pathlib import Path

from core.errors import ConfigError, TransportError
from core.language import _
from core.services.check_http import Page

LONGEST_NAME = 100

_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/plain": ".txt",
    "text/css": ".css",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/javascript": ".js",
    "text/javascript": ".js",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "application/pdf": ".pdf",
}


class PageFolder:
    """A folder that pages are saved in, made where it is missing; each target keeps its own file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Path] = {}
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(_("{path} cannot be made: {reason}").format(path=path, reason=error.strerror)) from error

    def save(self, target: str, page: Page) -> Path:
        """Write the page of `target`; the file. Raises TransportError where it cannot be written."""
        try:
            path = self._files.get(target)
            if path is None:
                path = self._files[target] = self._reserved(file_name(target, page.content_type))
            draft = path.with_name(f".{path.name[:80]}.{os.getpid()}")
            try:
                draft.write_bytes(page.body)
                os.replace(draft, path)
            except OSError:
                with contextlib.suppress(OSError):
                    draft.unlink()
                raise
        except OSError as error:
            raise TransportError(
                _("{path} cannot be written: {reason}").format(path=self.path, reason=error.strerror)
            ) from error
        return path

    def _reserved(self, name: str) -> Path:
        """A file that was not there, empty; numbered where one of that name is."""
        stem, dot, suffix = name.rpartition(".")
        number = 1
        while True:
            path = self.path / (name if number == 1 else f"{stem}-{number}{dot}{suffix}")
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            except FileExistsError:
                number += 1
            else:
                return path


def file_name(target: str, content_type: str) -> str:
    """A name for the page of `target`: letters, digits, dots and dashes that every file system takes.

    The address goes in, never what the server says but its content type; a name that had to lose something has a mark
    of the whole address at its end, so that two addresses keep two names.
    """
    address = target.partition("://")[2] or target
    plain = re.sub(r"[^a-z0-9.]+", "-", address.lower()).strip("-.")
    plain = re.sub(r"\.{2,}", ".", plain) or "page"
    suffix = _SUFFIXES.get(content_type.partition(";")[0].strip().lower(), ".bin")
    stem = plain.removesuffix(suffix)
    if len(stem) > LONGEST_NAME:
        stem = f"{stem[:LONGEST_NAME]}-{hashlib.sha256(target.encode()).hexdigest()[:8]}"
    if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", stem):  # devices of Windows
        stem = f"page-{stem}"
    return stem + suffix
