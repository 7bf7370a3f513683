"""Draw a lineage: a text tree for terminals, Graphviz DOT for tools, SVG for pages. No I/O.

Names are strangers' text: each form escapes them, and cuts them to one short line.
"""

from xml.sax.saxutils import escape, quoteattr

from registry.lineage_graph import LineageEdge, LineageGraph, LineageNode
from registry.model_facts import ModelStatus

_NAME_CHARACTERS = 40
_SVG_NAME_CHARACTERS = 20
_BOX_WIDTH, _BOX_HEIGHT = 190, 54
_GAP_X, _GAP_Y = 34, 74
_MARGIN = 24
_FILLS = {
    ModelStatus.REGISTERED: "#fff6dc",
    ModelStatus.PROVEN: "#e2f4e6",
    ModelStatus.DEPRECATED: "#eeeeee",
}
_FONT = 'font-family="sans-serif" font-size="13"'
_ARROW_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0 0L8 4L0 8z" fill="#555555"/></marker></defs>'
)
_NOTE = "edges are declared by the child's owner, not proved"


def draw_text(graph: LineageGraph) -> str:
    """Return the graph as two trees: the ancestors of the model, then its descendants.

    A model that is reached by several paths is drawn in full once and named again with `(above)`.
    """
    root = graph.node(graph.root)
    lines = [_label(root), "  ancestors" + ("" if graph.parents_of(graph.root) else ": none")]
    _draw_branch(graph, graph.root, "  ", lines, set(), upwards=True)
    for share in root.shares:
        owed = graph.node(share.model_id).name if share.model_id in _ids(graph) else ""
        lines.append(f"  owes {_percent(share.ppm)} in all to {_short(owed)} {share.model_id:#x}")
    lines.append("  descendants" + ("" if graph.children_of(graph.root) else ": none"))
    _draw_branch(graph, graph.root, "  ", lines, set(), upwards=False)
    if graph.is_cut:
        lines.append("  models farther away are left out")
    return "\n".join([*lines, f"  ({_NOTE})"])


def draw_dot(graph: LineageGraph) -> str:
    """Return the graph in Graphviz' language; arrows point from child to parent, dashed before PROVEN."""
    lines = ["digraph lineage {", "  rankdir=BT;", "  node [shape=box, style=filled];"]
    for node in graph.nodes:
        label = _quote(f"{_short(node.name)}\n{_short_id(node.model_id)}\n{node.status.name}")
        extra = ", penwidth=3" if node.model_id == graph.root else ""
        lines.append(f'  "{node.model_id:#x}" [label={label}, fillcolor="{_FILLS[node.status]}"{extra}];')
    for edge in graph.edges:
        style = "solid" if edge.is_effective else "dashed"
        lines.append(
            f'  "{edge.child_id:#x}" -> "{edge.parent_id:#x}" '
            f"[label={_quote(_percent(edge.rate_ppm))}, style={style}];"
        )
    return "\n".join([*lines, f"  label={_quote(_NOTE)};", "}"]) + "\n"


def draw_svg(graph: LineageGraph) -> str:
    """Return the graph as a picture of its own: generations in rows, ancestors on top."""
    rows = _rows(graph)
    places = {
        node: (_MARGIN + column * (_BOX_WIDTH + _GAP_X), _MARGIN + row * (_BOX_HEIGHT + _GAP_Y))
        for row, models in enumerate(rows)
        for column, node in enumerate(models)
    }
    width = 2 * _MARGIN + max(len(models) for models in rows) * (_BOX_WIDTH + _GAP_X) - _GAP_X
    height = 2 * _MARGIN + len(rows) * (_BOX_HEIGHT + _GAP_Y) - _GAP_Y + 20
    size = f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" {_FONT}>',
        _ARROW_TIP,
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    parts += [_svg_edge(edge, places) for edge in graph.edges]
    parts += [
        _svg_node(node, places[node.model_id], is_root=node.model_id == graph.root) for node in graph.nodes
    ]
    parts.append(f'<text x="{_MARGIN}" y="{height - 8}" fill="#777777" font-size="11">{escape(_NOTE)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw_branch(
    graph: LineageGraph, model: int, indent: str, lines: list[str], drawn: set[int], *, upwards: bool
) -> None:
    edges = graph.parents_of(model) if upwards else graph.children_of(model)
    for position, edge in enumerate(edges):
        other = edge.parent_id if upwards else edge.child_id
        is_last = position == len(edges) - 1
        again = other in drawn
        state = "" if edge.is_effective else " (not effective yet)"
        lines.append(
            f"{indent}{'`-' if is_last else '|-'} {_percent(edge.rate_ppm)}{state} "
            f"{_label(graph.node(other))}{' (above)' if again else ''}"
        )
        if not again:
            drawn.add(other)
            _draw_branch(graph, other, indent + ("   " if is_last else "|  "), lines, drawn, upwards=upwards)


