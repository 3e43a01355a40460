from __future__ import annotations

import pytest

from core.meter.e450 import family_of, quantity_of, unit_text
from core.obis import ObisCode


@pytest.mark.parametrize(
    ("code", "quantity"),
    [
        ("1.8.0", "active_energy_import"),
        ("1-0:1.8.0*255", "active_energy_import"),
        ("1-1:1.8.2*255", "active_energy_import_t2"),
        ("1-0:2.8.0*255", "active_energy_export"),
        ("1-0:3.8.4*255", "reactive_energy_import_t4"),
        ("1-0:4.8.0*255", "reactive_energy_export"),
        ("1-0:16.7.0*255", "active_power"),
        ("1.7", "active_power_import"),
        ("2.7.0", "active_power_export"),
        ("3.7.0", "reactive_power"),
        ("9.7.0", "apparent_power"),
        ("32.7.0", "voltage_l1"),
        ("52.7.0", "voltage_l2"),
        ("72.7.0", "voltage_l3"),
        ("31.7.0", "current_l1"),
        ("51.7.0", "current_l2"),
        ("71.7.0", "current_l3"),
        ("21.7.0", "active_power_import_l1"),
        ("62.7.0", "active_power_export_l3"),
        ("14.7.0", "frequency"),
        ("13.7.0", "power_factor"),
        ("13.21.0", "power_factor"),
        ("33.7.0", "power_factor_l1"),
        ("12.7.124", "thd_voltage"),
        ("11.7.124", "thd_current"),
        ("1-0:1.8.0*01", None),
        ("0-0:1.0.0*255", None),
        ("0-0:96.1.0*255", None),
        ("F.F", None),
        ("4.7.0", None),
    ],
)
def test_a_code_names_its_quantity_whatever_its_channel(code, quantity):
    assert quantity_of(ObisCode.parse(code)) == quantity


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("1-0:1.8.0*1", "active_energy"),
        ("1-0:4.7.0*255", "reactive_power"),
        ("1-0:61.7.0*255", "active_power"),
        ("1-0:44.8.0*255", "reactive_energy"),
        ("1-0:13.21.0*255", "power_factor"),
        ("1-0:131.7.0*255", "reactive_power"),
        ("1-0:1.6.0*255", "active_power"),
        ("1-0:34.7.0*255", None),
        ("1-0:12.7.124*255", None),
        ("0-1:24.2.1*255", None),
    ],
)
def test_codes_of_one_family_share_a_unit(code, family):
    assert family_of(ObisCode.parse(code)) == family


def test_units_are_written_as_the_standard_does():
    assert [unit_text(number) for number in (27, 28, 29, 30, 32, 33, 35, 44, 255)] == [
        "W", "VA", "var", "Wh", "varh", "A", "V", "Hz", None,
    ]  # fmt: skip
