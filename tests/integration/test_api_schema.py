"""The API against its own description: whatever a client sends, the answer is one that it tells of."""

import base64
import copy
import json

import pytest
import schemathesis
from api_lab import client_of, shared_world, started
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

pytestmark = pytest.mark.integration

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    world = shared_world()
    with started(world, world.built.enrolled(), tmp_path_factory.mktemp("schema")) as node:
        yield node


@pytest.fixture(scope="module")
def described(node):
    return schemathesis.openapi.from_asgi("/openapi.json", node.server.app)


LIMITS = {
    "max_examples": 20,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "database": None,
}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_api__whatever_is_sent__answers_as_described(node, described, mode):
    """No answer is a server's error, or of a status, type, header or form that the description lacks."""
    operations = [found.ok() for found in described.get_all_operations()]
    assert {operation.label for operation in operations} >= {
        "POST /v1/models/{did}/infer",
        "GET /v1/jobs/{id}",
    }
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and "{" not in operation.path:
            continue

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(**LIMITS)
        def check(case):
            if mode is GenerationMode.POSITIVE and "did" in (case.path_parameters or {}):
                case.path_parameters["did"] = node.world.did
            case.call_and_validate(checks=CHECKS)

        check()


def test_description__every_answer__has_a_schema_and_every_problem_an_example(node):
    """The description tells of each path every status, with the form of its body; of payments, too."""
    described = node.server.app.openapi()
    assert {"PaymentBody", "TabOpening", "SignedRequestRecord"} <= set(described["components"]["schemas"])
    for path in described["paths"].values():
        for operation in path.values():
            assert {"200", "429", "500", "503"} <= set(operation["responses"])
            for status, answer in operation["responses"].items():
                assert answer["description"]
                for media in answer["content"].values():
                    assert "schema" in media
                    assert status < "400" or "example" in media


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8) | st.just("0x" + 64 * "f"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def nearby(value: object) -> st.SearchStrategy:
    """Return other values of the same form."""
    if isinstance(value, bool) or value is None:
        return st.none()
    if isinstance(value, int):
        return st.integers(-(2**65), 2**65)
    if isinstance(value, str) and value.startswith("0x"):
        length = len(value) - 2
        return st.text("0123456789abcdef", min_size=length, max_size=length).map(lambda digits: "0x" + digits)
    if isinstance(value, str) and value.isdigit():
        return st.integers(0, 2**256).map(str)
    return st.sampled_from(["permit", "eip3009", "", {}])


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Return the path of every value inside a JSON value."""
    found = [path]
    for name, inner in value.items() if isinstance(value, dict) else ():
        found += places(inner, (*path, name))
    return found


def test_infer__payment_changed_anywhere__is_refused_and_never_an_error(node):
    """Whatever stands in the place of any part of a good payment, the answer is 400, 402 or 422, never worse."""
    client = client_of(node.world, node)
    opening = client.opening(5_000_000)
    good = json.loads(base64.b64decode(client.payment(client.sign(), opening)))
    statuses = set()

    @given(place=st.sampled_from(places(good["payload"])), data=st.data())
    @settings(**LIMITS | {"max_examples": 80})
    def check(place, data):
        changed = copy.deepcopy(good)
        target = changed
        for name in ("payload", *place)[:-1]:
            target = target[name]
        name = ("payload", *place)[-1]
        target[name] = data.draw(JSON | nearby(target[name]))
        assume(changed != good)
        header = base64.b64encode(json.dumps(changed).encode()).decode()
        answer = client.ask(payment=header)
        statuses.add(answer.status_code)
        assert answer.status_code in (400, 402, 422), (changed, answer.text)
        assert answer.json()["code"].startswith("ZK-")

    check()
    assert {400, 402} <= statuses
