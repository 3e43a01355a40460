from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.errors import ConfigError, UsageError
from core.meter.clock import clock_of
from core.meter.presets import load_presets
from core.meter.push_entries import entries_of
from core.meter.readings import readings_of_push, text_of
from core.protocol.apdu import Notification
from core.protocol.axdr import Enumerated
from core.protocol.push import PushSession, PushTelegram
from core.protocol.push_encoder import PushValue, clock_octets, encode_push
from core.protocol.session import Told
from core.records import MeterIdentity, Quality

KEY = bytes(range(16))
LGZ = b"LGZ\x01\x02\x03\x04\x05"
CLOCK = clock_octets(1_700_000_000, 60)
W, WH, V, A = (Enumerated(number) for number in (27, 30, 35, 33))
VALUES = [
    PushValue("1-0:1.8.0*255", 12_345_678),
    PushValue("1-0:1.7.0*255", 1520),
    PushValue("1-0:32.7.0*255", 2301, is_short=True),
    PushValue("1-0:52.7.0*255", 2312, is_short=True),
    PushValue("1-0:31.7.0*255", 523, is_short=True),
    PushValue("1-0:13.7.0*255", 980, is_short=True),
    PushValue("0-0:96.13.1*255", 7),
]


def code(text: str) -> bytes:
    return bytes(int(part) for part in text.replace("-", ".").replace(":", ".").replace("*", ".").split("."))


def telegram_of(data: bytes, key: bytes | None = None) -> PushTelegram:
    session = PushSession(key, None)
    session.receive_data(data, 0.0)
    event = session.next_event()
    assert isinstance(event, Told), event
    return event.telegram


def readings(values, layout=2, title=LGZ, **options):
    data = encode_push(values, layout, clock=CLOCK, key=KEY, system_title=title)
    return readings_of_push(telegram_of(data, KEY), **options)


def body(value, **options):
    return readings_of_push(PushTelegram((Notification(1, None, value),)), **options)


def by_code(result) -> dict:
    return {reading.obis: reading for reading in result.readings}


@pytest.mark.parametrize("layout", [1, 2, 4])
def test_every_layout_gives_the_same_readings(layout):
    found = by_code(readings(VALUES, layout))
    assert found["1-0:1.8.0*255"].value == 12_345_678
    assert found["1-0:1.8.0*255"].unit == "Wh"
    assert found["1-0:1.8.0*255"].quantity == "active_energy_import"
    assert found["1-0:1.7.0*255"].value == 1520
    assert found["1-0:31.7.0*255"].value == 5.23
    assert found["1-0:31.7.0*255"].raw == 523
    assert found["1-0:31.7.0*255"].scaler_source == "preset"
    assert found["1-0:13.7.0*255"].value == 0.98
    assert found["0-0:96.13.1*255"].value == 7
    assert found["0-0:96.13.1*255"].unit is None
    assert all(reading.time == "2023-11-14T23:13:20+01:00" for reading in found.values())


@pytest.mark.parametrize(("raw", "value", "is_told"), [(231, 231, False), (2312, 231.2, True), (0, 0, False)])
def test_the_voltage_factor_is_the_plausible_one_and_told_where_it_is_not_the_usual(raw, value, is_told):
    result = readings([PushValue("1-0:32.7.0*255", raw, is_short=True)])
    assert by_code(result)["1-0:32.7.0*255"].value == value
    assert any("times 0.1" in error for error in result.errors) is is_told


def test_a_voltage_that_no_factor_explains_is_a_doubt_about_the_factor():
    result = readings([PushValue("1-0:32.7.0*255", 400, is_short=True)])
    assert by_code(result)["1-0:32.7.0*255"].quality is Quality.WARNING
    assert any("the factor (from: preset) may be wrong" in error for error in result.errors)


def test_the_factors_of_an_e450_are_not_used_for_others():
    result = readings(VALUES, title=b"ABC\x01\x02\x03\x04\x05")
    current = by_code(result)["1-0:31.7.0*255"]
    assert (current.value, current.raw, current.unit, current.scaler_source) == (523, 523, None, None)
    assert result.measurement is None


