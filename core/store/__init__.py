"""The history: one schema, one writer, and the queries that read it."""
