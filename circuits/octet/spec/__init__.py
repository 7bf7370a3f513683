"""The executable specification of OCTET, written to be read beside docs/octet.md."""
