"""Rules of the house that no linter knows: read from the sources, each broken one named with its place."""

from __future__ import annotations

import ast
import gc
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400
LONGER = {
    "core/records.py": "all that crosses threads and layers, in one place",
}
"""Files past 400 lines, each with the reason why it is one thing."""

SECRETS = {"password", "key", "auth_key", "secret", "dedicated_key"}

TRANSLATED_BY = {"_", "ngettext", "N_"}
USER_ERRORS = {
    "ConfigError", "UsageError", "TransportError", "HostUnknownError", "NoRouteError", "NothingListensError",
    "PortInUseError", "SerialPortMissingError", "SerialPortBusyError", "SerialPortDeniedError", "NotAnAgentError",
    "WrongKeyError", "RefusedError", "WrongCodeError", "NotTrustedError", "WrongPasswordError", "StoreError",
    "StoreLockedError", "StoreFullError", "StoreReadOnlyError", "StoreNewerError",
}  # fmt: skip
"""Errors whose message is a sentence for the user, in the user's language."""

SHOWN_BY = {
    "setText", "setToolTip", "setWindowTitle", "setPlaceholderText", "setAccessibleName", "setAccessibleDescription",
    "setStatusTip", "setTitle", "addAction", "addMenu", "addTab", "addRow", "setLabelText", "setInformativeText",
    "showMessage", "setSuffix", "setPrefix", "QPushButton", "QLabel", "QToolButton", "QAction", "QCheckBox",
    "QRadioButton", "QGroupBox", "Card", "plain_label", "set_context", "set_title", "set_sentence", "EmptyState",
}  # fmt: skip
"""Calls whose texts are seen or heard by the user."""

HTML = {
    "RichText", "AutoText", "MarkdownText", "setHtml", "insertHtml", "appendHtml", "toHtml", "setMarkdown",
    "QTextBrowser", "QErrorMessage", "setWhatsThis", "LabelItem",
}  # fmt: skip
"""Names that show markup, or guess at it."""

GUESSING = {"QLabel", "QMessageBox", "QProgressDialog"}
"""Widgets that take a text for HTML when it looks like it, until told otherwise."""


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def trees(*folders: str, naming: Iterable[str] = ()) -> Iterator[tuple[str, ast.Module]]:
    """Name and tree of each file; where names are given, of those alone in whose text one of them stands."""
    wanted = re.compile("|".join(rf"\b{name}\b" for name in naming))
    for path in files(*folders):
        text = path.read_text(encoding="utf-8")
        if wanted.search(text):
            gc.disable()  # trees are many objects that hold each other: looking for garbage meanwhile costs most
            try:
                tree = ast.parse(text)
            finally:
                gc.enable()
            yield path.relative_to(ROOT).as_posix(), tree


def name_of(node: ast.expr) -> str:
    """Last name of what is called: `self.label.setText` is `setText`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) in names:
            yield node


def is_words(node: ast.expr) -> bool:
    """True for a literal that a user would read: a text or f-string with a word of two letters in it."""
    if isinstance(node, ast.JoinedStr):
        return any(is_words(part) for part in node.values)
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(re.search(r"[A-Za-z]{2}", node.value))
    )


def told(broken: list[str]) -> str:
    return "\n" + "\n".join(broken)


def test_messages_are_whole_and_their_fields_have_names():
    """Those that collect the messages look neither into f-strings nor at what is put together."""
    broken = []
    for name, tree in trees("core", "gui", naming=TRANSLATED_BY):
        within = {call for text in ast.walk(tree) if isinstance(text, ast.JoinedStr) for call in ast.walk(text)}
        for call in calls(tree, *TRANSLATED_BY):
            where = f"{name}:{call.lineno}"
            texts = [text.value for text in call.args if isinstance(text, ast.Constant) and isinstance(text.value, str)]
            if call in within and texts:
                broken.append(f"{where}: within an f-string")
            for text in call.args[: 2 if name_of(call.func) == "ngettext" else 1]:
                is_formatted = isinstance(text, ast.Call) and name_of(text.func) == "format"
                if is_formatted or isinstance(text, (ast.JoinedStr, ast.BinOp)):
                    broken.append(f"{where}: put together before it is translated")
            if any(re.search(r"\{(\d*|[:!][^}]*)\}", text) for text in texts):
                broken.append(f"{where}: a field without a name")
    assert not broken, told(broken)


def test_every_text_of_the_window_can_be_translated():
    broken = [
        f"{name}:{call.lineno}: {ast.unparse(text)}"
        for name, tree in trees("gui", naming=SHOWN_BY)
        for call in calls(tree, *SHOWN_BY)
        for text in call.args
        if is_words(text) and not is_the_same_everywhere(call, text)
    ]
    assert not broken, told(broken)


def is_the_same_everywhere(call: ast.Call, text: ast.expr) -> bool:
    """Roles of labels; units, samples and the program's name, which are the same in every language."""
    roles = {"dim", "ok", "warning", "critical", "card-title", "card-context"}
    units = {" ms", " kWh", " MiB", " min"}
    samples = {"Beffroi", "XXXXX-XXXXX", "/dev/ttyUSB0   socket://192.0.2.7:2000"}
    return isinstance(text, ast.Constant) and text.value in roles | units | samples


