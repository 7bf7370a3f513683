"""One folder per outside system: child processes, EZKL, the EVM, files, the database, keys."""
