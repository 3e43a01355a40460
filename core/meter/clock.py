"""The meter's own clock, from the 12 octets of COSEM's date-time (DLMS UA Blue Book, clause 4.1.6.1).

Year, month, day, weekday, hour, minute, second, hundredths, deviation in minutes from local time to UTC, status.
A field may be unspecified (255, 0xFFFF, 0x8000 for the deviation); what then cannot be a moment is not made one.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

UNSPECIFIED_DEVIATION = -0x8000


def clock_of(octets: bytes) -> datetime | None:
    """The moment of a date-time, with its offset where the meter gives one, None for anything that is no date-time.

    An unspecified second is 0; daylight saving is already in what the meter shows and in its deviation.
    """
    if len(octets) != 12:
        return None
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    hundredths = octets[8]
    if hundredths > 99 and hundredths != 0xFF:
        return None
    if deviation != UNSPECIFIED_DEVIATION and abs(deviation) > 840:
        return None
    year = octets[0] << 8 | octets[1]
    if not 1970 <= year <= 2199:
        return None
    second = 0 if octets[7] == 0xFF else octets[7]
    zone = None if deviation == UNSPECIFIED_DEVIATION else timezone(timedelta(minutes=-deviation))
    try:
        return datetime(year, octets[2], octets[3], octets[5], octets[6], second, tzinfo=zone)
    except ValueError:
        return None
