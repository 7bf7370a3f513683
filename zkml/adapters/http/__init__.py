"""HTTP to machines of strangers: bounded in time and size, and never to an address that is none of theirs."""
