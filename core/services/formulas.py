"""Text from outside, kept from being a formula of the spreadsheet that opens a file of ours."""

from __future__ import annotations


def escaped(text: str) -> str:
    """`text` so that a spreadsheet shows it and does not calculate it: an apostrophe before `=`, `+`, `-`, `@`, tab."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
