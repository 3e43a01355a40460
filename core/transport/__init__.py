"""What carries bytes: TLS links with pinned certificates, serial ports."""
