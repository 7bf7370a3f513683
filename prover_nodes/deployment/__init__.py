"""Files to run a node with: container, service unit, Prometheus, Grafana. See docs/prover.md."""
