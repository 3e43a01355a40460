"""Steps from one form of the database to the next; run in process by `core.store.connection`."""
