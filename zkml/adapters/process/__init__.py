"""Child processes that never outlive their parent, nor their memory and time."""
