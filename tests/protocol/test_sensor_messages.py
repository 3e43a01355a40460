"""What sensors send is understood in every form that is in use, and what is no measure is refused in words."""

from __future__ import annotations

import time

import pytest

from core.language import use_language
from core.protocol.json_objects import JsonObjects
from core.protocol.sensor_fields import LONGEST_NAME, clean_name, field
from core.protocol.sensor_messages import LONGEST_IDENTIFIER, VALUES, Refusal, messages_of
from core.protocol.text_sensors import text_measures


def said(octets: bytes | str) -> list:
    """(sensor, {quantity: (value, unit)}) of each message, the words of each refusal."""
    objects = JsonObjects()
    raw = octets.encode() if isinstance(octets, str) else octets
    told: list = []
    for found in objects.receive_data(raw) + objects.end():
        try:
            for message in messages_of(found):
                values = {value.quantity: (value.value, value.unit) for value in message.values}
                assert len(values) == len(message.values)
                told.append((message.sensor, values))
        except Refusal as refusal:
            told.append(refusal.english)
    return told


T = "temperature_c"


@pytest.mark.parametrize(
    ("octets", "sensor", "value"),
    [
        ('{"capteur_id": "capteur_1", "temperature": 23.5}', "capteur_1", 23.5),
        ('{\n "capteur_id": "capteur_1",\n "temperature": 23.5\n}', "capteur_1", 23.5),
        ('{"sensor_id": "s", "temp": 20}', "s", 20.0),
        ('{"id": 7, "Température": -3.25}', "7", -3.25),
        ('{"name": "salle é", "temperature": 0}', "salle é", 0.0),
        ('{"name": "kitchen", "id": "a1", "temperature": 1}', "a1", 1.0),
        ('{"id": null, "temperature": 1}', None, 1.0),
        ('{"id": " ", "temperature": 1}', None, 1.0),
        ('{"temperature": 1, "timestamp": 1700000000, "alarm": false, "place": "lab"}', None, 1.0),
        ("temperature:16.37", None, 16.37),
        ("temp: 15\n", None, 15.0),
        ("TEMP:28.5 °C", None, 28.5),
        ("TEMPERATURE: 41.27: SENSOR1", "SENSOR1", 41.27),
        ("température = 21,5 °C\r\n", None, 21.5),
        ('{"id": "a", "value": 21, "unit": "°C"}', "a", 21.0),
        ('{"id": "a", "type": "temperature", "value": 21}', "a", 21.0),
    ],
)
def test_each_form_in_use_is_one_temperature(octets, sensor, value):
    assert said(octets) == [(sensor, {T: (value, "°C")})]


def test_texts_with_nothing_between_them_are_told_apart():
    assert said("temperature:16.37temperature:16.40") == [(None, {T: (16.37, "°C")}), (None, {T: (16.4, "°C")})]
    assert said("TEMP:28.5 °CTEMP:28.6 °C")[1] == (None, {T: (28.6, "°C")})
    glued = "TEMPERATURE: 41.27: SENSOR1TEMPERATURE: 41.30: SENSOR2"
    assert [sensor for sensor, _values in said(glued)] == ["SENSOR1", "SENSOR2"]


def test_several_values_of_one_object_are_series_with_their_units():
    (told,) = said('{"id": "a", "temperature": 20.5, "humidite": 40, "Pression": 1013, "debit": 3, "level_mm": 7}')
    assert told == (
        "a",
        {
            T: (20.5, "°C"),
            "humidity_percent": (40.0, "%"),
            "pressure_hpa": (1013.0, "hPa"),
            "debit": (3.0, None),
            "level_mm": (7.0, "mm"),
        },
    )


def test_two_fields_that_mean_the_same_are_two_series():
    assert said('{"temp": 1, "temperature": 2}') == [(None, {T: (1.0, "°C"), f"{T}_2": (2.0, "°C")})]


