"""The lineage around a model: its ancestors and descendants, as a graph of records.

Built from the events of both registries, so its size is bounded by what the chain has; what is farther
away than `MAX_NODES` models is cut off, and said to be.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from registry.lineage import AncestorShare, LineageRegistryBinding, Parent
from registry.model_facts import ModelStatus
from registry.model_reader import ModelReader
from zkml.errors import NotRegisteredError, RpcError

MAX_NODES = 256
"""A drawing of more models says nothing to anybody."""


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A model in the graph.

    Attributes:
        model_id: ERC-721 id.
        name: as its publisher chose it: a stranger's text.
        status: whether its own edges are effective.
        shares: of its ancestors in its income, folded.
    """

    model_id: int
    name: str
    status: ModelStatus
    shares: tuple[AncestorShare, ...]

    @property
    def is_effective(self) -> bool:
        """Whether its edges count: it has been PROVEN."""
        return self.status in (ModelStatus.PROVEN, ModelStatus.DEPRECATED)


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """A child that owes a parent a part of its income.

    Attributes:
        child_id: who owes.
        parent_id: who is owed.
        rate_ppm: in millionths of the child's income.
        is_effective: whether the child has been PROVEN. Even then the edge is only declared: that the
            weights derive from the parent's is not proved.
    """

    child_id: int
    parent_id: int
    rate_ppm: int
    is_effective: bool


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """The models around one.

    Attributes:
        root: the model that was asked for.
        nodes: all models, parents before children.
        edges: between them.
        is_cut: whether models farther away were left out.
    """

    root: int
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    is_cut: bool

    def node(self, model_id: int) -> LineageNode:
        """Return a model of the graph; KeyError if there is none."""
        return {node.model_id: node for node in self.nodes}[model_id]

    def parents_of(self, model_id: int) -> tuple[LineageEdge, ...]:
        """Return the edges to a model's parents."""
        return tuple(edge for edge in self.edges if edge.child_id == model_id)

    def children_of(self, model_id: int) -> tuple[LineageEdge, ...]:
        """Return the edges from a model's children."""
        return tuple(edge for edge in self.edges if edge.parent_id == model_id)


def read_graph(
    model_id: int, lineage: LineageRegistryBinding, registry: ModelReader, *, from_block: int
) -> LineageGraph:
    """Read the graph of a model's ancestors and descendants from the chain.

    Args:
        model_id: where to begin.
        lineage: who has declared what.
        registry: names and status.
        from_block: height of the deployment.

    Raises:
        NotRegisteredError: no such model.
        RpcError: events that contradict each other, or a circle; see also `Chain.logs`.
    """
    names = {item.model_id: item.name for item in registry.registrations(from_block=from_block)}
    if model_id not in names:
        raise NotRegisteredError(
            f"expected a registered model, found none with id {model_id:#066x}",
            hint="list them: zkml registry list",
        )
    declared = {item.child_id: item for item in lineage.declarations()}
    parents = {child: item.parents for child, item in declared.items()}
    found, is_cut = _neighbourhood(model_id, parents)
    nodes = []
    for number in _sorted_by_age(found, parents):
        if number not in names:
            raise RpcError(f"expected a registered model in a lineage, found {number:#066x}")
        shares = declared[number].shares if number in declared else ()
        nodes.append(LineageNode(number, names[number], registry.status_of(number), shares))
    effective = {node.model_id for node in nodes if node.is_effective}
    edges = tuple(
        LineageEdge(child, parent.model_id, parent.rate_ppm, child in effective)
        for child in (node.model_id for node in nodes)
        for parent in parents.get(child, ())
        if parent.model_id in found
    )
    return LineageGraph(model_id, tuple(nodes), edges, is_cut)


def _neighbourhood(root: int, parents: Mapping[int, tuple[Parent, ...]]) -> tuple[set[int], bool]:
    """Return a model with its ancestors and its descendants, and whether some were left out."""
    children: dict[int, list[int]] = {}
    for child, edges in parents.items():
        for edge in edges:
            children.setdefault(edge.model_id, []).append(child)
    found = {root}
    is_cut = _walk(root, lambda model: (edge.model_id for edge in parents.get(model, ())), found)
    return found, _walk(root, lambda model: children.get(model, ()), found) or is_cut


def _walk(root: int, neighbours: Callable[[int], Iterable[int]], found: set[int]) -> bool:
    """Add what can be reached to `found`; return whether there was more than `MAX_NODES`."""
    pending, seen = deque([root]), {root}
    while pending:
        for model in neighbours(pending.popleft()):
            if model in seen:
                continue
            if len(found | {model}) > MAX_NODES:
                return True
            seen.add(model)
            found.add(model)
            pending.append(model)
    return False


def _sorted_by_age(found: set[int], parents: Mapping[int, tuple[Parent, ...]]) -> list[int]:
    """Return models with parents before children.

    Raises:
        RpcError: there is a circle, which no lineage registry allows.
    """
    waiting = {
        model: {parent.model_id for parent in parents.get(model, ())} & found for model in sorted(found)
    }
    ordered: list[int] = []
    while waiting:
        ready = [model for model, missing in waiting.items() if not missing]
        if not ready:
            raise RpcError("expected a lineage without circles, found one", hint="the endpoint lies")
        ordered += ready
        for model in ready:
            del waiting[model]
        for missing in waiting.values():
            missing.difference_update(ready)
    return ordered
