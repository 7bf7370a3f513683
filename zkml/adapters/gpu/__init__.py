"""What the machine's GPUs are and who uses their memory; the one door to NVML."""
