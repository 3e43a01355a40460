"""The sending half of an HDLC connection, the same at both ends: pieces, numbers, acknowledgements."""

from __future__ import annotations

from collections import deque

from core.protocol.hdlc import encode_frame
from core.protocol.hdlc_control import i_control


class SendWindow:
    """Sends messages in numbered I frames from `own` to `other`; N(S) counts from 0 to 7."""

    def __init__(self, own: bytes, other: bytes) -> None:
        self._own = own
        self._other = other
        self._number = 0
        self._unacknowledged: deque[tuple[bytes, bool]] = deque()
        self._to_send: deque[tuple[bytes, bool]] = deque()

    @property
    def is_acknowledged(self) -> bool:
        """True where nothing that was sent still waits for its acknowledgement."""
        return not self._unacknowledged

    @property
    def has_more(self) -> bool:
        """True where pieces of the message have not been sent yet."""
        return bool(self._to_send)

    def load(self, message: bytes, size: int) -> None:
        """Cut `message` into pieces of `size` octets; what was sent before counts as acknowledged."""
        starts = range(0, len(message), size)
        self._to_send = deque((message[start : start + size], start + size < len(message)) for start in starts)
        self._unacknowledged.clear()

    def forget(self) -> None:
        """Nothing of the message is needed any more."""
        self._unacknowledged.clear()
        self._to_send.clear()

    def acknowledge(self, received: int) -> None:
        """Forget what N(R) `received` acknowledges."""
        outstanding = (self._number - received) % 8
        while len(self._unacknowledged) > outstanding:
            self._unacknowledged.popleft()

    def frames(self, window: int, received: int) -> bytes:
        """The next `window` frames, the last one with its poll or final bit; each tells N(R) `received`."""
        fresh = [self._to_send.popleft() for _place in range(min(window, len(self._to_send)))]
        first, self._number = self._number, (self._number + len(fresh)) % 8
        self._unacknowledged.extend(fresh)
        return self._encoded(first, fresh, received)

    def frames_again(self, received: int) -> bytes:
        """What is not acknowledged, once more."""
        first = (self._number - len(self._unacknowledged)) % 8
        return self._encoded(first, list(self._unacknowledged), received)

    def _encoded(self, first: int, pieces: list[tuple[bytes, bool]], received: int) -> bytes:
        return b"".join(
            encode_frame(
                piece,
                destination=self._other,
                source=self._own,
                control=i_control((first + place) % 8, received, is_final=place == len(pieces) - 1),
                is_segmented=is_segmented,
            )
            for place, (piece, is_segmented) in enumerate(pieces)
        )
