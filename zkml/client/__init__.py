"""The requester's side: open a job, wait, read the proved output, get a refund."""
