"""What an auditor trusts: verifier classes, and how deep is final."""

import pytest

from zkml.audit.policy import AuditPolicy
from zkml.config.settings import ChainSettings
from zkml.core.identifiers import VerifierClass
from zkml.core.verifier_classes import class_name
from zkml.errors import ConfigError, UnsuitableCircuitError


@pytest.mark.parametrize("chain_id", [31337, 1337])
def test_local_class__on_local_chains__accepted_by_the_default_policy(chain_id):
    """A local verifier counts on local chain ids, so that a demo can be audited."""
    AuditPolicy().check_class(VerifierClass.LOCAL, chain_id)


@pytest.mark.parametrize("chain_id", [1, 10, 8453, 31338])
def test_local_class__on_a_public_chain__refused_even_if_settings_name_it(chain_id):
    """No setting makes an insecure verifier count on a public chain."""
    policy = AuditPolicy.from_settings(ChainSettings(accepted_classes=("local", "ceremony", "unvouched")))
    with pytest.raises(UnsuitableCircuitError, match="found local on chain"):
        policy.check_class(VerifierClass.LOCAL, chain_id)


def test_unvouched_class__refused_by_default_accepted_by_choice():
    """A generated verifier that nobody vouched for is trusted by choice alone."""
    with pytest.raises(UnsuitableCircuitError, match="found unvouched"):
        AuditPolicy().check_class(VerifierClass.UNVOUCHED, 1)
    chosen = AuditPolicy.from_settings(ChainSettings(accepted_classes=("unvouched",)))
    chosen.check_class(VerifierClass.UNVOUCHED, 1)


@pytest.mark.parametrize("number", [VerifierClass.NONE, 4, 255])
def test_unknown_class__refused(number):
    """A class without a name is trusted by nobody."""
    with pytest.raises(UnsuitableCircuitError, match=class_name(number)):
        AuditPolicy(frozenset({VerifierClass.NONE})).check_class(number, 1)


def test_finality__zero_on_local_chains_and_settings_elsewhere():
    """A local chain is final at once; elsewhere the settings decide."""
    policy = AuditPolicy.from_settings(ChainSettings(finality_blocks=12))
    assert (policy.finality_on(31337), policy.finality_on(1)) == (0, 12)


def test_settings__unknown_class_name__config_error():
    """A misspelt class is a configuration error, not a silent refusal of everything."""
    with pytest.raises(ConfigError, match="found 'ceremny'"):
        AuditPolicy.from_settings(ChainSettings(accepted_classes=("ceremny",)))
