"""Models as tools of the Model Context Protocol: each call is a paid inference whose proof was verified here.

What may be spent is the user's to say, per call and in all; whoever calls the tools cannot raise it.
"""

import asyncio
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import numpy as np
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from zkml.client.model import Model, Prediction
from zkml.client.spending import Budget
from zkml.core.digests import digest_of
from zkml.core.manifest import BundleManifest
from zkml.errors import DomainError, RequestRefusedError, ZkmlError

_INPUT = "input"


@dataclass(frozen=True, slots=True)
class ModelTool:
    """One model as a tool.

    Attributes:
        name: of the tool.
        model: what it calls.
        max_fee: the most that one call may cost, in the token's smallest unit.
    """

    name: str
    model: Model
    max_fee: int

    def describe(self) -> Tool:
        """Return the tool as clients see it."""
        manifest, show = self.model.manifest, self.model.requester.market.token.show
        low, high = _real_range(manifest)
        return Tool(
            name=self.name,
            description=(
                f"Runs the registered model {manifest.name} ({self.model.did}) on one input of shape "
                f"{_own_shape(manifest.input_shape)} with numbers from {low:g} to {high:g}. The output comes "
                "with a zero-knowledge proof, verified before it is returned. A call costs at most "
                f"{show(self.max_fee)}; input and output become public on chain."
            ),
            input_schema=input_schema(manifest),
            output_schema=output_schema(manifest),
            annotations=ToolAnnotations(
                read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
            ),
        )

    def call(self, arguments: dict[str, Any], budget: Budget) -> dict[str, Any]:
        """Have an input proved, and return output, proof and receipt.

        Raises:
            PaymentRequiredError: no node answers for what is left of the budget.
            ZkmlError: see `Model.predict`.
        """
        unknown = sorted(set(arguments) - {_INPUT})
        if unknown or _INPUT not in arguments:
            raise RequestRefusedError(
                f"expected the argument {_INPUT} alone, found {', '.join(map(repr, unknown))[:80] or 'none'}"
            )
        found = self.model.predict(
            _numbers(arguments[_INPUT]), max_fee=self.max_fee, left=budget.left(), approve=budget.spend
        )
        return self._result(found)

    def _result(self, found: Prediction) -> dict[str, Any]:
        requester, receipt = self.model.requester, found.receipt
        show = requester.market.token.show
        shape = _own_shape(self.model.manifest.output_shape)
        return {
            "output": found.output.reshape(shape).tolist(),
            "proof": {
                "verified": True,
                "file": str(requester.answers / f"{receipt.request_id}.json"),
                "digest": digest_of(found.proof.to_bytes()),
                "model": self.model.did,
                "circuit_id": found.request.circuit_id,
            },
            "receipt": {
                "request": receipt.request_id,
                "prover": receipt.prover,
                "price": show(receipt.price),
                "prover_fee": show(receipt.prover_fee),
                "tab_id": receipt.tab_id,
                "transaction": receipt.transaction or None,
                "resumed": found.is_resumed,
            },
        }


def make_tools(models: Sequence[Model], *, max_fee: int) -> list[ModelTool]:
    """Return a tool for each model, of distinct names; fetches manifests.

    Raises:
        ZkmlError: see `Model.manifest`.
    """
    tools, taken = list[ModelTool](), set[str]()
    for model in models:
        base = model.manifest.name.replace(".", "_")
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        tools.append(ModelTool(name, model, max_fee))
    return tools


def make_server(tools: Sequence[ModelTool], budget: Budget) -> Server[Any]:
    """Return a server of these tools."""
    by_name = {tool.name: tool for tool in tools}
    described = [tool.describe() for tool in tools]

    async def list_tools(_: Any, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=described)

    async def call_tool(_: Any, params: CallToolRequestParams) -> CallToolResult:
        tool = by_name.get(params.name)
        if tool is None:
            return _failed(RequestRefusedError(f"expected a tool of this server, found {params.name!r:.80}"))
        try:
            result = await asyncio.to_thread(tool.call, dict(params.arguments or {}), budget)
        except ZkmlError as error:
            return _failed(error)
        text = TextContent(type="text", text=json.dumps(result))
        return CallToolResult(content=[text], structured_content=result)

    return Server(
        "zkml",
        version=importlib.metadata.version("zkml"),
        instructions="Tools that run registered models. Every output comes with a proof that was verified.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve_stdio(server: Server[Any]) -> None:
    """Serve one client on standard input and output, until it hangs up."""

    async def serve() -> None:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    anyio.run(serve)


def input_schema(manifest: BundleManifest) -> dict[str, Any]:
    """Return the JSON schema of a model's input: nested lists of its shape, of numbers in its domain."""
    low, high = _real_range(manifest)
    items = {"type": "number", "minimum": low, "maximum": high}
    return {
        "type": "object",
        "properties": {_INPUT: _nested(_own_shape(manifest.input_shape), items)},
        "required": [_INPUT],
        "additionalProperties": False,
    }


def output_schema(manifest: BundleManifest) -> dict[str, Any]:
    """Return the JSON schema of a tool's result."""
    return {
        "type": "object",
        "properties": {
            "output": _nested(_own_shape(manifest.output_shape), {"type": "number"}),
            "proof": {"type": "object"},
            "receipt": {"type": "object"},
        },
        "required": ["output", "proof", "receipt"],
    }


def _nested(shape: Sequence[int], items: dict[str, Any]) -> dict[str, Any]:
    for length in reversed(shape):
        items = {"type": "array", "items": items, "minItems": length, "maxItems": length}
    return items


def _own_shape(shape: Sequence[int]) -> list[int]:
    """Return a shape without the leading one that says that there is one input."""
    return list(shape[1:]) if len(shape) > 1 and shape[0] == 1 else list(shape)


def _real_range(manifest: BundleManifest) -> tuple[float, float]:
    domain, scale = manifest.input_domain, float(1 << manifest.input_scale_bits)
    return domain.minimum / scale, domain.maximum / scale


def _numbers(value: Any) -> np.ndarray[Any, Any]:
    """Return JSON numbers as real ones: 1 and 1.0 are the same to whoever writes JSON."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DomainError(
            f"expected lists of numbers of one length each, found {str(error)[:120]}"
        ) from error
    if array.dtype.kind not in "iuf":
        raise DomainError(f"expected numbers, found elements of type {array.dtype}")
    return array.astype(np.float64)


def _failed(error: ZkmlError) -> CallToolResult:
    hint = f"; {error.hint}" if error.hint else ""
    text = TextContent(type="text", text=f"error: {error.message} [{error.code}]{hint}")
    return CallToolResult(content=[text], is_error=True)
