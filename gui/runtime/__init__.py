"""The only QThreads, and the only door between threads and widgets."""
