"""What the pure core expects of the outside world: one Protocol per file."""
