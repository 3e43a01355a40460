"""Records of sensors and of the room as services would publish them."""

from array import array

from core.records import SeriesPoints
from core.site_records import (
    ChatKind,
    ChatLine,
    IntakeReport,
    ListenerState,
    RoomReport,
    SensorBatch,
    SensorMeasure,
)

NOW_S = 1_800_000_000.0


def measure(sensor="capteur_1", value=23.5, time_s=NOW_S, quantity="temperature_c", unit="°C", *, is_simulated=False):
    return SensorMeasure(
        sensor=sensor,
        quantity=quantity,
        value=value,
        time_s=time_s,
        unit=unit,
        peer="10.0.0.5:4000",
        is_simulated=is_simulated,
    )


def batch(*measures):
    return SensorBatch(measures=tuple(measures))


def intake(state=ListenerState.LISTENING, address="127.0.0.1:17452", time_s=NOW_S, **more):
    return IntakeReport(time_s=time_s, state=state, address=address, **more)


def points(name, pairs):
    times, values = array("d", [at for at, _value in pairs]), array("d", [value for _at, value in pairs])
    return SeriesPoints(name=name, unit=None, time_s=times, minimum=values, mean=values, maximum=values)


_COUNT = iter(range(10**9))


def line(text="hello", author="Bruno", room="general", time_s=NOW_S, kind=ChatKind.MESSAGE, link=None, key=None):
    number = f"line{next(_COUNT)}" if key is None else key
    return ChatLine(id=number, room=room, author=author, text=text, time_s=time_s, kind=kind, link=link)


def room(state=ListenerState.LISTENING, address="127.0.0.1:17453", **more):
    return RoomReport(time_s=NOW_S, state=state, address=address, **more)
