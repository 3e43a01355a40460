"""Protocols as pure code: bytes in, events out; no input, output, clock, thread or log."""
