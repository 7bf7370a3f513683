"""Lineage through its binding, on a real node: rates, folds, licences, graphs and their drawings."""

from contextlib import closing
from xml.etree import ElementTree as ET

import pytest
from registry_world import build_world

from registry.lineage import AncestorShare, Parent
from registry.lineage_drawing import draw_dot, draw_svg, draw_text
from registry.lineage_graph import read_graph
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.core.identifiers import DerivativeTerms, FeeTerms
from zkml.errors import LineageError, NotOwnerError, NotRegisteredError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lineage")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as chain:
        yield build_world(chain, folder / "deployments")


@pytest.fixture(scope="module")
def owner(world):
    return world.account()


@pytest.fixture(scope="module")
def family(world, owner):
    """A root, its derivative, and a merge of both."""
    root = world.proven(owner, world.commitment(name="root"))
    child = world.register(owner, world.commitment(name='<chi"ld>'))
    world.lineage.declare(owner, child, [Parent(root, 200_000)], 200_000)
    world.prove(owner, child)
    merge = world.register(owner, world.commitment(name="merge\x1b[2J"))
    world.lineage.declare(owner, merge, [Parent(child, 300_000), Parent(root, 100_000)], 400_000)
    return root, child, merge


def graph_of(world, model):
    return read_graph(model, world.lineage, world.registry, from_block=world.deployment.block)


def test_declare__two_paths_to_one_ancestor__are_folded(world, family):
    """A merge owes the root directly and through the derivative, and the sum of it is what the chain says."""
    root, child, merge = family
    assert world.lineage.shares_of(child) == (AncestorShare(root, 200_000),)
    # 30 % to the child, of which a fifth passes on to the root; 10 % to the root itself.
    assert world.lineage.shares_of(merge) == (AncestorShare(child, 240_000), AncestorShare(root, 160_000))
    assert world.lineage.total_ppm_of(merge) == 400_000
    assert world.lineage.share_of(merge, root) == 160_000
    assert world.lineage.parents_of(merge) == (Parent(child, 300_000), Parent(root, 100_000))
    assert world.lineage.parents_of(root) == ()
    assert world.lineage.is_effective(child)
    assert not world.lineage.is_effective(merge)
    assert [item.child_id for item in world.lineage.declarations()][:2] == [child, merge]


def test_declare__against_the_rules__is_refused_in_our_words(world, owner, family):
    """A stranger, an unproven parent, a rate too high or a second declaration change nothing."""
    root, child, merge = family
    fresh = world.register(owner)
    stranger = world.account()
    with pytest.raises(NotOwnerError):
        world.lineage.declare(stranger, fresh, [Parent(root, 1)], 500_000)
    for parents, name in (
        ([Parent(merge, 1)], "ParentNotProven"),
        ([Parent(root, 1), Parent(root, 1)], "ParentRepeated"),
        ([Parent(root, 0)], "RateMissing"),
        ([Parent(root, 500_001)], "TotalTooHigh"),
        ([], "ParentCountOutOfRange"),
    ):
        with pytest.raises(LineageError, match=name):
            world.lineage.declare(owner, fresh, parents, 1_000_000)
    with pytest.raises(LineageError, match="ChildNotRegistered"):
        world.lineage.declare(owner, child, [Parent(root, 1)], 500_000)
    with pytest.raises(LineageError, match="LineageExists"):
        world.lineage.declare(owner, merge, [Parent(root, 1)], 500_000)


def test_declare__parents_licence__is_kept(world, owner):
    """A parent's minimum rate is granted, not more than the child agreed to, and its minimum fees are asked for."""
    terms = DerivativeTerms(True, 50_000, 10, 1_000)
    parent = world.proven(owner, derivatives=terms)
    cheap = world.register(owner)
    with pytest.raises(LineageError, match="MinimumFeeTooLow"):
        world.lineage.declare(owner, cheap, [Parent(parent, 60_000)], 500_000)
    child = world.register(owner, fees=FeeTerms(10, 10, 1_000))
    with pytest.raises(LineageError, match="TotalTooHigh"):
        world.lineage.declare(owner, child, [Parent(parent, 1)], 49_999)
    world.lineage.declare(owner, child, [Parent(parent, 1)], 50_000)
    assert world.lineage.parents_of(child) == (Parent(parent, 50_000),)
    closed = world.proven(owner, derivatives=DerivativeTerms(derivatives_allowed=False))
    other = world.register(owner)
    with pytest.raises(LineageError, match="DerivativesRefused"):
        world.lineage.declare(owner, other, [Parent(closed, 1)], 500_000)


def test_graph__from_any_member__has_ancestors_and_descendants(world, family):
    """The graph around a model has all of its family, parents first, and says which edges are effective."""
    root, child, merge = family
    for model in family:
        graph = graph_of(world, model)
        assert [node.model_id for node in graph.nodes] == [root, child, merge]
        assert {(edge.child_id, edge.parent_id, edge.is_effective) for edge in graph.edges} == {
            (child, root, True),
            (merge, child, False),
            (merge, root, False),
        }
        assert not graph.is_cut
    with pytest.raises(NotRegisteredError):
        graph_of(world, 12345)


def test_drawings__of_strangers_names__are_well_formed(world, family):
    """Text, DOT and SVG show every model and rate; hostile names neither move a cursor nor break a tag."""
    graph = graph_of(world, family[1])
    text = draw_text(graph)
    assert "`- 20 % root" in text
    assert "30 % (not effective yet) merge[2J" in text
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
    assert "declared by the child's owner, not proved" in text
    dot = draw_dot(graph)
    assert dot.count(" -> ") == 3
    assert '<chi\\"ld>' in dot
    assert "style=dashed" in dot
    picture = ET.fromstring(draw_svg(graph))
    names = [item.text for item in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"root", '<chi"ld>', "merge[2J", "20 %", "30 %", "10 %"} <= set(names)
