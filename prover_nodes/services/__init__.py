"""The stages of a job, one function a file: record in, record out, side effects behind a port."""
