"""Run graphs through EZKL up to the witness, in a process of its own: a panic there must not end pytest.

    python operator_worker.py GOOD|SILENT

prints a JSON object: for each graph its greatest relative error, or the stage that failed.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import ezkl
import numpy as np
import onnxruntime
from operator_graphs import GOOD, SILENT

OTHER_SIZE = 1e9


def _measure(data, fed):
    Path("m.onnx").write_bytes(data)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    expected = session.run(None, {f"x{i}": array for i, array in enumerate(fed)})
    arguments = ezkl.PyRunArgs()
    arguments.input_visibility = arguments.output_visibility = "public"
    arguments.param_visibility = "fixed"
    arguments.input_scale = arguments.param_scale = 10
    arguments.decomp_base, arguments.decomp_legs, arguments.logrows = 1024, 3, 14
    ezkl.gen_settings("m.onnx", "s.json", py_run_args=arguments)
    ezkl.compile_circuit("m.onnx", "c.ezkl", "s.json")
    Path("i.json").write_text(
        json.dumps({"input_data": [array.astype(float).ravel().tolist() for array in fed]})
    )
    ezkl.gen_witness("i.json", "c.ezkl", "w.json")
    found = json.loads(Path("w.json").read_text())["pretty_elements"]["rescaled_outputs"]
    return max(_error(np.array(f, dtype=float), e) for f, e in zip(found, expected, strict=True))


def _error(found, expected):
    expected = np.asarray(expected).astype(float).ravel()
    if found.size != expected.size:
        return OTHER_SIZE
    return float(np.max(np.abs(found - expected) / (1 + np.abs(expected))))


def main(which):
    """Measure every graph of one table."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, (data, fed) in {"GOOD": GOOD, "SILENT": SILENT}[which].items():
            try:
                results[name] = _measure(data, fed)
            except BaseException as error:  # noqa: BLE001 a panic of Rust is a BaseException
                results[name] = f"{type(error).__name__}: {error}"[:300]
        os.chdir("/")
    print(json.dumps(results))


main(sys.argv[1])
