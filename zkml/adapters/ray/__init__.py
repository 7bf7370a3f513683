"""Run functions on a Ray cluster; the one door to Ray."""
