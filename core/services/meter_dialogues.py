"""The protocols in which a meter is asked: a fourth one is one file with its Dialogue and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from core.services.meter_dialogue import NewDialogue

DIALOGUES: Mapping[str, tuple[str, str]] = {
    "iec62056-21": ("core.services.dialogue_iec", "IecDialogue"),
    "dlms": ("core.services.dialogue_dlms", "DlmsDialogue"),
    "mbus": ("core.services.dialogue_mbus", "MbusDialogue"),
}
"""Module and class; imported when a meter of that protocol is first asked."""

INTERVALS_S: Mapping[str, float] = {"iec62056-21": 15.0, "dlms": 1.0, "mbus": 10.0}
"""From the beginning of one reading to that of the next, where nobody has said: a readout takes some seconds, a few
GETs a fraction of one, and meters on an M-Bus are often fed by it or by a battery.
"""


def new_dialogue(protocol: str) -> NewDialogue:
    """The class that asks in `protocol`."""
    module, name = DIALOGUES[protocol]
    made: NewDialogue = getattr(importlib.import_module(module), name)
    return made
