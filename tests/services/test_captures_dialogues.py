"""Recorded dialogues of other programs, decoded as captures and explained; they stay where BEFFROI_CAPTURES says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.services.decode import decode_capture
from core.services.explain import error_count, explain_pieces
from core.services.line_recording import pieces_of, recorded_line

FOLDER = os.environ.get("BEFFROI_CAPTURES", "")
INDEX = Path(FOLDER, "index.json")
KEYS = {"key": bytes(range(16)), "auth_key": bytes(range(0xD0, 0xE0))}
KNOWN = {
    "hdlc_lls": {("0-0:42.0.0*255", "PYD1000000000001", None), ("1-0:32.7.0*255", 230.1, "V")},
    "profile_last4": {("1-0:1.8.0*255", 1665, None)},
    "gmac": {("0-0:42.0.0*255", "PYD1000000000001", None)},
    "gurux_c_server": {("0-0:42.0.0*255", "GRX0000000123456", None)},
}


def entries() -> list[Any]:
    if not FOLDER or not INDEX.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason="BEFFROI_CAPTURES names no folder of captures"))]
    return [
        pytest.param(entry, id=Path(entry["file"]).stem)
        for entry in json.loads(INDEX.read_text("utf-8"))
        if entry["file"].startswith("dlms-session/")
    ]


@pytest.mark.parametrize("entry", entries())
def test_a_dialogue_gives_the_values_that_were_read(entry):
    data = Path(FOLDER, entry["file"]).read_bytes()
    keys = KEYS if "gmac" in entry["file"] else {}
    pieces = pieces_of(data)
    assert pieces
    octets = b"".join(piece.octets for piece in pieces)
    recording = "\n".join(recorded_line(1e9 + place, one.is_sent, one.octets) for place, one in enumerate(pieces))
    for form in (data, octets, octets.hex().encode(), recording.encode()):
        result = decode_capture(form, **keys)
        assert result.protocol == "dlms"
        if entry["outcome"] != "ok":
            assert result.readings == ()
            assert result.exit_status == 3
            assert "diagnostic 13" in result.errors[0]
            continue
        assert result.exit_status == 0
        assert result.errors == ()
        there = {(one.obis, one.value, one.unit) for one in result.readings}
        name = next(name for name in ("profile_last4", "gmac", "gurux_c_server", "hdlc_lls") if name in entry["file"])
        assert KNOWN[name] <= there


@pytest.mark.parametrize("entry", [one for one in entries() if not one.values[0] or "gmac" in one.id])
def test_a_ciphered_dialogue_without_its_keys_says_so(entry):
    result = decode_capture(Path(FOLDER, entry["file"]).read_bytes())
    assert result.exit_status == 3
    assert "--auth-key" in result.errors[0]


@pytest.mark.parametrize("entry", entries())
def test_a_dialogue_is_explained_and_only_a_refusal_is_wrong(entry):
    pieces = pieces_of(Path(FOLDER, entry["file"]).read_bytes())
    assert pieces
    tree = explain_pieces(pieces, **(KEYS if "gmac" in entry["file"] else {}))
    assert error_count(tree) == (0 if entry["outcome"] == "ok" else 1)
    assert [child.name for child in tree.children][:2] == ["to the meter", "from the meter"]