def _rows(graph: LineageGraph) -> list[list[int]]:
    """Return the models by generation: each below all its parents, near the middle of them."""
    depth: dict[int, int] = {}
    for node in graph.nodes:
        above = [depth[edge.parent_id] for edge in graph.parents_of(node.model_id)]
        depth[node.model_id] = 1 + max(above, default=-1)
    rows: list[list[int]] = []
    column: dict[int, float] = {}
    for level in range(1 + max(depth.values())):
        members = [node.model_id for node in graph.nodes if depth[node.model_id] == level]
        rows.append(sorted(members, key=lambda model: _centre(graph, model, column)))
        column.update({model: position for position, model in enumerate(rows[-1])})
    return rows


def _centre(graph: LineageGraph, model: int, column: dict[int, float]) -> float:
    above = [column[edge.parent_id] for edge in graph.parents_of(model)]
    return sum(above) / len(above) if above else 0.0


def _svg_edge(edge: LineageEdge, places: dict[int, tuple[int, int]]) -> str:
    (child_x, child_y), (parent_x, parent_y) = places[edge.child_id], places[edge.parent_id]
    start = (child_x + _BOX_WIDTH // 2, child_y)
    end = (parent_x + _BOX_WIDTH // 2, parent_y + _BOX_HEIGHT)
    dashes = "" if edge.is_effective else ' stroke-dasharray="5 4"'
    middle = ((start[0] + end[0]) // 2 + 4, (start[1] + end[1]) // 2)
    return (
        f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="#555555"{dashes} '
        f'marker-end="url(#tip)"/><text x="{middle[0]}" y="{middle[1]}" font-size="11">'
        f"{escape(_percent(edge.rate_ppm))}</text>"
    )


def _svg_node(node: LineageNode, place: tuple[int, int], *, is_root: bool) -> str:
    x, y = place
    name = _short(node.name, _SVG_NAME_CHARACTERS)
    return (
        f"<g><title>{escape(f'{_short(node.name)} {node.model_id:#066x}')}</title>"
        f'<rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="6" '
        f'fill={quoteattr(_FILLS[node.status])} stroke="#333333" stroke-width="{3 if is_root else 1}"/>'
        f'<text x="{x + 10}" y="{y + 22}" font-weight="bold">{escape(name)}</text>'
        f'<text x="{x + 10}" y="{y + 42}" font-size="11">'
        f"{_short_id(node.model_id)} {node.status.name}</text></g>"
    )


def _label(node: LineageNode) -> str:
    return f"{_short(node.name)} {node.model_id:#x} {node.status.name}"


def _ids(graph: LineageGraph) -> set[int]:
    return {node.model_id for node in graph.nodes}


def _percent(ppm: int) -> str:
    """Return millionths as a percentage, exactly."""
    return f"{ppm // 10_000}.{ppm % 10_000:04d}".rstrip("0").rstrip(".") + " %"


def _short(name: str, longest: int = _NAME_CHARACTERS) -> str:
    printable = "".join(letter for letter in name if letter.isprintable())
    return printable if len(printable) <= longest else printable[: longest - 3] + "..."


def _short_id(model_id: int) -> str:
    digits = f"{model_id:#066x}"
    return f"{digits[:8]}..{digits[-4:]}"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
