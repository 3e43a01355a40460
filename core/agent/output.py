"""Output of one command as it is kept: the first and the last 512 KiB, the rest counted."""

from __future__ import annotations

import hashlib
from collections import deque

HALF_OCTETS = 512 * 1024
_LONGEST_PIECE = 16 * 1024
_MOST_PIECES = 16 * 1024
"""Pieces in a half: a program that writes single octets, now to stdout and now to stderr, costs no more memory."""

_COST_OF_A_PIECE = 160


class KeptOutput:
    """Takes output in and hands it out again in order, as often as asked; never grows beyond its two halves.

    The first half can be handed out at once, the last one only when the output has ended.
    """

    def __init__(self) -> None:
        self.octets = 0
        self.dropped_octets = 0
        self.has_ended = False
        self._head: list[tuple[int, bytearray]] = []
        self._head_octets = 0
        self._is_head_full = False
        self._tail: deque[tuple[int, bytearray]] = deque()
        self._tail_octets = 0
        self._hash = hashlib.sha256()

    def put(self, fd: int, data: bytes) -> None:
        """Take in what the command has written to `fd`."""
        self.octets += len(data)
        self._hash.update(data)
        if not self._is_head_full:
            kept = data[: HALF_OCTETS - self._head_octets]
            _append(self._head, fd, kept)
            self._head_octets += len(kept)
            self._is_head_full = self._head_octets >= HALF_OCTETS or len(self._head) >= _MOST_PIECES
            data = data[len(kept) :]
        if data:
            _append(self._tail, fd, data)
            self._tail_octets += len(data)
            self._shorten_tail()

    def end(self) -> None:
        """No more will come: the last half can be handed out."""
        self.has_ended = True

    @property
    def sha256(self) -> str:
        """SHA-256 of all that was written, what was dropped too."""
        return self._hash.hexdigest()

    @property
    def kept_octets(self) -> int:
        """Octets held now."""
        return self._head_octets + self._tail_octets

    @property
    def memory_octets(self) -> int:
        """What that costs: a piece of one octet needs a hundred times as much."""
        return self.kept_octets + _COST_OF_A_PIECE * (len(self._head) + len(self._tail))

    def piece(self, index: int, offset: int, most: int) -> tuple[int, bytes, int, int] | None:
        """Up to `most` octets from `offset` of piece `index` on, None where nothing is there (yet).

        Returns fd, bytes, and the index and offset that follow; (0, 0) is the beginning.
        """
        while True:
            if index < len(self._head):
                fd, data = self._head[index]
            elif self.has_ended and index - len(self._head) < len(self._tail):
                fd, data = self._tail[index - len(self._head)]
            else:
                return None
            if offset < len(data):
                part = bytes(data[offset : offset + most])
                return fd, part, index, offset + len(part)
            if index == len(self._head) - 1 and not self._is_head_full and not self.has_ended:
                return None
            index, offset = index + 1, 0

    def _shorten_tail(self) -> None:
        while self._tail_octets > HALF_OCTETS or len(self._tail) > _MOST_PIECES:
            fd, first = self._tail[0]
            surplus = self._tail_octets - HALF_OCTETS
            if 0 < surplus < len(first):
                self._tail[0] = (fd, first[surplus:])
                dropped = surplus
            else:
                self._tail.popleft()
                dropped = len(first)
            self._tail_octets -= dropped
            self.dropped_octets += dropped


def _append(pieces: list[tuple[int, bytearray]] | deque[tuple[int, bytearray]], fd: int, data: bytes) -> None:
    """Append to the last piece where it is of the same fd and has room."""
    if pieces and pieces[-1][0] == fd and len(pieces[-1][1]) + len(data) <= _LONGEST_PIECE:
        pieces[-1][1].extend(data)
    elif data:
        pieces.extend(
            (fd, bytearray(data[start : start + _LONGEST_PIECE])) for start in range(0, len(data), _LONGEST_PIECE)
        )