def test_every_error_that_users_read_can_be_translated():
    broken = [
        f"{name}:{call.lineno}: {ast.unparse(call)[:100]}"
        for name, tree in trees("core", "gui", naming=USER_ERRORS)
        for call in calls(tree, *USER_ERRORS)
        if call.args and is_words(call.args[0])
    ]
    assert not broken, told(broken)


def test_every_help_of_the_command_line_can_be_translated():
    broken = [
        f"{name}:{call.lineno}: {ast.unparse(keyword.value)}"
        for name, tree in trees("core/cli")
        for call in calls(tree, "add_argument", "add_parser", "ArgumentParser", "add_argument_group")
        for keyword in call.keywords
        if keyword.arg in ("help", "description", "epilog") and is_words(keyword.value)
    ]
    assert not broken, told(broken)


def test_nothing_of_the_window_shows_markup():
    broken = [
        f"{name}:{node.lineno}: {found}"
        for name, tree in trees("gui", naming=HTML)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Name, ast.Attribute)) and (found := name_of(node)) in HTML
    ]
    assert not broken, told(broken)


def test_every_widget_that_guesses_at_html_is_told_not_to_where_it_is_made():
    broken = []
    for name, tree in trees("gui", naming=GUESSING):
        for function in ast.walk(tree):
            if not isinstance(function, (ast.FunctionDef, ast.ClassDef)):
                continue
            is_subclass = isinstance(function, ast.ClassDef) and any(
                name_of(base) in GUESSING for base in function.bases
            )
            made = [] if isinstance(function, ast.ClassDef) else list(calls(function, *GUESSING))
            if (made or is_subclass) and not tells_plain_text(function):
                broken.append(f"{name}:{function.lineno}: {function.name}")
    assert not broken, told(broken)


def tells_plain_text(function: ast.AST) -> bool:
    return any(call.args and name_of(call.args[0]) == "PlainText" for call in calls(function, "setTextFormat"))


def test_no_ready_made_question_or_warning_is_asked_with_a_text_that_guesses_at_html():
    statics = {"information", "warning", "critical", "question", "about"}
    broken = [
        f"{name}:{call.lineno}"
        for name, tree in trees("gui", naming=["QMessageBox"])
        for call in calls(tree, *statics)
        if isinstance(call.func, ast.Attribute) and name_of(call.func.value) == "QMessageBox"
    ]
    assert not broken, told(broken)


def test_every_tool_tip_made_of_values_is_escaped():
    broken = []
    for name, tree in trees("gui", naming=["setToolTip", "showText", "ToolTipRole"]):
        for call in calls(tree, "setToolTip", "showText"):
            tip = call.args[1] if name_of(call.func) == "showText" and len(call.args) > 1 else call.args[0]
            if not is_fixed_or_escaped(tip):
                broken.append(f"{name}:{call.lineno}: {ast.unparse(tip)[:80]}")
        text = (ROOT / name).read_text(encoding="utf-8")
        if "ToolTipRole" in text and "plain_tip" not in text:
            broken.append(f"{name}: ToolTipRole without plain_tip")
    assert not broken, told(broken)


