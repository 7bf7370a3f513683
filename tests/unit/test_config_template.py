"""The settings file: written from what documents the settings, and changed one line at a time."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.config.load import known_keys, load
from zkml.config.settings import SECTIONS
from zkml.config.template import WIDTH, render_toml, set_value, toml_value
from zkml.errors import ConfigError


def test_render__every_key__stands_below_its_sentence():
    """Each key of each section is there once, right below the sentence of settings.py."""
    lines = render_toml({}).splitlines()
    assert max(map(len, lines)) <= WIDTH + 2
    text = " ".join(line.removeprefix("# ") for line in lines)
    for key, entry in known_keys().items():
        doc = entry.metadata["doc"]
        name = key.rpartition(".")[2]
        assert f"{doc[0].upper()}{doc[1:]}. {name} = " in text, key


@given(st.text())
def test_render__any_text__comes_back_as_it_was(text):
    """Whatever a value holds, quotes, line ends or control characters, TOML reads it back."""
    assert tomllib.loads(f"value = {toml_value(text)}") == {"value": text}


@given(st.integers(0, 2**63), st.floats(0, 1e300), st.lists(st.text(max_size=5), max_size=3))
def test_render__values_of_every_type__are_loaded_as_given(number, seconds, names):
    """What is written is what is loaded."""
    values = {"prover.min_fee": number, "prover.margin_seconds": seconds, "prover.bundles": names}
    loaded = load(toml=tomllib.loads(render_toml(values, ("prover",)))).settings.prover
    assert (loaded.min_fee, loaded.margin_seconds) == (number, seconds)
    assert loaded.bundles == tuple(name for name in names if name)


FILES = {
    "no table": "home = 'x'\n",
    "empty": "",
    "no key": "[prover]  # mine\nworkers = 2\n\n[api]\nport = 1\n",
    "a key": "[prover]\n# why\nmin_fee = 5 # units\nworkers = 2\n[api]\nmin_fee_note = 1\n",
    "the whole": render_toml({"prover.workers": 3}),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_set_value__changes_one_value_and_keeps_the_rest(text):
    """All other values, and every comment, stay as they were."""
    before, changed = tomllib.loads(text), set_value(text, "prover.min_fee", 70)
    after = tomllib.loads(changed)
    assert after["prover"].pop("min_fee") == 70
    before.setdefault("prover", {}).pop("min_fee", None)
    assert after == before
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in changed.splitlines() if line.startswith("#")] == comments


@pytest.mark.parametrize(
    "text",
    [
        "prover = { min_fee = 5 }\n",
        "prover.min_fee = 5\n",
        "[prover]\nmin_fee = \n",
        '[prover]\n"min_fee" = 3\n',
    ],
)
def test_set_value__a_form_it_does_not_know__is_refused(text):
    """A file that cannot be edited line by line is left alone, and the error says what to write by hand."""
    with pytest.raises(ConfigError):
        set_value(text, "prover.min_fee", 70)


def test_sections__are_all_described():
    """Every table has a sentence of its own."""
    text = render_toml({})
    assert all(f"\n[{name}]\n" in text for name in SECTIONS)
