"""What a frame means, field by field, as a tree to be shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explained:
    """One field: its name, its value in words, the octets that it is made of, and the fields within."""

    name: str
    text: str = ""
    octets: bytes = b""
    children: tuple[Explained, ...] = ()
