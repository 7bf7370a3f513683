"""`python -m zkml.cli`."""

from zkml.cli.main import main

main()
