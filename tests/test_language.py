"""The catalogue of a language says what the standard library's reader of the same file says."""

from __future__ import annotations

import gettext
import io
from pathlib import Path

import pytest

from core.language import Catalogue

COMPILED = sorted(Path(__file__).resolve().parents[1].glob("resources/translations/*/LC_MESSAGES/beffroi.mo"))


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.parts[-3])
def test_every_message_is_found(path: Path) -> None:
    content = path.read_bytes()
    ours, theirs = Catalogue(content), gettext.GNUTranslations(io.BytesIO(content))
    for key, text in theirs._catalog.items():
        if isinstance(key, str):
            assert ours.gettext(key) == text or key == ""
    keys = [found.split("\0") for found in (ours._string(ours._keys_at, n).decode() for n in range(ours._count))]
    plurals = [key for key in keys if len(key) == 2]
    assert plurals
    for singular, plural in plurals:
        for count in (0, 1, 2, 5):
            assert ours.ngettext(singular, plural, count) == theirs.ngettext(singular, plural, count)


def test_an_unknown_message_is_itself() -> None:
    ours = Catalogue(COMPILED[0].read_bytes())
    assert ours.gettext("no such message, really") == "no such message, really"
    assert [ours.ngettext("{count} yak", "{count} yaks", count) for count in (1, 2)] == ["{count} yak", "{count} yaks"]


@pytest.mark.parametrize("content", [b"", b"\xde\x12\x04\x95", b"x" * 40])
def test_a_file_that_is_no_catalogue_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a compiled catalogue"):
        Catalogue(content)