def test_an_identification_that_came_before_still_counts():
    data = encode_push(VALUES, 2, clock=CLOCK)
    plain = readings_of_push(telegram_of(data))
    assert by_code(plain)["1-0:31.7.0*255"].unit is None
    known = MeterIdentity(manufacturer="LGZ", serial_number="LGZ1")
    later = readings_of_push(telegram_of(data), identity=known)
    assert by_code(later)["1-0:31.7.0*255"].unit == "A"
    assert later.meter == known


def test_a_logical_device_name_identifies_the_meter():
    data = encode_push([PushValue("0-0:42.0.0*255", "LGZ1030790258946"), *VALUES], 1)
    result = readings_of_push(telegram_of(data))
    assert by_code(result)["1-0:31.7.0*255"].value == 5.23
    assert result.meter == MeterIdentity(manufacturer="LGZ", serial_number="LGZ1030790258946")
    assert result.name == "LGZ1030790258946"


NINE = [PushValue("", CLOCK)] + [PushValue("", 1000 + number) for number in range(8)]
ELEVEN = (
    [PushValue("", number, is_short=True) for number in (231, 232, 233, 101, 102, 103)]
    + [PushValue("", number) for number in (1500, 0, 123456, 789)]
    + [PushValue("", "12345678")]
)


def test_nine_positions_of_landis_gyr_take_their_codes():
    result = readings(NINE, 3)
    assert [reading.obis for reading in result.readings] == [
        "0-0:1.0.0*255", "1-0:1.8.0*255", "1-0:2.8.0*255", "1-0:3.8.0*255", "1-0:4.8.0*255",
        "1-0:1.7.0*255", "1-0:2.7.0*255", "1-0:3.7.0*255", "1-0:4.7.0*255",
    ]  # fmt: skip
    assert result.readings[0].value == "2023-11-14 23:13:20"
    assert result.measurement.active_power_w == 1004 - 1005
    assert result.measurement.reactive_power_var == 1006 - 1007
    assert result.measurement.active_energy_export_wh == 1001


def test_eleven_positions_of_landis_gyr_take_their_codes():
    result = readings(ELEVEN, 3)
    found = by_code(result)
    assert found["1-0:52.7.0*255"].value == 232
    assert found["1-0:71.7.0*255"].value == 1.03
    assert found["1-0:1.8.0*255"].value == 123456
    assert result.meter.serial_number == "12345678"
    assert result.name == "12345678"


def test_fourteen_positions_name_what_is_known():
    result = readings([NINE[0], *ELEVEN[:10], PushValue("", 1), PushValue("", 2), ELEVEN[10]], 3)
    assert by_code(result)["1-0:52.7.0*255"].value == 232
    assert sum(reading.obis is None and reading.quality is Quality.WARNING for reading in result.readings) == 2
    assert any("nobody has named" in error for error in result.errors)


@pytest.mark.parametrize("values", [NINE[:8], NINE[1:] + NINE[:1], [PushValue("", 5)]])
def test_positions_that_no_preset_knows_are_published_without_a_meaning(values):
    result = readings(values, 3)
    assert len(result.readings) == len(values)
    assert all(reading.obis is None and reading.quantity is None for reading in result.readings)
    assert all(reading.quality is Quality.WARNING for reading in result.readings)
    assert any("without codes" in error for error in result.errors)
    assert result.measurement is None


def test_a_preset_that_the_user_names_wins_over_the_identification():
    presets = load_presets()
    data = encode_push(ELEVEN, 3)
    unnamed = readings_of_push(telegram_of(data))
    assert unnamed.measurement is None
    named = readings_of_push(telegram_of(data), preset=presets.named("landis-gyr"))
    assert named.measurement.voltage_l1_v == 231


