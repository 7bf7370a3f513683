"""The auditor's side: check a job or a proof from chain data and artifacts alone."""