def is_fixed_or_escaped(tip: ast.expr) -> bool:
    if isinstance(tip, ast.IfExp):
        return is_fixed_or_escaped(tip.body) and is_fixed_or_escaped(tip.orelse)
    if isinstance(tip, ast.Constant):
        return True
    if isinstance(tip, ast.Call) and name_of(tip.func) == "_":
        return isinstance(tip.args[0], ast.Constant)
    return isinstance(tip, ast.Call) and name_of(tip.func) == "plain_tip"


def test_every_public_part_of_core_says_what_it_gives_in_a_sentence():
    broken = []
    for name, tree in trees("core"):
        parts: list[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]] = [(name, tree)]
        parts += [(f"{name}:{part.lineno}", part) for part in public_parts(tree)]
        for where, part in parts:
            first = (ast.get_docstring(part) or "").split("\n\n", 1)[0].split("\n    ", 1)[0].strip()
            if not re.search(r"\w", first):
                broken.append(f"{where}: {getattr(part, 'name', 'module')} has no docstring")
            elif not first.endswith((".", ":", "!", "`", ")")):
                broken.append(f"{where}: {getattr(part, 'name', 'module')}: {first[:60]!r} is not a sentence")
    assert not broken, told(broken)


def public_parts(tree: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for part in tree.body:
        if isinstance(part, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not part.name.startswith("_"):
            yield part
            if isinstance(part, ast.ClassDef):
                yield from public_parts(part)


def test_no_file_grows_past_400_lines_without_a_reason():
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in [*files("core", "gui"), ROOT / "main.py"]
    }
    too_long = [f"{name}: {length}" for name, length in lengths.items() if length > LONGEST and name not in LONGER]
    short_again = [name for name in LONGER if lengths.get(name, 0) <= LONGEST - 50]
    assert not too_long, told(too_long)
    assert not short_again, told(short_again)


def test_no_repr_shows_a_secret():
    """Tracebacks and logs show the repr of a dataclass: its passwords and keys are left out."""
    broken = []
    for name, tree in trees("core", "gui", naming=["dataclass"]):
        for part in ast.walk(tree):
            if not isinstance(part, ast.ClassDef) or "dataclass" not in map(ast.unparse, bare(part.decorator_list)):
                continue
            for line in part.body:
                is_secret = isinstance(line, ast.AnnAssign) and ast.unparse(line.target) in SECRETS
                if is_secret and "bytes" in ast.unparse(line.annotation) and "repr=False" not in ast.unparse(line):
                    broken.append(f"{name}:{line.lineno}: {ast.unparse(line)}")
    assert not broken, told(broken)


def bare(decorators: list[ast.expr]) -> list[ast.expr]:
    return [one.func if isinstance(one, ast.Call) else one for one in decorators]


def test_main_imports_the_window_only_where_it_is_opened():
    tree = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    at_import = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in at_import for alias in node.names} | {
        node.module or "" for node in at_import if isinstance(node, ast.ImportFrom)
    }
    assert not [name for name in names if name.split(".")[0] in {"gui", "core", "PyQt5", "numpy"}]


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["machines", "list", "--json"], ["gui", "PyQt5", "pyqtgraph", "numpy", "serial"]),
        (["agent", "consoles", "list", "--json"], ["gui", "PyQt5", "numpy", "sqlalchemy", "serial", "cryptography"]),
    ],
)
def test_a_command_loads_nothing_of_the_window(tmp_path, words, unwanted):
    code = (
        "import json, sys, main\n"
        f"sys.argv = ['beffroi', '--home', {str(tmp_path / 'home')!r}, *{words!r}]\n"
        "status = main.main()\n"
        f"print(json.dumps([status, [name for name in {unwanted!r} if name in sys.modules]]), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(ended.stderr.strip().splitlines()[-1]) == [0, []], ended.stderr
