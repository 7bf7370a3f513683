"""The error tree: drawn as it is, with codes that never clash."""

import inspect
import json
import re

import pytest

from zkml import errors
from zkml.errors import ZkmlError


def tree(root, depth=0):
    """Yield (depth, name) of every class below root, depth first, as defined."""
    yield depth, root.__name__
    for child in root.__subclasses__():
        yield from tree(child, depth + 1)


def classes():
    """Return every error class of zkml.errors."""
    return [
        value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, ZkmlError)
    ]


def test_docstring_tree__is_the_class_tree():
    """The tree drawn in zkml/errors.py is the tree that exists, in its order."""
    drawn = [(len(m[1]) // 2, m[2]) for m in re.finditer(r"^( *)[*x+-] (\w+)$", errors.__doc__, re.MULTILINE)]
    assert drawn == list(tree(ZkmlError))


def test_tree__holds_every_class_of_the_module():
    """No error class stands outside the tree, and none lives in another module."""
    assert {name for _, name in tree(ZkmlError)} == {kind.__name__ for kind in classes()}


def test_codes__are_unique_and_well_formed():
    """Every class has a code of its own, in the form that operators grep."""
    codes = [kind.__dict__.get("code") for kind in classes()]
    assert len(set(codes)) == len(codes)
    for code in codes:
        assert code is not None
        assert re.fullmatch(r"ZK-[A-Z]{3}-\d{3}", code)


def test_codes__share_the_area_of_their_parent():
    """A branch of the tree is one area of codes."""
    for kind in classes():
        if kind is not ZkmlError and kind.__base__ is not ZkmlError:
            assert kind.code[:6] == kind.__base__.code[:6], kind


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_exit_code__is_one_of_four(kind):
    """Exit codes are 1 to 4; 3 is a verdict, 4 is none, and only their branches have them."""
    assert kind.exit_code in (1, 2, 3, 4)
    assert (kind.exit_code == 3) == issubclass(kind, errors.VerificationError)
    assert (kind.exit_code == 4) == issubclass(kind, errors.InconclusiveError)
    assert kind.__doc__.strip().splitlines()[0].endswith((".", "these."))


def test_as_json__carries_everything_as_text():
    """The JSON form has type, code, message, hint, retryable and the context as text."""
    error = errors.RpcError("expected x, found y", hint="try z", url="u", attempts=3)
    assert json.loads(json.dumps(error.as_json())) == {
        "type": "RpcError",
        "code": "ZK-CHN-002",
        "message": "expected x, found y",
        "hint": "try z",
        "retryable": True,
        "context": {"url": "u", "attempts": "3"},
    }
    assert str(error) == error.message
