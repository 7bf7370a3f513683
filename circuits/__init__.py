"""Circuit bundles, and the proof systems behind one port."""
