"""The tool that keeps catalogues and sources together finds each defect a user would meet."""

from __future__ import annotations

import gettext
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

HEADER = (
    'msgid ""\nmsgstr ""\n"Language: fr\\n"\n"Plural-Forms: nplurals=2; plural=(n > 1);\\n"\n'
    '"Content-Type: text/plain; charset=utf-8\\n"\n\n'
)
SOURCE = """
from core.language import N_, _, ngettext
A = N_("Table")
def f(n, path):
    _("&Open")
    _("{path} cannot be read: {mode:03o}").format(path=path, mode=n)
    ngettext("{count} line of {name}", "{count} lines of {name}", n).format(count=n, name=path)
"""
GOOD = """
msgid "Table"
msgstr "Tableau"

msgid "&Open"
msgstr "&Ouvrir"

msgid "{path} cannot be read: {mode:03o}"
msgstr "{path} est illisible : {mode:03o}"

msgid "{count} line of {name}"
msgid_plural "{count} lines of {name}"
msgstr[0] "une ligne de {name}"
msgstr[1] "{count} lignes de {name}"
"""


def load_tool():
    path = ROOT / "resources" / "translations" / "catalogue.py"
    spec = importlib.util.spec_from_file_location("catalogue_tool", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = load_tool()


class Tree:
    """A small source tree with one catalogue."""

    def __init__(self, root: Path, messages: str = GOOD) -> None:
        self.root = root
        self.po = root / "resources" / "translations" / "fr" / "LC_MESSAGES" / "beffroi.po"
        self.po.parent.mkdir(parents=True)
        (root / "gui").mkdir()
        (root / "gui" / "page.py").write_text(SOURCE, encoding="utf-8")
        self.write(messages)
        tool.update(root)

    def write(self, messages: str) -> None:
        self.po.write_text(HEADER + messages, encoding="utf-8")

    def defects(self, capsys) -> str:
        capsys.readouterr()
        status = tool.check(self.root)
        said = capsys.readouterr().err
        assert status == (1 if said else 0)
        return said


@pytest.fixture
def tree(tmp_path) -> Tree:
    return Tree(tmp_path)


def test_a_whole_catalogue_passes_and_what_it_compiles_to_is_used(tree, capsys):
    assert tree.defects(capsys) == ""
    with tree.po.with_suffix(".mo").open("rb") as stream:
        french = gettext.GNUTranslations(stream)
    assert french.gettext("Table") == "Tableau"
    assert french.ngettext("{count} line of {name}", "{count} lines of {name}", 2) == "{count} lignes de {name}"


def test_two_updates_of_the_same_sources_give_the_same_files(tree):
    before = tree.po.read_bytes(), tree.po.with_suffix(".mo").read_bytes()
    tool.update(tree.root)
    assert (tree.po.read_bytes(), tree.po.with_suffix(".mo").read_bytes()) == before


def test_a_message_new_in_the_sources_is_missing_until_the_update_and_untranslated_after_it(tree, capsys):
    (tree.root / "gui" / "more.py").write_text("from core.language import _\n_('Fresh')\n", encoding="utf-8")
    assert "missing: 'Fresh' (gui/more.py)" in tree.defects(capsys)
    tool.update(tree.root)
    assert "untranslated: 'Fresh' (gui/more.py)" in tree.defects(capsys)


def test_a_message_gone_from_the_sources_is_obsolete_and_leaves_with_the_update(tree, capsys):
    (tree.root / "gui" / "page.py").write_text("from core.language import _\n_('Table')\n", encoding="utf-8")
    assert tree.defects(capsys).count("obsolete") == 3
    tool.update(tree.root)
    assert tree.defects(capsys) == ""
    assert "Ouvrir" not in tree.po.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("good", "bad", "defect"),
    [
        ('"Tableau"', '""', "untranslated"),
        ('msgid "Table"', '#, fuzzy\nmsgid "Table"', "fuzzy"),
        ('"{path} est illisible : {mode:03o}"', '"{chemin} est illisible : {mode:03o}"', "other fields"),
        ('"{path} est illisible : {mode:03o}"', '"{path} est illisible : {mode}"', "other fields"),
        ('"{path} est illisible : {mode:03o}"', '"{path est illisible : {mode:03o}"', "broken braces"),
        ('"{path} est illisible : {mode:03o}"', '"{path} est illisible : {mode:03o} "', "other spaces"),
        ('"{count} lignes de {name}"', '"des lignes de {name}"', "other fields"),
        ('"une ligne de {name}"', '"une ligne de {nom}"', "other fields"),
        ('"{count} lignes de {name}"', '""', "untranslated"),
        ('"&Ouvrir"', '"Ouvrir"', "an & too many or too few"),
    ],
)
def test_a_defect_of_a_translation_is_named(tree, capsys, good, bad, defect):
    assert good in GOOD
    tree.write(GOOD.replace(good, bad))
    assert defect in tree.defects(capsys)


def test_a_compiled_file_that_is_old_missing_or_broken_is_named(tree, capsys):
    tree.write(GOOD.replace("Tableau", "Table des réponses"))
    assert "not what beffroi.po compiles to" in tree.defects(capsys)
    tool.update(tree.root)
    assert tree.defects(capsys) == ""
    for content in (b"", b"\xde\x12\x04\x95 and then nothing of use"):
        tree.po.with_suffix(".mo").write_bytes(content)
        assert "not what beffroi.po compiles to" in tree.defects(capsys)
    tree.po.with_suffix(".mo").unlink()
    assert "not what beffroi.po compiles to" in tree.defects(capsys)


def test_other_words_than_update_and_check_are_bad_usage(capsys):
    assert tool.main(["upgrade"]) == 2
    assert "usage" in capsys.readouterr().err
