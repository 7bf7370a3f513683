"""Records, codecs, layouts and state machines: pure, no network, disk, clock or process."""
