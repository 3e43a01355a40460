"""IP addresses of this Linux machine, asked of the kernel over a netlink socket (rtnetlink(7), RTM_GETADDR).

No program is started and no name is looked up, so that the answer costs some microseconds and never blocks.
"""

from __future__ import annotations

import socket
import struct

_RTM_GETADDR = 22
_RTM_NEWADDR = 20
_NLMSG_DONE = 3
_NLM_F_REQUEST_DUMP = 0x301
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_HEAD = struct.Struct("=IHHII")
_ADDRESS_HEAD = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_SCOPE_HOST, _SCOPE_LINK = 254, 253


def interface_addresses() -> tuple[tuple[str, str], ...]:
    """Interface and address, IPv4 first; loopback and link-local addresses are left out. Empty where it is denied."""
    try:
        replies = _dump()
    except OSError:
        return ()
    names = dict(socket.if_nameindex())
    found = [(family, names.get(index, str(index)), text) for reply in replies for family, index, text in _parse(reply)]
    return tuple((name, text) for _family, name, text in sorted(found, key=lambda item: (item[0], item[1])))


def _dump() -> list[bytes]:
    request = _HEAD.pack(_HEAD.size + _ADDRESS_HEAD.size, _RTM_GETADDR, _NLM_F_REQUEST_DUMP, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(0.5)
        link.send(request + _ADDRESS_HEAD.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
        replies = []
        while True:
            replies.append(link.recv(65536))
            if _is_last(replies[-1]):
                return replies


def _is_last(reply: bytes) -> bool:
    start = 0
    while start + _HEAD.size <= len(reply):
        length, kind, *_rest = _HEAD.unpack_from(reply, start)
        if kind != _RTM_NEWADDR or length < _HEAD.size:
            return True
        start += (length + 3) & ~3
    return False


def _parse(reply: bytes) -> list[tuple[int, int, str]]:
    """Family, index of the interface and address of every message in `reply`."""
    found = []
    start = 0
    while start + _HEAD.size <= len(reply):
        length, kind, *_rest = _HEAD.unpack_from(reply, start)
        if kind == _NLMSG_DONE or length < _HEAD.size:
            break
        if kind == _RTM_NEWADDR:
            family, _prefix, _flags, scope, index = _ADDRESS_HEAD.unpack_from(reply, start + _HEAD.size)
            if scope not in (_SCOPE_HOST, _SCOPE_LINK):
                packed = _address(reply, start + _HEAD.size + _ADDRESS_HEAD.size, start + length)
                if len(packed) == (4 if family == socket.AF_INET else 16):
                    found.append((family, index, socket.inet_ntop(family, packed)))
        start += (length + 3) & ~3
    return found


def _address(reply: bytes, start: int, end: int) -> bytes:
    """The local address of one message: IFA_LOCAL where given (point to point), else IFA_ADDRESS."""
    attributes = {}
    while start + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(reply, start)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = reply[start + _ATTRIBUTE.size : start + length]
        start += (length + 3) & ~3
    return attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