def test_a_users_presets_add_to_ours_and_say_so(home):
    (home.path / "presets.toml").write_text(
        '[[preset]]\nname = "mine"\nidentifications = ["ABC"]\n'
        '[preset.units]\ncurrent = { unit = "A", exponents = [-3] }\n'
    )
    presets = load_presets(home.path)
    assert {"mine", "landis-gyr"} <= set(presets.names)
    found = by_code(readings(VALUES, title=b"ABC\x01\x02\x03\x04\x05", presets=presets))
    assert found["1-0:31.7.0*255"].value == 0.523
    assert found["1-0:31.7.0*255"].scaler_source == "user"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[[preset", "presets.toml"),
        ('[[preset]]\nname = "a"\nfoo = 1\n', "foo"),
        ('[[preset]]\nname = "a"\n[preset.units]\nspeed = { unit = "m/s" }\n', "speed"),
        ('[[preset]]\nname = "a"\n[[preset.list]]\ncodes = ["zz"]\n', "zz"),
    ],
)
def test_a_broken_preset_file_is_named(home, content, reason):
    (home.path / "presets.toml").write_text(content)
    with pytest.raises(ConfigError, match=reason):
        load_presets(home.path)


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(UsageError, match="landis-gyr"):
        load_presets().named("nonesuch")


OBIS = code("1-0:32.7.0*255")


@pytest.mark.parametrize(
    "entry",
    [
        (OBIS, 2301, (-1, V)),
        (OBIS, 2301, (V, -1)),
        (OBIS, (-1, V), 2301),
        ((-1, V), 2301, OBIS),
        (2301, 3, (-1, V), OBIS),
        (3, OBIS, 2, 2301, (-1, V)),
    ],
)
def test_scaler_and_unit_are_found_in_any_order(entry):
    found = by_code(body([entry]))["1-0:32.7.0*255"]
    assert (found.value, found.raw, found.unit, found.scaler_source) == (230.1, 2301, "V", "meter")


def test_flat_and_nested_entries_may_be_mixed():
    clock = bytes(CLOCK)
    mixed = (code("0-0:1.0.0*255"), clock, (OBIS, 2301, (-1, V)), [(code("1-0:1.7.0*255"), 5, (0, W))], None)
    result = body(mixed)
    assert [reading.value for reading in result.readings] == ["2023-11-14 23:13:20", 230.1, 5]
    assert result.readings[1].time == "2023-11-14T23:13:20+01:00"


def test_a_text_of_six_octets_is_a_value_not_a_code():
    (entry,) = entries_of(((code("0-0:96.1.1*255"), b"160456"),), [])
    assert entry.value == b"160456"
    assert entries_of((b"160456", 5), [])[0].code is None


def test_a_pushed_scaler_of_a_register_is_used():
    objects = [(3, OBIS, 2, 0), (3, OBIS, 3, 0)]
    (found,) = body((objects, 2301, (-1, V))).readings
    assert (found.value, found.unit) == (230.1, "V")


def test_an_unknown_code_is_kept_as_it_is():
    found = by_code(body(((code("1-0:199.99.9*255"), 77),)))["1-0:199.99.9*255"]
    assert (found.value, found.quantity, found.quality) == (77, None, Quality.GOOD)


def test_numbers_of_every_kind_stay_numbers():
    result = body(((OBIS, 230.5, (0, V)), (code("1-0:1.8.0*255"), 1 << 60, (3, WH)), (code("0-0:96.3.10*255"), True)))
    assert [reading.value for reading in result.readings] == [230.5, (1 << 60) * 1000, 1]


