"""Alarms: rules, and the engine that says when they ring and when they are over; pure, no clock, no thread."""
