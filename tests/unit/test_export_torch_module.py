"""Export: a torch module in, one checked file out, the same bytes every time."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from zkml.adapters.atomic_write import write_atomically
from zkml.core.digests import digest_of
from zkml.errors import (
    ConfigError,
    ModelError,
    ParityError,
    StorageError,
    ToolchainError,
    UnsupportedOperatorError,
)
from zkml.export import torch_module
from zkml.export.check import check_onnx
from zkml.export.torch_module import export_module

CODE = """
import sys, torch
from pathlib import Path
from torch import nn
from zkml.export.torch_module import export_module
torch.manual_seed(int(sys.argv[2]))
module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.ReLU())
with torch.no_grad():
    for parameter in module.parameters():
        parameter.copy_(torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape))
export_module(module, torch.zeros(1, 4), Path(sys.argv[1]), name="small")
"""


def small():
    """Build the module of CODE."""
    module = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.ReLU())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).reshape(parameter.shape))
    return module


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Export the small module once: (path, checked model, random state before, after)."""
    path = tmp_path_factory.mktemp("export") / "new" / "small.onnx"
    module = small()
    module.train()
    module[1].eval()
    before = torch.get_rng_state()
    checked = export_module(module, torch.zeros(1, 4), path, name="small")
    return path, checked, module, torch.equal(before, torch.get_rng_state())


def test_export__in_another_process_folder_and_seed__gives_the_same_bytes(exported, tmp_path):
    """Bytes depend on the weights alone, and a fresh process prints nothing at all."""
    path = tmp_path / "elsewhere.onnx"
    (tmp_path / "code.py").write_text(CODE)
    done = subprocess.run(
        [sys.executable, tmp_path / "code.py", path, "7"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert path.read_bytes() == exported[0].read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["code.py", "elsewhere.onnx"]


def test_export__file__is_the_checked_model(exported):
    """What is returned is what was written: fixed shapes, opset 18, tensors called input and output."""
    path, checked, _, _ = exported
    assert checked.digest == digest_of(path.read_bytes())
    assert check_onnx(path) == checked
    assert (checked.inputs[0].name, checked.inputs[0].shape) == ("input", (1, 4))
    assert (checked.outputs[0].name, checked.outputs[0].shape) == ("output", (1, 3))
    assert (checked.opset, checked.parameters, checked.warnings) == (18, 15, ())
    assert [name for name, _ in checked.operators] == ["Gemm", "Relu"]


def test_export__file__tells_nothing_of_the_machine(exported):
    """No path, stack trace, torch version or document string is left in the file."""
    data = exported[0].read_bytes()
    for trace in (b".py", b"torch", b"File ", str(Path.cwd()).encode(), sys.prefix.encode()):
        assert trace not in data, trace
    model = onnx.load_from_string(data)
    assert (model.graph.name, model.producer_name, model.producer_version) == ("small", "zkml", "")


def test_export__module_and_random_state__are_left_as_they_were(exported):
    """The module's modes come back part by part, and torch's generator is untouched."""
    _, _, module, untouched = exported
    assert [part.training for part in module] == [True, False, True]
    assert module.training
    assert untouched


def test_export__unsupported_layer__names_the_operator_and_writes_nothing(tmp_path):
    """A layer without a circuit is refused before a file appears."""
    with pytest.raises(UnsupportedOperatorError, match="node"):
        export_module(nn.ReflectionPad2d(1), torch.zeros(1, 1, 4, 4), tmp_path / "m.onnx", name="m")
    assert list(tmp_path.iterdir()) == []


class Stubborn(nn.Module):
    """A module whose control flow depends on values."""

    def forward(self, x):
        """Branch on a value."""
        return x if x.sum() > 0 else -x


def test_export__control_flow_on_values__is_a_quiet_error_of_ours(tmp_path, capfd):
    """What torch cannot trace leaves as ModelError on one line, with nothing on stdout or stderr."""
    with pytest.raises(ModelError, match="expected a module that torch exports") as caught:
        export_module(Stubborn(), torch.zeros(1, 4), tmp_path / "m.onnx", name="m")
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_export__exporter_that_changes_the_model__is_caught(tmp_path, monkeypatch):
    """If the ONNX graph computes something else, parity says so and nothing is written."""
    export = torch_module._exported

    def tampered(module, example):
        model = export(module, example)
        weights = onnx.numpy_helper.to_array(model.graph.initializer[0]) + np.float32(0.01)
        model.graph.initializer[0].CopyFrom(
            onnx.numpy_helper.from_array(weights, model.graph.initializer[0].name)
        )
        return model

    monkeypatch.setattr(torch_module, "_exported", tampered)
    with pytest.raises(ParityError, match="expected outputs within"):
        export_module(small(), torch.zeros(1, 4), tmp_path / "m.onnx", name="m")
    assert list(tmp_path.iterdir()) == []


def test_export__onnxscript_missing__says_how_to_install(tmp_path, monkeypatch):
    """Without the exporter's package the error says what to install."""
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ToolchainError, match="package onnxscript"):
        export_module(small(), torch.zeros(1, 4), tmp_path / "m.onnx", name="m")


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 65])
def test_export__impossible_name__is_refused(tmp_path, name):
    """A name that no manifest takes is refused as a wrong setting."""
    with pytest.raises(ConfigError, match="expected a name"):
        export_module(small(), torch.zeros(1, 4), tmp_path / "m.onnx", name=name)


# --- writing -----------------------------------------------------------------------------------


def test_write__disk_full__keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    """When the disk fills up, the old file stays whole and no temporary file is left."""
    path = tmp_path / "m.onnx"
    write_atomically(path, b"old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_write__over_a_folder_or_below_a_file__is_refused(tmp_path):
    """A path that cannot be written is an error of ours."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "folder", tmp_path / "file" / "m.onnx"):
        with pytest.raises(StorageError, match="expected to write 1 bytes"):
            write_atomically(path, b"x")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]
