"""Words in the user's language, for the window and the command line alike.

`_` is looked up when it is called, not when a module is imported: a constant that holds a message is marked
with `N_` and translated where it is shown. JSON, lines that other programs read, and logs are never translated.
"""

from __future__ import annotations

import gettext
import locale
import os
import re
import struct

LANGUAGES = ("en", "fr")

_TRANSLATIONS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "resources", "translations")


class Catalogue:
    """Messages of a compiled catalogue, each looked up in the file's own order when it is first asked for.

    The standard library's reader makes texts of all of them at once, which costs an agent 0.8 MiB. Source: GNU gettext
    manual, "The Format of GNU MO Files". Raises ValueError for content that is none.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) < 20 or content[:4] != b"\xde\x12\x04\x95":
            raise ValueError("not a compiled catalogue of messages")
        self._content = content
        self._count, self._keys_at, self._texts_at = struct.unpack_from("<3I", content, 8)
        self._known: dict[str, str | None] = {}
        form = re.search(r"plural=([^;\n]+)", self._found("") or "")
        self._plural = gettext.c2py(form[1]) if form else int

    def gettext(self, message: str) -> str:
        """The translation of `message`, itself where there is none."""
        return self._text(message) or message

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """The form for `count`."""
        forms = self._text(f"{singular}\0{plural}")
        if forms is None:
            return singular if count == 1 else plural
        return forms.split("\0")[self._plural(count)]

    def _text(self, key: str) -> str | None:
        if key not in self._known:
            self._known[key] = self._found(key)
        return self._known[key]

    def _found(self, key: str) -> str | None:
        wanted, low, high = key.encode(), 0, self._count
        while low < high:
            middle = (low + high) // 2
            found = self._string(self._keys_at, middle)
            if found == wanted:
                return self._string(self._texts_at, middle).decode()
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        return None

    def _string(self, table_at: int, number: int) -> bytes:
        length, start = struct.unpack_from("<2I", self._content, table_at + 8 * number)
        return self._content[start : start + length]


_catalogue: Catalogue | gettext.NullTranslations = gettext.NullTranslations()
_language = "en"


def preferred_language() -> str:
    """Two-letter language of the user's session, `en` where it is none of ours (POSIX: LC_ALL, LC_MESSAGES, LANG)."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return value[:2].lower() if value[:2].lower() in LANGUAGES else "en"
    code = (locale.getlocale()[0] or "en")[:2].lower()
    return code if code in LANGUAGES else "en"


def use_language(code: str | None = None) -> str:
    """Take `code` (or, when None, the session's language) for all messages from now on; the code taken."""
    global _catalogue, _language
    chosen = code if code in LANGUAGES else preferred_language()
    _catalogue = gettext.NullTranslations()
    if chosen != "en":
        # A plain path: importlib.resources would cost a French agent 1.5 MiB.
        compiled = os.path.join(_TRANSLATIONS, chosen, "LC_MESSAGES", "beffroi.mo")
        if os.path.isfile(compiled):
            with open(compiled, "rb") as stream:
                _catalogue = Catalogue(stream.read())
    _language = chosen
    return chosen


def language() -> str:
    """Code of the language in use."""
    return _language


def _(message: str) -> str:
    """`message` in the user's language."""
    return _catalogue.gettext(message) if message else ""


def ngettext(singular: str, plural: str, count: int) -> str:
    """The form of the message for `count`, in the user's language."""
    return _catalogue.ngettext(singular, plural, count)


def N_(message: str) -> str:
    """Mark `message` for translation without translating it yet."""
    return message
