"""The calendar's contract, its Python twin and the time zone database, held equal in an EVM of this process."""

import random
import sys
from datetime import date
from pathlib import Path

import pyrevm
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))

import test_core_business_calendar as database

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.compiler import compile_sources
from verifier_contracts.deploy_contract import creation_code
from verifier_contracts.terms import PlatformTerms
from zkml.adapters.evm import abi
from zkml.core.business_calendar import clock_changes, is_business_day, midnight_of, unlock_at

OWNER = "0x" + "d0" * 20
TREASURY = "0x" + "7e" * 20
CALENDAR = load_artifact("BusinessCalendar")
EPOCH = date(1970, 1, 1)


def number_of(year, month, day):
    return (date(year, month, day) - EPOCH).days


# Asks the calendar for many moments in one call; a call for each would take minutes.
MANY = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

contract Many {
    function unlockAt(address calendar, uint256 counted, uint256[] calldata moments)
        external
        view
        returns (uint256[] memory found)
    {
        found = new uint256[](moments.length);
        for (uint256 i; i < moments.length; ++i) {
            (bool done, bytes memory data) =
                calendar.staticcall(abi.encodeWithSignature("unlockAt(uint256,uint256)", moments[i], counted));
            require(done);
            found[i] = abi.decode(data, (uint256));
        }
    }
}
"""
AT_ONCE = 2_000

KNOWN = [number_of(2024, 7, 4), number_of(2024, 12, 25)]


class Calendar:
    """The contract with a table that grows every eight years, each holiday far enough ahead."""

    def __init__(self):
        self._evm = pyrevm.EVM(env=pyrevm.Env(), spec_id="CANCUN")
        self._height = 0
        self.at_time(midnight_of(number_of(2024, 1, 1)))
        caps = PlatformTerms(fee_ppm=100_000, flat_fee="1000000").as_abi()
        terms = PlatformTerms().as_abi()
        admin = self._deploy("ProtocolAdmin", (OWNER, TREASURY, OWNER, terms, caps))
        self.address = self._deploy("BusinessCalendar", (admin, KNOWN))
        self.holidays = list(KNOWN)

    def at_time(self, timestamp):
        self._height += 1
        block = pyrevm.BlockEnv(number=self._height, timestamp=timestamp, gas_limit=10**12)
        self._evm.set_block_env(block)

    def add(self, days):
        self._call("addHolidays", (days,), is_static=False)
        self.holidays += days

    def unlock_at(self, timestamp, holiday_count):
        (moment,) = self._call("unlockAt", (timestamp, holiday_count), is_static=True)
        return moment

    def unlocks_at(self, timestamps, holiday_count):
        """Ask for many moments at once."""
        [many] = compile_sources({"Many.sol": MANY})
        address = self._evm.deploy(OWNER, many.creation_code)
        entry = abi.function(many.abi, "unlockAt")
        for start in range(0, len(timestamps), AT_ONCE):
            part = timestamps[start : start + AT_ONCE]
            calldata = abi.encode_call(entry, (self.address, holiday_count, part))
            data = self._evm.message_call(OWNER, address, calldata=calldata, gas=10**9, is_static=True)
            (found,) = abi.decode_values(entry.outputs, bytes(data), "unlockAt")
            yield from zip(part, found, strict=True)

    def midnight_of(self, day):
        (moment,) = self._call("midnightOf", (day,), is_static=True)
        return moment

    def _deploy(self, name, arguments):
        return self._evm.deploy(OWNER, creation_code(load_artifact(name), arguments))

    def _call(self, name, arguments, *, is_static):
        entry = abi.function(CALENDAR.abi, name)
        calldata = abi.encode_call(entry, arguments)
        data = self._evm.message_call(
            OWNER, self.address, calldata=calldata, gas=16_000_000, is_static=is_static
        )
        return abi.decode_values(entry.outputs, bytes(data), name)


@pytest.fixture(scope="module")
def calendar():
    """The contract with the holidays of 76 years, added in the course of them."""
    contract = Calendar()
    for start in range(2024, 2100, 8):
        contract.at_time(midnight_of(number_of(start, 1, 1)))
        days = [
            number_of(year, month, day)
            for year in range(start, start + 8)
            for month, day in ((6, 19), (7, 3), (11, 11), (12, 24), (12, 26))
        ]
        contract.add([day for day in days if is_business_day(day, contract.holidays)])
    return contract


def moments():
    """Each change of clocks to the second, and the midnights about it four hours before; and a coarse grid."""
    for year in range(2024, 2100):
        for day, hour in zip(clock_changes(year), (10, 9), strict=True):
            change = day * 86_400 + hour * 3600
            for moment in (change, midnight_of(day + 1) - 14_400, midnight_of(day - 1) - 14_400):
                yield from (moment - 1, moment, moment + 1)
    draw = random.Random(3)
    yield from range(midnight_of(number_of(2024, 1, 1)), midnight_of(number_of(2100, 1, 1)), 2_000_003)
    yield from (draw.randrange(1_704_096_000, 4_102_473_600) for _ in range(800))


def test_unlock_at__76_years__contract_and_twin_agree_to_the_second(calendar):
    """With no holidays, with a part of them and with all, the contract answers what the twin does."""
    whole = len(calendar.holidays)
    tables = [(count, frozenset(calendar.holidays[:count])) for count in (0, 2, whole // 2, whole)]
    wrong = [
        (moment, count)
        for number, moment in enumerate(moments())
        for count, holidays in [tables[number % 4]]
        if calendar.unlock_at(moment, count) != unlock_at(moment, holidays)
    ]
    assert not wrong


@pytest.mark.parametrize("known", [False, True], ids=["no holidays", "holidays"])
def test_unlock_at__110000_moments__contract_and_time_zone_database_agree(calendar, known):
    """The contract itself, at random moments of 76 years, says what the public database does, to the second."""
    draw, count = random.Random(29 + known), len(calendar.holidays) if known else 0
    moments = [draw.randrange(database.FIRST, database.LAST) for _ in range(110_000)]
    holidays = frozenset(calendar.holidays[:count])
    wrong = [
        moment
        for moment, found in calendar.unlocks_at(moments, count)
        if found != database.expected(moment, holidays)
    ]
    assert not wrong


def test_midnight_of__days_about_every_change_of_clocks__contract_and_twin_agree(calendar):
    """A day of change still begins by the clocks before it, the next one by those after."""
    for year in range(2024, 2100):
        for change in clock_changes(year):
            for day in (change - 1, change, change + 1):
                assert calendar.midnight_of(day) == midnight_of(day)


def test_unlock_at__holidays_and_the_days_before__contract_and_twin_agree(calendar):
    """Four hours before each holiday, to the second, the contract counts it if the table noted reaches to it."""
    for position, day in enumerate(calendar.holidays, 1):
        moment = midnight_of(day) - 14_400
        for count in (position - 1, position):
            found = calendar.unlock_at(moment, count)
            assert found == unlock_at(moment, frozenset(calendar.holidays[:count]))
            assert (found == midnight_of(day)) is (count < position)
