"""Coroutines where a protocol meets a transport and a store; the window and the command line share them."""
