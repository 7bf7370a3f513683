"""Run the benchmarks named on the command line, or all of them."""

import importlib
import pkgutil
import sys

import benchmarks


def main() -> int:
    """Run each question's `main()` and print its table under its name."""
    names = sorted(
        module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__"
    )
    names.remove("machine")
    wanted = sys.argv[1:] or names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        sys.stderr.write(f"error: expected one of {', '.join(names)}, found {', '.join(unknown)}\n")
        return 2
    for name in wanted:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"## {name}: {(module.__doc__ or '').splitlines()[0]}")
        print(f"command: python -m benchmarks {name}")
        module.main()
        print()
    return 0


sys.exit(main())
