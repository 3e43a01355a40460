"""Presets by meter and operator: positions, units and powers of ten that a push leaves unsaid.

They are data, `resources/presets.toml`; a `presets.toml` in the home adds to them or replaces one by its name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from core.errors import BeffroiError, ConfigError, UsageError
from core.language import _
from core.meter.e450 import FAMILIES
from core.obis import ObisCode

FILE_NAME = "presets.toml"

Exponent = Annotated[int, Meta(ge=-12, le=12)]
Code = Annotated[str, Meta(max_length=32)]


class UnitOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unit of a family of quantities, and the power of ten of its raw numbers (the plausible one of several)."""

    unit: Annotated[str, Meta(min_length=1, max_length=16)] | None = None
    exponents: Annotated[tuple[Exponent, ...], Meta(min_length=1, max_length=8)] = (0,)


class PositionList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codes of a push without codes, by position; "" where nobody has named the position."""

    codes: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=256)]


class Preset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"lists": "list"}):
    """What a meter's pushes leave unsaid; `is_user` where it comes from the user's file."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    text: str = ""
    identifications: tuple[Annotated[str, Meta(min_length=3)], ...] = ()
    manufacturer: str | None = None
    units: dict[str, UnitOf] = {}
    lists: tuple[PositionList, ...] = ()
    is_user: bool = False

    def codes_for(self, count: int) -> tuple[str, ...] | None:
        """Codes of the list with `count` positions."""
        return next((found.codes for found in self.lists if len(found.codes) == count), None)

    @property
    def scaler_source(self) -> str:
        """Where a factor of this preset comes from, as readings say it."""
        return "user" if self.is_user else "preset"


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    preset: tuple[Preset, ...] = ()


msgspec.convert({}, _File)
"""msgspec learns the type here, in one thread: two meters that do at once crash it (see `core.protocol.messages`)."""


class Presets:
    """All presets in force, by name and by what identifies a meter."""

    def __init__(self, presets: Iterable[Preset]) -> None:
        self._by_name = {preset.name: preset for preset in presets}

    @property
    def names(self) -> tuple[str, ...]:
        """Names that a user may give."""
        return tuple(self._by_name)

    def named(self, name: str) -> Preset:
        """The preset of that name; raises UsageError with the known names."""
        found = self._by_name.get(name)
        if found is None:
            raise UsageError(
                _("there is no preset “{name}”; known are: {names}").format(name=name, names=", ".join(self.names))
            )
        return found

    def identified_by(self, texts: Iterable[str]) -> Preset | None:
        """The preset that a system title or a text of the push takes by itself."""
        for text in texts:
            for preset in self._by_name.values():
                if any(text.startswith(beginning) for beginning in preset.identifications):
                    return preset
        return None


def load_presets(home: Path | None = None) -> Presets:
    """The presets of the program, and those of the home `home`; raises ConfigError for a file the user can mend."""
    if home is None:
        return _own_presets()
    path = home / FILE_NAME
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        return _own_presets()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(_("{path} cannot be read: {reason}").format(path=path, reason=error)) from error
    added = [msgspec.structs.replace(preset, is_user=True) for preset in _parsed(content, str(path))]
    own = _own_presets()
    return Presets([*(own.named(name) for name in own.names), *added])


@cache
def _own_presets() -> Presets:
    content = (resources.files("resources") / FILE_NAME).read_text("utf-8")
    return Presets(_parsed(content, FILE_NAME))


def _parsed(content: str, path: str) -> tuple[Preset, ...]:
    try:
        presets = msgspec.convert(tomllib.loads(content), _File).preset
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(_("{path}: {reason}").format(path=path, reason=error)) from error
    for preset in presets:
        for family in preset.units:
            if family not in FAMILIES:
                raise ConfigError(
                    _("{path}, preset “{name}”: {family} is no family of quantities; known are: {names}").format(
                        path=path, name=preset.name, family=family, names=", ".join(sorted(FAMILIES))
                    )
                )
        for code in (code for found in preset.lists for code in found.codes if code):
            try:
                ObisCode.parse(code)
            except BeffroiError as error:
                raise ConfigError(
                    _("{path}, preset “{name}”: {reason}").format(path=path, name=preset.name, reason=error)
                ) from error
    return presets
