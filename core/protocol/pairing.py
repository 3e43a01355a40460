"""Pairing codes, and the proof that both ends know one (docs/security.md, "Pairing").

A code for one pairing has 10 symbols of Crockford's base32 (50 bits), shown as `XXXXX-XXXXX`. A site code, for a room
of machines, has 26: three for its last day, one for its level, 22 drawn at random (110 bits). Both are proven by
HMAC-SHA-256 under a key that scrypt makes of the code, over both fingerprints as each end saw them and both nonces.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os

from core.records import Level

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_SYMBOLS = 10
SITE_CODE_SYMBOLS = 26
SALT_OCTETS = NONCE_OCTETS = 16

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_FIRST_DAY = datetime.date(2020, 1, 1)
_LEVELS = (Level.VIEW, Level.RUN, Level.MANAGE, Level.RAW)


def new_code() -> str:
    """A code for one pairing."""
    return _random_symbols(CODE_SYMBOLS)


def new_site_code(valid_until: datetime.date, level: Level = Level.RUN) -> str:
    """A site code that pairs at `level` up to the end of the day `valid_until`, UTC; raises ValueError off its range.

    The range of days is 2020-01-01 to 2109-09-17.
    """
    days = (valid_until - _FIRST_DAY).days
    if not 0 <= days < 32**3:
        raise ValueError(f"a site code cannot end on {valid_until}")
    head = SYMBOLS[days >> 10] + SYMBOLS[days >> 5 & 31] + SYMBOLS[days & 31] + SYMBOLS[_LEVELS.index(level)]
    return head + _random_symbols(SITE_CODE_SYMBOLS - 4)


def site_code_end(code: str) -> float:
    """When a site code ends, in epoch seconds; raises ValueError where `code` is no site code."""
    symbols = normalised_code(code)
    if len(symbols) != SITE_CODE_SYMBOLS:
        raise ValueError(f"a site code has {SITE_CODE_SYMBOLS} symbols, this one {len(symbols)}")
    days = 0
    for symbol in symbols[:3]:
        days = days << 5 | SYMBOLS.index(symbol)
    end = datetime.datetime.combine(_FIRST_DAY, datetime.time(), datetime.UTC) + datetime.timedelta(days=days + 1)
    return end.timestamp()


def site_code_level(code: str) -> Level:
    """Level at which a site code pairs; raises ValueError where `code` is no site code."""
    symbols = normalised_code(code)
    rank = SYMBOLS.index(symbols[3]) if len(symbols) == SITE_CODE_SYMBOLS else len(_LEVELS)
    if rank >= len(_LEVELS):
        raise ValueError("not a site code")
    return _LEVELS[rank]


def normalised_code(code: str) -> str:
    """The symbols alone, upper case, O read as 0, I and L as 1; raises ValueError where one is no symbol."""
    symbols = code.strip().upper().translate(_READ_AS)
    for symbol in symbols:
        if symbol not in SYMBOLS:
            raise ValueError(f"{symbol!r} is no symbol of a code")
    if len(symbols) not in (CODE_SYMBOLS, SITE_CODE_SYMBOLS):
        raise ValueError(f"a code has {CODE_SYMBOLS} symbols and a site code {SITE_CODE_SYMBOLS}, not {len(symbols)}")
    return symbols


def shown_code(code: str) -> str:
    """The code in groups of five, as people read it out."""
    return "-".join(code[start : start + 5] for start in range(0, len(code), 5))


def pairing_key(code: str, salt: bytes) -> bytes:
    """Key of 32 octets made of a code by scrypt; takes a tenth of a second and 32 MiB, so call it in a thread."""
    return hashlib.scrypt(
        normalised_code(code).encode(), salt=salt, n=2**15, r=8, p=1, maxmem=64 * 1024 * 1024, dklen=32
    )


def console_proof(key: bytes, agent: bytes, console: bytes, nonce_agent: bytes, nonce_console: bytes) -> bytes:
    """What the console sends; `agent` and `console` are the SHA-256 of the certificates as the console saw them."""
    return _proof(key, b"console", agent, console, nonce_agent, nonce_console)


def agent_proof(key: bytes, agent: bytes, console: bytes, nonce_agent: bytes, nonce_console: bytes) -> bytes:
    """What the agent answers once it has found the console's proof right."""
    return _proof(key, b"agent", agent, console, nonce_agent, nonce_console)


def _proof(key: bytes, role: bytes, *parts: bytes) -> bytes:
    # Every part but the role has a fixed length, and no role is the beginning of another: no two transcripts collide.
    return hmac.digest(key, role + b"".join(parts), "sha256")


def _random_symbols(count: int) -> str:
    return "".join(SYMBOLS[octet & 31] for octet in os.urandom(count))
