"""The one door to EZKL: every call runs in a child process, within memory and time."""
