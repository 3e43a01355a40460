"""The line that somebody types while others talk: keys in, whole lines out, what to show of it; no terminal here."""

from __future__ import annotations

import codecs
import re
import unicodedata

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])")
_OPEN_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?")
_LETTERS_AT_MOST = 16_000
_REMEMBERED = 200

_MEANING = {
    "\x1b[A": "older", "\x1bOA": "older", "\x10": "older",
    "\x1b[B": "newer", "\x1bOB": "newer", "\x0e": "newer",
    "\x1b[C": "right", "\x1bOC": "right", "\x06": "right",
    "\x1b[D": "left", "\x1bOD": "left", "\x02": "left",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home", "\x1b[7~": "home", "\x01": "home",
    "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end", "\x1b[8~": "end", "\x05": "end",
    "\x7f": "erase", "\x08": "erase", "\x1b[3~": "delete", "\x04": "delete",
    "\x0b": "cut end", "\x15": "cut start", "\x17": "cut word",
}  # fmt: skip
"""Keys as terminals send them, and those of Emacs that shells have."""


class LineEditor:
    """One line with a cursor, and the lines before it."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self.has_ended = False
        """Ctrl-D on an empty line."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._lines: list[str] = []
        self._shown: int | None = None

    def feed(self, data: bytes) -> list[str]:
        """Take keys in; the lines that were finished by Enter."""
        keys = self._rest + self._decoder.decode(data)
        self._rest = ""
        finished = []
        at = 0
        while at < len(keys) and not self.has_ended:
            key = keys[at]
            if key == "\x1b":
                found = _ESCAPE.match(keys, at)
                if found is None and _OPEN_ESCAPE.fullmatch(keys, at) and len(keys) - at < 32:
                    self._rest = keys[at:]
                    break
                key = found[0] if found is not None else key
            at += len(key)
            if key in "\r\n":
                finished.append(self._finish())
            elif key == "\x04" and not self.text:
                self.has_ended = True
            elif key in _MEANING:
                self._move(_MEANING[key])
            elif key == "\t" or (len(key) == 1 and key.isprintable()):
                self._insert(" " if key == "\t" else key)
        return finished

    def view(self, columns: int) -> tuple[str, int]:
        """The part of the line that is shown in so many columns, and the column of the cursor in it."""
        start, width = self.cursor, 0
        while start > 0 and width + _columns(self.text[start - 1]) < columns:
            start -= 1
            width += _columns(self.text[start])
        end, total = self.cursor, width
        while end < len(self.text) and total + _columns(self.text[end]) <= columns - 1:
            total += _columns(self.text[end])
            end += 1
        return self.text[start:end], width

    def _insert(self, letter: str) -> None:
        if len(self.text) < _LETTERS_AT_MOST:
            self.text = self.text[: self.cursor] + letter + self.text[self.cursor :]
            self.cursor += 1

    def _finish(self) -> str:
        line, self.text, self.cursor, self._shown = self.text, "", 0, None
        if line and (not self._lines or self._lines[-1] != line):
            self._lines = [*self._lines, line][-_REMEMBERED:]
        return line

    def _move(self, what: str) -> None:
        text, cursor = self.text, self.cursor
        if what in ("older", "newer"):
            self._recall(-1 if what == "older" else 1)
        elif what == "right":
            self.cursor = min(len(text), cursor + 1)
        elif what == "left":
            self.cursor = max(0, cursor - 1)
        elif what == "home":
            self.cursor = 0
        elif what == "end":
            self.cursor = len(text)
        elif what == "erase" and cursor:
            self.text, self.cursor = text[: cursor - 1] + text[cursor:], cursor - 1
        elif what == "delete":
            self.text = text[:cursor] + text[cursor + 1 :]
        elif what == "cut end":
            self.text = text[:cursor]
        elif what == "cut start":
            self.text, self.cursor = text[cursor:], 0
        elif what == "cut word":
            kept = text[:cursor].rstrip()
            kept = kept[: kept.rfind(" ") + 1]
            self.text, self.cursor = kept + text[cursor:], len(kept)

    def _recall(self, step: int) -> None:
        at = (len(self._lines) if self._shown is None else self._shown) + step
        if at < 0 or (self._shown is None and step > 0):
            return
        self._shown = at if at < len(self._lines) else None
        self.text = "" if self._shown is None else self._lines[self._shown]
        self.cursor = len(self.text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
