"""Files the program reads: icons, translations, presets, systemd unit, example configuration."""
