"""Words in the user's language, for the window and the command line alike.

`_` is looked up when it is called, not when a module is imported: a constant that holds a message is marked
with `N_` and translated where it is shown. JSON, lines that other programs read, and logs are never translated.
"""

from __future__ import annotations

import gettext
import locale
import os

LANGUAGES = ("en", "fr")

_TRANSLATIONS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "resources", "translations")

_catalogue: gettext.NullTranslations = gettext.NullTranslations()
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
                _catalogue = gettext.GNUTranslations(stream)
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
