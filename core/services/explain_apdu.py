"""DLMS messages explained: LLC, blocks, ciphering, pushes, associations, requests and responses."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import RemoteProtocolError
from core.language import _
from core.meter_records import ExplainedField
from core.protocol.acse import (
    AARE,
    AARQ,
    CONFIRMED_SERVICE_ERROR,
    INITIATE_REQUEST,
    INITIATE_RESPONSE,
    RLRE,
    RLRQ,
    Mechanism,
    decode_association_request,
    decode_association_response,
)
from core.protocol.apdu import (
    BODY_TAGS,
    DATA_NOTIFICATION,
    GENERAL_BLOCK_TRANSFER,
    LLC_FROM_METER,
    LLC_TO_METER,
    block_at,
)
from core.protocol.axdr import length_at
from core.protocol.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    GENERAL_DED_CIPHERING,
    GENERAL_GLO_CIPHERING,
    TAG_SIZE,
    CipheredApdu,
    open_apdu,
    title_text,
)
from core.protocol.get_messages import (
    ACTION_REQUEST,
    ACTION_RESPONSE,
    EXCEPTION_RESPONSE,
    GET_REQUEST,
    GET_RESPONSE,
)
from core.services.explain_axdr import explain_value, value_text
from core.services.explain_fields import DEEPEST, Cursor, Keys
from core.services.explain_services import (
    action_request,
    action_response,
    exception,
    get_request,
    get_response,
    initiate_request,
    initiate_response,
    service_error,
)

_CIPHERED = {
    0x21: "glo-initiate-request", 0x28: "glo-initiate-response", 0x2E: "glo-confirmed-service-error",
    0xC8: "glo-get-request", 0xCB: "glo-action-request", 0xCC: "glo-get-response", 0xCF: "glo-action-response",
    0xD0: "ded-get-request", 0xD3: "ded-action-request", 0xD4: "ded-get-response", 0xD7: "ded-action-response",
}  # fmt: skip
_ACSE = {
    0x80: "protocol-version", 0xA1: "application-context-name", 0xA2: "result / called title",
    0xA3: "result-source-diagnostic", 0xA4: "responding title", 0xA6: "calling title", 0x88: "acse-requirements",
    0x8A: "acse-requirements", 0x89: "mechanism-name", 0x8B: "mechanism-name", 0xAA: "authentication-value",
    0xAC: "authentication-value", 0xBE: "user-information",
}  # fmt: skip


def explain_message(cursor: Cursor, keys: Keys) -> None:
    """Take all APDUs to the end of `cursor`, LLC octets before them; what does not hold is marked where it stands."""
    try:
        while cursor.left > 0:
            if cursor.data[cursor.position : cursor.position + 3] in (LLC_FROM_METER, LLC_TO_METER):
                is_from = cursor.data[cursor.position + 1] == 0xE7
                cursor.take(3, "LLC", _("from the meter") if is_from else _("to the meter"))
                continue
            _apdu(cursor, keys)
    except RemoteProtocolError as error:
        if cursor.left > 0:
            cursor.rest(_("not understood"), error=str(error))
        else:
            cursor.fields.append(
                ExplainedField(offset=cursor.base + cursor.position, octets=b"", name=_("missing"), error=str(error))
            )


def _apdu(cursor: Cursor, keys: Keys) -> None:
    keys.budget.spend()
    tag = cursor.octet()
    name, take = _APDUS.get(tag, ("", None))
    if tag in BODY_TAGS and tag != INITIATE_REQUEST:
        name, take = _("values"), _body
    elif tag == INITIATE_REQUEST:
        take = initiate_request if _looks_like_initiate(cursor) else _body
    elif tag in _CIPHERED:
        name, take = _CIPHERED[tag], _service_ciphered
    if take is None:
        raise RemoteProtocolError(_("no message begins with {tag:#04x}").format(tag=tag))
    inner = cursor.inner()
    problem = None
    try:
        take(inner, keys)
    except RemoteProtocolError as error:
        problem = error
        inner.rest(_("not understood"), error=str(error))
    if inner.position > cursor.position:
        cursor.nest(name, "", inner, error=str(problem) if problem is not None and not inner.fields else None)
    if problem is not None:
        raise problem


def _looks_like_initiate(cursor: Cursor) -> bool:
    return (
        cursor.data[cursor.position : cursor.position + 4] == b"\x01\x00\x00\x00"
        or b"\x06\x5f\x1f" in (cursor.data[cursor.position : cursor.position + 30])
    )


def _body(cursor: Cursor, keys: Keys) -> None:
    explain_value(cursor, keys.budget)


def _notification(cursor: Cursor, keys: Keys) -> None:
    cursor.take(1, _("message"), "data-notification")
    cursor.number(4, "long-invoke-id-and-priority")
    if cursor.octet() == 0x09:
        explain_value(cursor, keys.budget, _("date and time"))
    else:
        count = cursor.octet()
        cursor.take(1, _("length of the date and time"), str(count))
        if count:
            cursor.need(count)
            octets = cursor.data[cursor.position : cursor.position + count]
            cursor.take(count, _("date and time"), value_text(25, octets))
    explain_value(cursor, keys.budget, _("body"))


def _general_block(cursor: Cursor, keys: Keys) -> None:
    block, end = block_at(cursor.data[: cursor.end], cursor.position)
    cursor.take(1, _("message"), "general-block-transfer")
    control = cursor.octet()
    words = [_("last block") if control & 0x80 else _("more follow"), _("streaming") if control & 0x40 else ""]
    cursor.take(1, _("block control"), ", ".join([*filter(None, words), _("window {n}").format(n=control & 0x3F)]))
    cursor.number(2, _("block number"))
    cursor.number(2, _("block acknowledged"))
    size_end = end - len(block.content)
    cursor.take(size_end - cursor.position, _("length"), str(len(block.content)))
    message, problem = keys.blocks.take(block)
    cursor.take(len(block.content), _("content"), "", error=None if problem is None else str(problem))
    if message is not None:
        _inside(cursor, message, _("message of all blocks"), keys)


def _inside(cursor: Cursor, content: bytes, name: str, keys: Keys) -> None:
    """A message that was put together or deciphered, with offsets of its own."""
    if keys.depth >= DEEPEST:
        raise RemoteProtocolError(_("messages are nested more than {depth} deep").format(depth=DEEPEST))
    inner = Cursor(content)
    keys.depth += 1
    try:
        explain_message(inner, keys)
    finally:
        keys.depth -= 1
    cursor.fields.append(
        ExplainedField(
            offset=0,
            octets=content,
            name=name,
            value=_("{count} octets").format(count=len(content)),
            children=tuple(inner.fields),
            is_inner=True,
        )
    )


def _general_ciphered(cursor: Cursor, keys: Keys) -> None:
    tag = cursor.octet()
    cursor.take(1, _("message"), "general-ded-ciphering" if tag == GENERAL_DED_CIPHERING else "general-glo-ciphering")
    size = cursor.octet()
    cursor.take(1, _("length of the system title"), str(size))
    cursor.need(size)
    title = cursor.data[cursor.position : cursor.position + size]
    if size:
        cursor.take(size, _("system title"), title_text(title))
    _ciphered(cursor, keys, title or keys.title)


def _service_ciphered(cursor: Cursor, keys: Keys) -> None:
    cursor.take(1, _("message"), _CIPHERED[cursor.octet()])
    _ciphered(cursor, keys, keys.title)


def _ciphered(cursor: Cursor, keys: Keys, title: bytes) -> None:
    """Length, security control, counter, ciphertext and tag; then what is inside, where the keys open it."""
    size, start = length_at(cursor.data[: cursor.end], cursor.position)
    cursor.take(start - cursor.position, _("length"), str(size))
    control = cursor.octet()
    words = [
        _("authenticated") if control & AUTHENTICATED else _("not authenticated"),
        _("encrypted") if control & ENCRYPTED else _("not encrypted"),
        _("suite {number}").format(number=control & 0x0F),
    ]
    cursor.take(1, _("security control"), ", ".join(words))
    counter = cursor.number(4, _("invocation counter"))
    tag_size = TAG_SIZE if control & AUTHENTICATED else 0
    count = size - 5 - tag_size
    if count < 0:
        raise RemoteProtocolError(_("a ciphered message of {size} octets has no room for its tag").format(size=size))
    cursor.need(count + tag_size)
    content = cursor.data[cursor.position : cursor.position + count]
    tag = cursor.data[cursor.position + count : cursor.position + count + tag_size]
    apdu = CipheredApdu(title, control, counter, content, tag)
    opened, problem = None, None
    try:
        opened = open_apdu(apdu, keys.key, keys.auth_key)
    except RemoteProtocolError as error:
        problem = str(error)
    cursor.take(count, _("ciphertext") if control & ENCRYPTED else _("content"), "", error=problem)
    if tag_size:
        verified = _("verified") if opened is not None and keys.auth_key is not None else _("not verified")
        cursor.take(tag_size, _("authentication tag"), verified)
    if opened is not None:
        _inside(cursor, opened, _("deciphered message"), keys)


def _acse(cursor: Cursor, keys: Keys) -> None:
    """An association or its release: fields of BER one by one."""
    tag = cursor.octet()
    size, start = length_at(cursor.data[: cursor.end], cursor.position + 1)
    end = start + size
    if end > cursor.end:
        raise RemoteProtocolError(_("the message of {count} octets is cut off").format(count=size))
    said = _said(cursor.data[cursor.position : end], tag, keys)
    cursor.take(start - cursor.position, _("message"), {AARQ: "AARQ", AARE: "AARE", RLRQ: "RLRQ", RLRE: "RLRE"}[tag])
    while cursor.position < end:
        inner = cursor.inner(end)
        kind = inner.octet()
        length, content = length_at(inner.data[:end], inner.position + 1)
        inner.take(content - inner.position, _("tag and length"), str(length))
        inner.need(length)
        name = "reason" if tag in (RLRQ, RLRE) and kind == 0x80 else _ACSE.get(kind, f"{kind:#04x}")
        if kind == 0xBE and length > 2:
            wrapped, behind = length_at(inner.data[:end], inner.position + 1)
            inner.take(behind - inner.position, "octet-string", str(wrapped))
            message = Cursor(inner.data, inner.base, inner.position, min(inner.position + wrapped, end))
            if keys.depth >= DEEPEST:
                raise RemoteProtocolError(_("messages are nested more than {depth} deep").format(depth=DEEPEST))
            keys.depth += 1
            try:
                explain_message(message, keys)
            finally:
                keys.depth -= 1
            inner.fields += message.fields
            inner.position = message.end
        else:
            inner.take(length, _("content"))
        is_refusal = kind == 0xA3 and said.get(0xA2) == _("refused")
        cursor.nest(name, said.get(kind, ""), inner, error=_("the meter refuses") if is_refusal else None)


def _said(message: bytes, tag: int, keys: Keys) -> dict[int, str]:
    """What the fields of an association mean; its titles are kept for what is ciphered afterwards."""
    try:
        if tag == AARQ:
            request = decode_association_request(message)
            keys.client_title = request.calling_title or keys.client_title
            return {
                0xA1: _context(request.context),
                0x8B: _mechanism(request.mechanism),
                0xA6: title_text(request.calling_title) if request.calling_title else "",
                0xAC: _("password") if request.mechanism == Mechanism.LOW else _("challenge"),
            }
        if tag == AARE:
            answer = decode_association_response(message)
            keys.meter_title = answer.responding_title or keys.meter_title
            return {
                0xA1: _context(answer.context),
                0xA2: _("accepted") if answer.is_accepted else _("refused"),
                0xA3: answer.reason,
                0x89: "" if answer.mechanism is None else _mechanism(answer.mechanism),
                0xA4: title_text(answer.responding_title) if answer.responding_title else "",
                0xAA: _("challenge"),
            }
    except RemoteProtocolError as error:
        return {0xA1: str(error)}
    return {}


def _context(number: int) -> str:
    return {
        1: _("logical names"), 2: _("short names"), 3: _("logical names, ciphered"), 4: _("short names, ciphered"),
    }.get(number, str(number))  # fmt: skip


def _mechanism(number: int) -> str:
    return {
        0: _("no security"), 1: _("low security (password)"), 5: _("high security (GMAC)"),
    }.get(number, _("high security, mechanism {number}").format(number=number))  # fmt: skip


_Take = Callable[[Cursor, Keys], None]
_APDUS: dict[int, tuple[str, _Take | None]] = {
    DATA_NOTIFICATION: ("data-notification", _notification),
    GENERAL_BLOCK_TRANSFER: ("general-block-transfer", _general_block),
    GENERAL_GLO_CIPHERING: ("general-glo-ciphering", _general_ciphered),
    GENERAL_DED_CIPHERING: ("general-ded-ciphering", _general_ciphered),
    AARQ: ("AARQ", _acse),
    AARE: ("AARE", _acse),
    RLRQ: ("RLRQ", _acse),
    RLRE: ("RLRE", _acse),
    INITIATE_REQUEST: ("initiate-request", initiate_request),
    INITIATE_RESPONSE: ("initiate-response", initiate_response),
    CONFIRMED_SERVICE_ERROR: ("confirmed-service-error", service_error),
    GET_REQUEST: ("get-request", get_request),
    GET_RESPONSE: ("get-response", get_response),
    ACTION_REQUEST: ("action-request", action_request),
    ACTION_RESPONSE: ("action-response", action_response),
    EXCEPTION_RESPONSE: ("exception-response", exception),
}
