"""Run the benchmarks named on the command line, or all that take minutes."""

import importlib
import sys

QUESTIONS = (
    "demo", "gas", "latency", "load", "octet", "octet_fidelity", "octet_unrolled", "soak", "throughput",
    "verifiers",
)  # fmt: skip
LONG = ("gas", "latency", "load", "octet", "octet_fidelity", "octet_unrolled", "soak")
"""Run by name only; what follows a name alone are its options."""


def main(arguments: list[str]) -> int:
    """Run each question's `main()` and print its table under its name."""
    options = next((place for place, text in enumerate(arguments) if text.startswith("-")), len(arguments))
    wanted, options_given = arguments[:options], arguments[options:]
    unknown = [name for name in wanted if name not in QUESTIONS]
    if unknown:
        sys.stderr.write(f"error: expected one of {', '.join(QUESTIONS)}, found {', '.join(unknown)}\n")
        return 2
    if options_given and (len(wanted) != 1 or wanted[0] not in LONG):
        sys.stderr.write(
            f"error: expected options after one of {', '.join(LONG)}, found {options_given[0]}\n"
        )
        return 2
    for name in wanted or [name for name in QUESTIONS if name not in LONG]:
        module = importlib.import_module(f"benchmarks.{name}")
        if "--json" in options_given:
            module.main(options_given)
            continue
        print(f"## {name}: {(module.__doc__ or '').splitlines()[0]}")
        print(" ".join(["command: python -m benchmarks", name, *options_given]), flush=True)
        if name in LONG:
            module.main(options_given)
        else:
            module.main()
        print()
    return 0


sys.exit(main(sys.argv[1:]))
