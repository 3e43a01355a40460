"""Text of files that people give us, whatever program wrote them."""

from __future__ import annotations


def text_of(content: bytes) -> str:
    """Text of a file written by a Unix tool, or by a spreadsheet of a French Windows."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")