def test_octets_are_text_where_they_can_be_printed():
    assert text_of(b"34079\0\0\0") == "34079"
    assert text_of(b"\x00\x02\x19\x09\x00\xff") == "0002190900FF"
    assert text_of(b"") == ""
    assert text_of("é\x07") == "é\ufffd"
    assert text_of((b"\x01", 3, None, "x")) == "01; 3; ; x"
    assert len(text_of(b"a" * 5000)) <= 5000


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("07e602150111251eff800000", "2022-02-21T17:37:30"),
        ("07e60b0c0610360000ffc400", "2022-11-12T16:54:00+01:00"),
        ("07e704010615202300ff8880", "2023-04-01T21:32:35+02:00"),
        ("07e60b03ff0f2619ffff4cff", "2022-11-03T15:38:25+03:00"),
        ("07e60b03ff0f26ffff800000", "2022-11-03T15:38:00"),
    ],
)
def test_the_meters_clock_is_read_with_the_offset_it_gives(octets, text):
    assert clock_of(bytes.fromhex(octets)).isoformat() == text


@pytest.mark.parametrize(
    "octets",
    ["ffff0215ff11251eff800000", "07e6ff15ff11251eff800000", "07e60d150111251eff800000", "07e602150119251eff800000",
     "07e602150111251eff7fff00", "07e602150111251e64800000", "07e602"],
)  # fmt: skip
def test_what_is_no_moment_is_not_made_one(octets):
    assert clock_of(bytes.fromhex(octets)) is None


def test_the_encoders_clock_says_the_same_moment():
    moment = clock_of(clock_octets(1_700_000_000, 120, is_summer=True))
    assert moment.utcoffset() == timedelta(hours=2)
    assert moment.astimezone(UTC) == datetime.fromtimestamp(1_700_000_000, UTC)
    assert clock_of(clock_octets(1_700_000_000)).tzinfo is None


def test_a_simulated_meter_is_labelled():
    assert readings(VALUES, title=b"LGZSIMUL").is_simulated
    assert not readings(VALUES).is_simulated
    assert body(((code("0-0:42.0.0*255"), b"LGZSIMULATED"),)).is_simulated


def test_an_incomplete_message_is_worth_a_warning():
    part = PushTelegram((Notification(1, None, ((OBIS, 2301, (-1, V)),)),), is_complete=False)
    assert readings_of_push(part).readings[0].quality is Quality.WARNING


def listed(*objects: tuple[int, str, int]) -> list:
    return [(class_id, code(text), attribute, 0) for class_id, text, attribute in objects]


ENERGIES = listed((3, "1-0:1.8.0*255", 2), (3, "1-0:2.8.0*255", 2))


@pytest.mark.parametrize(
    "sent",
    [
        (ENERGIES, 5000, 70),
        (ENERGIES, (5000, 70)),
        (ENERGIES, [5000, 70]),
        (listed((40, "0-8:25.9.0*255", 2)) + ENERGIES, 5000, 70),
        (listed((40, "0-8:25.9.0*255", 2)) + ENERGIES, (5000, 70)),
    ],
)
def test_values_stand_beside_their_list_or_in_a_container_of_their_own(sent):
    assert [(one.obis, one.value) for one in body(sent).readings] == [("1-0:1.8.0*255", 5000), ("1-0:2.8.0*255", 70)]


def test_an_object_sent_with_all_its_attributes_gives_its_value_and_scaler():
    objects = listed((3, "1-0:32.7.0*255", 0), (1, "0-0:96.1.0*255", 0))
    voltage = (code("1-0:32.7.0*255"), 2301, (-1, V))
    found = body((objects, voltage, (code("0-0:96.1.0*255"), b"12345678")))
    assert [(one.value, one.raw, one.unit) for one in found.readings] == [(230.1, 2301, "V"), ("12345678", None, None)]
    assert found.meter.serial_number == "12345678"


def test_an_object_list_that_does_not_fit_names_nothing():
    found = body((ENERGIES, 1, 2, 3, 4))
    assert [(one.obis, one.value, one.quality) for one in found.readings] == [
        (None, number, Quality.WARNING) for number in (1, 2, 3, 4)
    ]
    assert "names 2 values and 4 came" in found.errors[0]


def test_a_frequency_whose_power_of_ten_nobody_knows_is_not_called_an_error():
    (found,) = body((code("1-0:14.7.0*255"), 4998)).readings
    assert (found.value, found.unit, found.quality) == (4998, None, Quality.GOOD)