@pytest.mark.parametrize(
    ("octets", "quantity", "unit"),
    [
        ('{"temperature": 70, "unit": "F"}', "temperature_f", "°F"),
        ('{"temp": 290, "unite": "kelvin"}', "temperature_k", "K"),
        ('{"pressure": 101325, "unit": "Pa"}', "pressure_pa", "Pa"),
        ('{"debit": 3, "unit": "L/min"}', "debit", "L/min"),
        ('{"value": 3}', "value", None),
        ("TEMP: 70 F\n", "temperature_f", "°F"),
    ],
)
def test_a_unit_that_the_sensor_names_is_the_unit(octets, quantity, unit):
    ((_sensor, values),) = said(octets)
    assert [(name, found[1]) for name, found in values.items()] == [(quantity, unit)]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ('{"id": "a", "temperature": NaN}', "temperature is nan"),
        ('{"id": "a", "temperature": Infinity}', "temperature is inf"),
        ('{"id": "a", "temperature": 1e999}', "temperature is inf"),
        ('{"id": "a", "temperature": 1' + "0" * 400 + "}", "no number that can be kept"),
        ('{"id": "a", "temperature": true}', "temperature is true, not a number"),
        ('{"id": "a", "temperature": "23.5"}', "temperature is the text “23.5”"),
        ('{"id": "a", "temperature": [1]}', "temperature is a list"),
        ('{"id": "a", "temperature": null}', "temperature is null"),
        ('{"id": "a", "temperature": 20, "humidity": "wet"}', "humidity is the text “wet”"),
        ('{"id": "a", "other": NaN}', "other is nan"),
        ('{"id": "a"}', 'a message is such as {"capteur_id"'),
        ("{}", 'a message is such as {"capteur_id"'),
        ('{"id": true, "temperature": 1}', "the identifier is neither"),
        ('{"id": {}, "temperature": 1}', "the identifier is neither"),
        ('{"id": "' + "x" * 65 + '", "temperature": 1}', f"longer than {LONGEST_IDENTIFIER} letters"),
        ('{"id": "a\\u0007", "temperature": 1}', "cannot be shown"),
        ('{"id": "a\\u202eb", "temperature": 1}', "cannot be shown"),
        ('{"id": "\\ud800", "temperature": 1}', "cannot be shown"),
        ('{"id": ' + "9" * 5000 + ', "temperature": 1}', ""),
        ("{" + ",".join(f'"v{n}": {n}' for n in range(VALUES + 1)) + "}", f"more than {VALUES} values"),
        ("temp: hot", "neither JSON nor a line such as"),
        ("temp: nan", "temp is nan"),
        ("hello there", "neither JSON nor a line such as"),
        ("length: 12", "no quantity that a line of text can have"),
        ("\x16\x03\x01\x02", "neither JSON nor a line such as"),
        ('{"data": {"temperature": 1}}', "data is a list or an object; send its values beside the identifier"),
        ('{"temperature": {"value": 1}}', "temperature is a list or an object; send a number"),
        ("{'capteur_id': 'c', 'temperature': 3}", "double quotes, as json.dumps writes them"),
    ],
)
def test_what_is_no_measure_is_refused_in_words(octets, words):
    (told,) = said(octets)
    assert isinstance(told, str)
    assert words in told
    assert told.isprintable()
    assert len(told) < 400


def test_a_broken_object_is_told_with_its_text_on_one_line():
    (told,) = said('{"id": "c1",\n\t"temperature": 21,5}')
    assert '{"id": "c1",  "temperature": 21,5}' in told


def test_a_request_to_a_web_server_ends_the_link():
    objects = JsonObjects()
    (found, *_headers) = objects.receive_data(b"GET /index.html HTTP/1.1\r\nHost: here\r\n\r\n")
    with pytest.raises(Refusal) as refused:
        messages_of(found)
    assert refused.value.is_last
    assert "no web pages" in refused.value.english


def test_who_looks_for_the_room_here_is_told_and_no_sensor_is_made_of_him():
    (found, *_extension) = JsonObjects().receive_data(b'Hello|Zoe||{"beffroi": 1, "id": "4fe5"}')
    with pytest.raises(Refusal) as refused:
        messages_of(found)
    assert refused.value.is_last
    assert "no room" in refused.value.english


def test_the_wire_speaks_english_whatever_the_language_of_the_user_is():
    refusal = Refusal("{name} is {value}, not a number", name="temperature", value="true")
    use_language("fr")
    assert refusal.english == "temperature is true, not a number"
    assert refusal.text == "temperature vaut true, pas un nombre"


def test_why_an_object_is_broken_is_said_in_the_language_of_the_user_too():
    (found,) = JsonObjects().receive_data(b"{\x01")
    with pytest.raises(Refusal) as refused:
        messages_of(found)
    use_language("fr")
    assert "'\\x01' stands where it cannot" in refused.value.english
    assert "stands" not in refused.value.text


@pytest.mark.parametrize(
    ("name", "clean"),
    [("Débit d'eau (L/min)", "debit_d_eau_l_min"), ("  ", "value"), ("温度", "value"), ("x" * 500, "x" * LONGEST_NAME)],
)
def test_the_name_of_an_unknown_field_is_cleaned(name, clean):
    assert clean_name(name) == clean


def test_names_without_end_are_not_remembered_without_end():
    from core.protocol import sensor_fields

    for number in range(10_000):
        field(f"field{number}")
    assert len(sensor_fields._fields) <= sensor_fields._FIELDS_LIMIT
    assert field("x" * LONGEST_NAME + "é") == field("x" * LONGEST_NAME)
    assert max(map(len, sensor_fields._fields)) <= LONGEST_NAME


@pytest.mark.parametrize(
    "text", ["a:1:" + "temp" * 16_000, "a:1:" + "x" * 8 + "pression" * 8_000, "a:1" + " " * 60_000]
)
def test_a_text_made_to_be_slow_is_read_as_fast_as_any(text):
    began_s = time.process_time()
    assert text_measures(text + "!") == []
    assert time.process_time() - began_s < 0.05
