"""Keeps the catalogues of messages and the sources together.

    python resources/translations/catalogue.py update    collect the messages, update and compile every catalogue
    python resources/translations/catalogue.py check     name whatever a user of another language would miss

English is the language of the sources and has no catalogue. A catalogue holds no line numbers and its dates never
change by themselves, so that two updates of the same sources give the same files.
"""

from __future__ import annotations

import io
import string
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("core", "gui", "main.py")
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
DOMAIN = "beffroi"
_UNWANTED = (b'"Generated-By:', b'"Report-Msgid-Bugs-To:')
"""Lines of a header that say nothing, or say it anew with each release of Babel."""


def source_files(root: Path) -> list[Path]:
    """The files that may hold messages, in a fixed order."""
    found: list[Path] = []
    for name in SOURCES:
        path = root / name
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []
    return found


def messages_of_sources(root: Path) -> Catalog:
    """Every message of the sources, with the files it is in."""
    template = Catalog(project=DOMAIN, charset="utf-8")
    for path in source_files(root):
        name = path.relative_to(root).as_posix()
        options = {"encoding": "utf-8"}
        for _line, message, comments, context in extract_from_file(
            "python", path, keywords=KEYWORDS, comment_tags=("Translators:",), options=options
        ):
            template.add(message, None, [(name, 1)], auto_comments=comments, context=context)
    return template


def catalogue_files(root: Path) -> list[Path]:
    """The .po file of each language."""
    return sorted((root / "resources" / "translations").glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def read_catalogue(path: Path) -> Catalog:
    """The catalogue in a .po file; its language is that of its folder."""
    with path.open("rb") as stream:
        return read_po(stream, locale=path.parts[-3], domain=DOMAIN, abort_invalid=True)


def written(catalogue: Catalog) -> bytes:
    """The .po file of a catalogue, the same whichever release of Babel writes it."""
    buffer = io.BytesIO()
    write_po(buffer, catalogue, width=120, sort_by_file=True, include_lineno=False)
    lines = buffer.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(_UNWANTED))


