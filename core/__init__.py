"""Beffroi without its window: protocols, agents, meters, history and the command line."""

__version__ = "0.1.0"
