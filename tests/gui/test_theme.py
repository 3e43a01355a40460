"""Contrast of both themes, WCAG 2.1: 4.5 : 1 for every colour that text is written in, on every ground it lies on."""

import pytest

from core.protocol.chat_text import PALETTE
from gui.theme import NAMES, THEMES

GROUNDS = ("ground", "card", "raised")
TEXTS = ("text", "dim", "accent", "ok", "warning", "critical", "unknown", "power", "l1", "l2", "l3")


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_21():
    assert round(contrast("#000000", "#ffffff"), 1) == 21.0


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", TEXTS)
def test_text_is_readable_on_its_ground(name, text, ground):
    theme = THEMES[name]
    assert contrast(getattr(theme, text), getattr(theme, ground)) >= 4.5


@pytest.mark.parametrize("name", THEMES)
def test_text_on_the_accent_is_readable(name):
    assert contrast(THEMES[name].on_accent, THEMES[name].accent) >= 4.5


@pytest.mark.parametrize("name", THEMES)
def test_names_of_the_room_are_as_many_colours_as_it_gives_and_readable(name):
    assert len(set(NAMES[name])) == PALETTE
    for colour in NAMES[name]:
        assert min(contrast(colour, getattr(THEMES[name], ground)) for ground in GROUNDS) >= 4.5, colour
