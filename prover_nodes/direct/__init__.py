"""Requests on tabs: accepted, proved, answered and settled, without a job on the market."""
