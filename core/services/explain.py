"""Octets of a meter explained field by field, for a person who debugs: `meter decode --explain` and the window.

Pure: `explain(octets, …)` gives a tree of ExplainedField, whatever the octets are; what is wrong is marked where it
stands. Nothing is published from here, so a field may be shown although a check over it does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.errors import RemoteProtocolError
from core.language import _
from core.meter_records import ExplainedField, LineOctets
from core.protocol.apdu import LLC_FROM_METER, LLC_TO_METER
from core.protocol.get_messages import ACTION_REQUEST, ACTION_RESPONSE, GET_REQUEST, GET_RESPONSE
from core.services.decode import recognised
from core.services.explain_apdu import explain_message
from core.services.explain_fields import Cursor, Keys, all_fields
from core.services.explain_iec import explain_iec
from core.services.explain_link import HdlcExplainer, explain_wrapper
from core.services.explain_mbus import MbusExplainer
from core.times import iso_time

_HDLC = re.compile(rb"\x7e[\xa0-\xaf]")
_WRAPPED = re.compile(rb"\x00\x01..\x00?.", re.DOTALL)
_MESSAGE_TAGS = frozenset(
    {0x01, 0x02, 0x0F, 0x60, 0x61, 0x62, 0x63, 0xC8, 0xCC, 0xD8, 0xDB, 0xDF, 0xE0}
    | {GET_REQUEST, GET_RESPONSE, ACTION_REQUEST, ACTION_RESPONSE}
)
EXPLAINED_OCTETS = 1 << 20
"""Octets that are explained at most."""


def explain(
    octets: bytes,
    *,
    key: bytes | None = None,
    auth_key: bytes | None = None,
    system_title: bytes | None = None,
) -> ExplainedField:
    """What `octets` of one direction (or of both, one after the other) are, field by field."""
    return explain_pieces(
        [LineOctets(name="", time_s=0.0, is_sent=False, octets=octets)],
        key=key,
        auth_key=auth_key,
        system_title=system_title,
    )


def explain_pieces(
    pieces: Sequence[LineOctets],
    *,
    key: bytes | None = None,
    auth_key: bytes | None = None,
    system_title: bytes | None = None,
) -> ExplainedField:
    """The same of a recorded line, each piece with its direction; a frame may stand in several pieces."""
    keys = Keys(key, auth_key, system_title)
    explainer = _LineExplainer(keys)
    whole = b"".join(piece.octets for piece in pieces)[:EXPLAINED_OCTETS]
    fields: list[ExplainedField] = []
    position = 0
    problem = None
    try:
        for piece in pieces:
            octets = piece.octets[: EXPLAINED_OCTETS - position]
            keys.is_sent = piece.is_sent
            cursor = Cursor(octets, position)
            try:
                explainer.explain(cursor)
            except RemoteProtocolError as error:
                cursor.rest(_("not shown"), error=str(error))
            if len(pieces) == 1:
                fields += cursor.fields
            else:
                direction = _("to the meter") if piece.is_sent else _("from the meter")
                fields.append(
                    ExplainedField(
                        offset=position,
                        octets=octets,
                        name=direction,
                        value=(iso_time(piece.time_s) or "") if piece.time_s > 1e6 else "",
                        children=tuple(cursor.fields),
                    )
                )
            position += len(octets)
            keys.budget.spend()
    except RemoteProtocolError as error:
        problem = str(error)
    total = sum(len(piece.octets) for piece in pieces)
    if total > position and problem is None:
        problem = _("only the first {count} octets are explained").format(count=position)
    return ExplainedField(
        offset=0,
        octets=whole,
        name=explainer.name or _("octets"),
        value=_("{count} octets").format(count=total),
        error=problem,
        children=tuple(fields),
    )


class _LineExplainer:
    """Chooses the link of each piece, and keeps what frames leave over for later ones."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._hdlc = (HdlcExplainer(keys), HdlcExplainer(keys))
        self._mbus = MbusExplainer(keys)
        self.name = ""

    def explain(self, cursor: Cursor) -> None:
        octets = cursor.data
        if not octets:
            return
        if _HDLC.match(octets) or octets == b"\x7e":
            self._name("HDLC")
            self._hdlc[self._keys.is_sent].explain(cursor)
        elif octets[:3] in (LLC_FROM_METER, LLC_TO_METER):
            self._name(_("DLMS message"))
            explain_message(cursor, self._keys)
        elif _WRAPPED.match(octets) and len(octets) >= 8 and _is_wrapped(octets):
            self._name(_("DLMS over TCP"))
            explain_wrapper(cursor, self._keys)
        else:
            self._by_look(cursor, octets)

    def _by_look(self, cursor: Cursor, octets: bytes) -> None:
        """What is not told by its first octets."""
        protocol = recognised(octets)
        is_bus = octets[0] in (0x10, 0x68, 0xE5) and protocol in ("push", "mbus")
        if protocol == "mbus" or is_bus:
            self._name("M-Bus")
            self._mbus.explain(cursor)
        elif protocol == "iec62056-21" or octets[0] in b"\x06\x15\x01\x02":
            self._name("IEC 62056-21")
            explain_iec(cursor, self._keys)
        elif octets[0] in _MESSAGE_TAGS:
            self._name(_("DLMS message"))
            explain_message(cursor, self._keys)
        elif _HDLC.search(octets):
            self._name("HDLC")
            self._hdlc[self._keys.is_sent].explain(cursor)
        else:
            self._name(_("octets"))
            cursor.rest(_("not understood"), error=_("no protocol begins like this"))

    def _name(self, name: str) -> None:
        if name not in self.name.split(", "):
            self.name = f"{self.name}, {name}" if self.name else name


def _is_wrapped(octets: bytes) -> bool:
    return 8 + int.from_bytes(octets[6:8], "big") <= len(octets)


def explained_document(field: ExplainedField) -> dict[str, object]:
    """The JSON of a tree that other programs rely on."""
    return {
        "offset": field.offset,
        "octets": field.octets.hex().upper(),
        "name": field.name,
        "value": field.value,
        "error": field.error,
        "children": [explained_document(child) for child in field.children],
    }


def error_count(field: ExplainedField) -> int:
    """How many places of a tree are wrong."""
    return sum(1 for one in all_fields([field]) if one.error is not None)


def explained_lines(field: ExplainedField, *, octets_shown: int = 16) -> list[str]:
    """A tree as lines of text: offset, octets, name and meaning, indented; wrong places begin with `!!`."""
    lines: list[str] = []
    waiting: list[tuple[ExplainedField, int]] = [(field, 0)]
    while waiting:
        one, depth = waiting.pop()
        octets = one.octets[:octets_shown].hex(" ").upper()
        if len(one.octets) > octets_shown:
            octets = one.octets[: octets_shown - 1].hex(" ").upper() + " …"
        if one.children:
            octets = ""
        mark = "!!" if one.error is not None else "~~" if one.is_inner else "  "
        text = f"{one.name}: {one.value}" if one.value else one.name
        if one.error is not None:
            text += f"  <- {one.error}"
        lines.append(f"{one.offset:06X} {mark} {octets:<{3 * octets_shown}} {'  ' * depth}{text}".rstrip())
        waiting += [(child, depth + 1) for child in reversed(one.children)]
    return lines
