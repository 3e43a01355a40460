"""What dialogs read out of their fields, with a sentence for what cannot be read."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Sequence

from PyQt5.QtWidgets import QLineEdit

from core.language import _

LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


class NotANumberError(ValueError):
    """A field that holds no number; the message is for the user."""

    def __init__(self, field: QLineEdit, message: str) -> None:
        super().__init__(message)
        self.field = field


def decimal(field: QLineEdit, label: str) -> float | None:
    """The number of a field, with a point or a comma; None where it is empty, NotANumberError where it is none."""
    text = field.text().strip().replace("\u2212", "-").replace(",", ".")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        message = _("{label}: {text} is not a number; write such as 23.5, or nothing.")
        raise NotANumberError(field, message.format(label=label, text=field.text().strip()[:40]))
    return value


def listen_error(text: str) -> str:
    """What is wrong with an address to listen on, `HOST:PORT`; empty where nothing is."""
    found = re.fullmatch(r"(\[[^\]]+\]|[^:\s]+):([0-9]{1,5})", text)
    if found is None:
        return _("{text} is not an address to listen on; write such as 127.0.0.1:17452.").format(text=text[:80])
    if int(found[2]) > 65535:
        return _("{port} is not a port; it must be from 0 to 65535.").format(port=found[2])
    return ""


def addresses(text: str) -> tuple[tuple[str, ...], str]:
    """(addresses and networks of a text with commas or spaces, what is wrong with the first bad one)."""
    words = tuple(dict.fromkeys(re.split(r"[\s,;]+", text.strip()))) if text.strip() else ()
    for word in words:
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            sentence = _("{word} is neither an address nor a network; write such as 10.0.1.7 or 10.0.1.0/24.")
            return words, sentence.format(word=word[:80])
    return words, ""


def host_of(address: str) -> str:
    """`HOST` of `HOST:PORT`."""
    return address.rpartition(":")[0]


def is_network(address: str) -> bool:
    """True where `HOST:PORT` can be reached from other machines."""
    host = host_of(address).casefold()
    return host not in LOOPBACK and not host.startswith("127.")


def mail_error(addresses_: Sequence[str]) -> str:
    """What is wrong with the first address of mail that cannot be one; empty where nothing is."""
    for address in addresses_:
        if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", address):
            return _("{address} is not an address of mail; write such as ana@example.org.").format(address=address[:80])
    return ""
