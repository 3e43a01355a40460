"""The little of BER that associations are written in (ISO/IEC 8825-1): fields of one-octet tags, definite lengths."""

from __future__ import annotations

from core.errors import RemoteProtocolError
from core.language import _
from core.protocol.axdr import length_at
from core.protocol.axdr_encode import encoded_length


def field(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    return bytes((tag,)) + encoded_length(len(content)) + content


def fields_of(data: bytes, tag: int) -> dict[int, bytes]:
    """Content of each field of the outer message, by its tag; of one that comes twice the first."""
    found, content = tagged(data)
    if found != tag:
        raise RemoteProtocolError(
            _("message {found:#04x} came where {wanted:#04x} was due").format(found=found, wanted=tag)
        )
    fields: dict[int, bytes] = {}
    position = 0
    while position < len(content):
        end, member = _element(content, position)
        fields.setdefault(content[position], member)
        position = end
    return fields


def tagged(data: bytes) -> tuple[int, bytes]:
    """Tag and content of `data`, which must be one element to its very end."""
    if not data:
        raise RemoteProtocolError(_("the message is cut off at octet {position}").format(position=0))
    end, content = _element(data, 0)
    if end != len(data):
        raise RemoteProtocolError(_("{count} octets stand behind the end of the message").format(count=len(data) - end))
    return data[0], content


def _element(data: bytes, position: int) -> tuple[int, bytes]:
    count, start = length_at(data, position + 1)
    end = start + count
    if end > len(data):
        raise RemoteProtocolError(_("the message is cut off at octet {position}").format(position=len(data)))
    return end, data[start:end]


def wrapped(fields: dict[int, bytes], tag: int, inner: int) -> bytes | None:
    """Content of the one element of tag `inner` inside field `tag`; None where the field is absent."""
    outer = fields.get(tag)
    if outer is None:
        return None
    found, content = tagged(outer)
    if found != inner:
        raise RemoteProtocolError(
            _("message {found:#04x} came where {wanted:#04x} was due").format(found=found, wanted=inner)
        )
    return content


def number_of(octets: bytes) -> int:
    """An INTEGER that is not negative."""
    tag, content = tagged(octets)
    if tag != 0x02 or not 1 <= len(content) <= 4:
        raise RemoteProtocolError(_("a number of the association has {count} octets").format(count=len(content)))
    return int.from_bytes(content, "big")


def last_arc(octets: bytes, root: bytes) -> int:
    """The last number of an object identifier that begins with `root`."""
    if len(octets) != len(root) + 1 or not octets.startswith(root):
        raise RemoteProtocolError(_("object identifier {octets} is not one of DLMS").format(octets=octets[:16].hex()))
    return octets[-1]
