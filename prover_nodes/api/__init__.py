"""The HTTP API of a prover node: its one door to fastapi, starlette and uvicorn."""
