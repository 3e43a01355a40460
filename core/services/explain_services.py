"""Services of DLMS explained: initiate, GET, ACTION and what a meter answers in place of them."""

from __future__ import annotations

from core.errors import RemoteProtocolError
from core.language import _
from core.meter_records import ExplainedField
from core.protocol.axdr import length_at
from core.protocol.get_messages import SERVICE_ERRORS, STATE_ERRORS, access_result_text
from core.services.explain_axdr import code_text, explain_value
from core.services.explain_fields import Cursor, Keys

_KINDS = {1: "normal", 2: "next / block", 3: "with list"}


def initiate_request(cursor: Cursor, _keys: Keys) -> None:
    """What a client proposes."""
    cursor.take(1, _("message"), "initiate-request")
    if cursor.octet():
        cursor.take(1, "dedicated-key", _("present"))
        cursor.take(cursor.octet() + 1, _("dedicated key"))
    else:
        cursor.take(1, "dedicated-key", _("absent"))
    for name in ("response-allowed", "quality-of-service"):
        is_there = cursor.octet()
        cursor.take(2 if is_there else 1, name, _("given") if is_there else _("default"))
    cursor.number(1, "dlms-version")
    _conformance(cursor)
    cursor.number(2, "client-max-receive-pdu-size")


def initiate_response(cursor: Cursor, _keys: Keys) -> None:
    """What a meter grants."""
    cursor.take(1, _("message"), "initiate-response")
    is_there = cursor.octet()
    cursor.take(2 if is_there else 1, "quality-of-service", _("given") if is_there else _("default"))
    cursor.number(1, "dlms-version")
    _conformance(cursor)
    cursor.number(2, "server-max-receive-pdu-size")
    cursor.take(2, "vaa-name")


_CONFORMANCE = {
    1: "general-protection", 2: "general-block-transfer", 3: "read", 4: "write", 5: "unconfirmed-write",
    8: "attribute0-set", 9: "priority", 10: "attribute0-get", 11: "block-get", 12: "block-set", 13: "block-action",
    14: "multiple-references", 15: "information-report", 16: "data-notification", 17: "access",
    18: "parameterized-access", 19: "get", 20: "set", 21: "selective-access", 22: "event-notification", 23: "action",
}  # fmt: skip


def _conformance(cursor: Cursor) -> None:
    count = 7 if cursor.data[cursor.position : cursor.position + 2] == b"\x5f\x1f" else 6
    cursor.need(count)
    bits = int.from_bytes(cursor.data[cursor.position + count - 3 : cursor.position + count], "big")
    words = [word for place, word in _CONFORMANCE.items() if bits >> 23 - place & 1]
    cursor.take(count, "conformance", ", ".join(words))


def service_error(cursor: Cursor, _keys: Keys) -> None:
    """Why a service was refused."""
    cursor.take(1, _("message"), "confirmed-service-error")
    cursor.number(1, "service")
    cursor.number(1, "error class")
    cursor.number(1, "value")


def exception(cursor: Cursor, _keys: Keys) -> None:
    """Why a message was not carried out."""
    cursor.take(1, _("message"), "exception-response")
    for name, texts in (("state-error", STATE_ERRORS), ("service-error", SERVICE_ERRORS)):
        number = cursor.octet()
        cursor.take(1, name, _(texts[number]) if number in texts else str(number))
    if cursor.left >= 4 and number == 6:
        cursor.number(4, _("invocation counter"))


def _invoke(cursor: Cursor, name: str) -> int:
    cursor.take(1, _("message"), name)
    kind = cursor.octet()
    cursor.take(1, _("kind"), _KINDS.get(kind, str(kind)))
    cursor.take(1, "invoke-id-and-priority", str(cursor.octet() & 0x0F))
    return kind


def _attribute(cursor: Cursor, keys: Keys, member: str) -> None:
    cursor.number(2, "class")
    cursor.need(6)
    cursor.take(6, _("code"), code_text(cursor.data[cursor.position : cursor.position + 6]))
    cursor.number(1, member)
    if cursor.octet():
        cursor.take(1, _("parameters") if member == "method" else _("selective access"), _("present"))
        if member == "attribute":
            selector = cursor.octet()
            cursor.take(1, "selector", {1: _("by range"), 2: _("by entry")}.get(selector, str(selector)))
        explain_value(cursor, keys.budget)
    else:
        cursor.take(1, _("parameters") if member == "method" else _("selective access"), _("absent"))


def get_request(cursor: Cursor, keys: Keys) -> None:
    """Attributes that are asked for, or the next block."""
    kind = _invoke(cursor, "get-request")
    if kind == 2:
        cursor.number(4, _("block number"))
        return
    count = cursor.number(1, _("count")) if kind == 3 else 1
    for _number in range(count):
        _attribute(cursor, keys, "attribute")


def _result(cursor: Cursor, keys: Keys) -> None:
    is_error = cursor.octet()
    cursor.take(1, _("result"), _("error") if is_error else _("data"))
    if is_error:
        cursor.take(1, "data-access-result", access_result_text(cursor.octet()))
    else:
        explain_value(cursor, keys.budget)


def get_response(cursor: Cursor, keys: Keys) -> None:
    """Values, errors, or one block of a long answer."""
    kind = _invoke(cursor, "get-response")
    if kind == 1:
        _result(cursor, keys)
    elif kind == 3:
        for _number in range(cursor.number(1, _("count"))):
            _result(cursor, keys)
    elif kind == 2:
        is_last = cursor.octet()
        cursor.take(1, _("last block"), _("yes") if is_last else _("no"))
        if cursor.number(4, _("block number")) == 1:
            keys.get_blocks.clear()
        if cursor.octet():
            cursor.take(1, _("result"), _("error"))
            cursor.take(1, "data-access-result", access_result_text(cursor.octet()))
            return
        cursor.take(1, _("result"), _("data"))
        size, start = length_at(cursor.data[: cursor.end], cursor.position)
        cursor.take(start - cursor.position, _("length"), str(size))
        keys.get_blocks += cursor.take(size, _("content"))
        if len(keys.get_blocks) > 1 << 22:
            keys.get_blocks.clear()
        if is_last:
            whole = bytes(keys.get_blocks)
            keys.get_blocks.clear()
            inner = Cursor(whole)
            try:
                explain_value(inner, keys.budget)
            finally:
                cursor.fields.append(
                    ExplainedField(
                        offset=0,
                        octets=whole,
                        name=_("data of all blocks"),
                        value=_("{count} octets").format(count=len(whole)),
                        children=tuple(inner.fields),
                        is_inner=True,
                    )
                )
    else:
        raise RemoteProtocolError(_("a get-response has no kind {kind}").format(kind=kind))


def action_request(cursor: Cursor, keys: Keys) -> None:
    """A method that is called."""
    _invoke(cursor, "action-request")
    _attribute(cursor, keys, "method")


def action_response(cursor: Cursor, keys: Keys) -> None:
    """How a method ended."""
    _invoke(cursor, "action-response")
    cursor.take(1, "action-result", access_result_text(cursor.octet()))
    if cursor.octet():
        cursor.take(1, _("return parameters"), _("present"))
        _result(cursor, keys)
    else:
        cursor.take(1, _("return parameters"), _("absent"))