def compiled(catalogue: Catalog) -> bytes:
    """The .mo file of a catalogue."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    return buffer.getvalue()


def updated(catalogue: Catalog, template: Catalog) -> Catalog:
    """`catalogue` with the messages of the sources: new ones empty, those no longer there gone, all others kept."""
    made = Catalog(
        locale=catalogue.locale,
        domain=DOMAIN,
        project=DOMAIN,
        version="1",
        charset="utf-8",
        fuzzy=False,
        header_comment=catalogue.header_comment,
        creation_date=catalogue.creation_date,
        revision_date=catalogue.revision_date,
        last_translator=catalogue.last_translator,
        language_team=catalogue.language_team,
    )
    for wanted in template:
        if wanted.id:
            known = catalogue.get(wanted.id, wanted.context)
            kept = known is not None and type(known.id) is type(wanted.id)
            made.add(
                wanted.id,
                known.string if kept and known is not None else None,
                sorted(set(wanted.locations)),
                flags=known.flags & {"fuzzy"} if kept and known is not None else (),
                auto_comments=wanted.auto_comments,
                user_comments=known.user_comments if known is not None else (),
                context=wanted.context,
            )
    return made


def update(root: Path = ROOT) -> int:
    """Update and compile every catalogue; says how many messages each still wants."""
    template = messages_of_sources(root)
    for path in catalogue_files(root):
        catalogue = updated(read_catalogue(path), template)
        path.write_bytes(written(catalogue))
        path.with_suffix(".mo").write_bytes(compiled(read_catalogue(path)))
        wanting = sum(1 for message in catalogue if message.id and not _is_translated(message))
        print(f"{path.relative_to(root)}: {len(catalogue)} messages, {wanting} to translate")
    return 0


def check(root: Path = ROOT) -> int:
    """1 when a catalogue does not say, in its language, exactly what the sources say; each defect on a line."""
    template = messages_of_sources(root)
    defects = [defect for path in catalogue_files(root) for defect in defects_of(path, template, root)]
    for defect in defects:
        print(defect, file=sys.stderr)
    if defects:
        print(f"{len(defects)} defects; try: make translations, then translate", file=sys.stderr)
    return 1 if defects else 0


def defects_of(path: Path, template: Catalog, root: Path) -> Iterator[str]:
    """What is wrong with the catalogue in `path`, a line each."""
    name = path.relative_to(root).as_posix()
    catalogue = read_catalogue(path)
    for wanted in template:
        if wanted.id and catalogue.get(wanted.id, wanted.context) is None:
            yield f"{name}: missing: {_shown(wanted)}"
    for message in catalogue:
        if not message.id:
            continue
        if template.get(message.id, message.context) is None:
            yield f"{name}: obsolete: {_shown(message)}"
        elif message.fuzzy:
            yield f"{name}: fuzzy: {_shown(message)}"
        elif not _is_translated(message):
            yield f"{name}: untranslated: {_shown(message)}"
        else:
            yield from (f"{name}: {defect}: {_shown(message)}" for defect in _defects_of_message(message))
    for message in catalogue.obsolete.values():
        yield f"{name}: obsolete: {_shown(message)}"
    binary = path.with_suffix(".mo")
    if not binary.is_file() or not _is_compiled_from(binary, catalogue):
        yield f"{binary.relative_to(root).as_posix()}: not what {path.name} compiles to"


def _is_compiled_from(binary: Path, catalogue: Catalog) -> bool:
    """Compares messages, not bytes: the header of a .mo file names the release of Babel."""
    try:
        with binary.open("rb") as stream:
            found = read_mo(stream)
    except (OSError, ValueError, struct.error):
        return False
    expected = read_mo(io.BytesIO(compiled(catalogue)))
    return found.plural_expr == expected.plural_expr and _strings(found) == _strings(expected)


def _strings(catalogue: Catalog) -> dict[object, object]:
    return {(*_forms(message.id), message.context): _forms(message.string) for message in catalogue if message.id}


def _forms(texts: str | Iterable[str] | None) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts or ())


def _defects_of_message(message: Message) -> Iterator[str]:
    if isinstance(message.id, str):
        yield from _defects_of_form(message.id, str(message.string), _fields(message.id), is_exact=True)
        return
    singular, plural = message.id
    allowed = _fields(singular) | _fields(plural)
    for place, form in enumerate(_forms(message.string)):
        # the form for one may leave the number out
        yield from _defects_of_form(plural, form, allowed if place == 0 else _fields(plural), is_exact=place > 0)


def _defects_of_form(source: str, form: str, allowed: frozenset[str], *, is_exact: bool) -> Iterator[str]:
    try:
        fields = _fields(form)
    except ValueError as error:
        yield f"broken braces ({error})"
        return
    if not fields <= allowed or (is_exact and fields != allowed):
        yield f"other fields ({', '.join(sorted(fields)) or 'none'} for {', '.join(sorted(allowed)) or 'none'})"
    if _edges(source) != _edges(form):
        yield "other spaces at its ends"
    if _has_mnemonic(source) != _has_mnemonic(form):
        yield "an & too many or too few"


def _fields(text: str) -> frozenset[str]:
    """The `{fields}` of a message, with their format; raises ValueError where braces do not match."""
    return frozenset(
        field + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
        for _literal, field, spec, conversion in string.Formatter().parse(text)
        if field is not None
    )


def _edges(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _has_mnemonic(text: str) -> bool:
    bare = text.replace("&&", "")
    return any(sign == "&" and bare[place + 1 : place + 2].isalnum() for place, sign in enumerate(bare))


def _is_translated(message: Message) -> bool:
    forms = _forms(message.string)
    return bool(forms) and all(forms)


def _shown(message: Message) -> str:
    text = message.id if isinstance(message.id, str) else message.id[0]
    files = ", ".join(sorted({name for name, _line in message.locations}))
    return f"{text!r}" + (f" ({files})" if files else "")


def main(words: Sequence[str]) -> int:
    """Exit status of one command."""
    commands = {"update": update, "check": check}
    if len(words) != 1 or words[0] not in commands:
        print(f"usage: catalogue.py {'|'.join(commands)}", file=sys.stderr)
        return 2
    return commands[words[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
