"""Makes bell.wav, the sound of an alarm: two strokes of a small bell, as sums of decaying sines.

python resources/make_bell.py
"""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

RATE = 22_050
LENGTH_S = 1.1
STROKES = ((0.0, 0.8), (0.28, 0.6))
"""(beginning in seconds, loudness) of each stroke."""
PARTIALS = ((1.0, 1.0, 4.0), (2.0, 0.55, 5.5), (2.76, 0.4, 8.0), (5.4, 0.2, 14.0))
"""(share of the pitch, loudness, decay a second) of the tones of a struck bell."""
PITCH_HZ = 740.0


def sample(time_s: float) -> float:
    """The bell at one moment, from -1 to 1."""
    value = 0.0
    for begin_s, loudness in STROKES:
        since_s = time_s - begin_s
        if since_s >= 0:
            attack = min(1.0, since_s / 0.004)
            for share, strength, decay in PARTIALS:
                tone = math.sin(2 * math.pi * PITCH_HZ * share * since_s)
                value += attack * loudness * strength * math.exp(-decay * since_s) * tone
    end = min(1.0, (LENGTH_S - time_s) / 0.05)
    return max(-1.0, min(1.0, 0.4 * value * end))


def make(path: Path) -> None:
    """Write the file."""
    frames = b"".join(struct.pack("<h", round(30_000 * sample(at / RATE))) for at in range(int(LENGTH_S * RATE)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(frames)


if __name__ == "__main__":
    make(Path(__file__).with_name("bell.wav"))
