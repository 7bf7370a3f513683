// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BusinessCalendar} from "marketplace/src/BusinessCalendar.sol";
import {IBusinessCalendar} from "marketplace/src/IBusinessCalendar.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {ProtocolAdmin} from "verifier_contracts/src/ProtocolAdmin.sol";

contract BusinessCalendarTest is Specification {
    uint256 private constant FIRST = 1_704_096_000; // 2024-01-01 00:00 PST
    uint256 private constant LAST = 4_102_473_600; // 2100-01-01 00:00 PST
    uint256 private constant NOW = 1_772_000_000; // 2026-02-24 22:13:20 PST
    /// @dev Friday, 2026-07-03: Independence Day is observed.
    uint32 private constant INDEPENDENCE = 20_637;
    uint32 private constant WEDNESDAY = 20_635;

    address private owner = address(0x0E4E);
    ProtocolAdmin private admin;
    BusinessCalendar private calendar;

    function setUp() external {
        vm.warp(NOW);
        admin = new ProtocolAdmin(
            owner, address(0x7EA5), address(0), PlatformTerms(0, 0), PlatformTerms(100_000, 1_000_000)
        );
        calendar = new BusinessCalendar(admin, new uint32[](0));
    }

    /// @notice Four hours ahead to the second, over a weekend on which clocks go forward.
    function test_I10_unlockAt__weekend_of_the_change_to_summer__monday_midnight() external view {
        // Friday, 2026-03-06, 20:00 PST: midnight is four hours ahead, and begins a Saturday.
        vm.assertEq(calendar.unlockAt(1_772_856_000, 0), 1_773_039_600, "Monday 00:00 PDT, 51 hours later");
        // Thursday, 2026-03-05, 20:00 PST, and a second later.
        vm.assertEq(calendar.unlockAt(1_772_769_600, 0), 1_772_784_000, "Friday 00:00 PST");
        vm.assertEq(calendar.unlockAt(1_772_769_601, 0), 1_773_039_600, "too late for Friday");
        // Sunday, 2026-03-08: 20:00 PDT, and a second later.
        vm.assertEq(calendar.unlockAt(1_773_025_200, 0), 1_773_039_600, "Monday 00:00 PDT");
        vm.assertEq(calendar.unlockAt(1_773_025_201, 0), 1_773_126_000, "Tuesday 00:00 PDT");
    }

    /// @notice The longest lock without holidays: 77 hours, over the weekend of the change to winter.
    function test_I10_unlockAt__weekend_of_the_change_to_winter__monday_midnight() external view {
        // Thursday, 2026-10-29, 20:00:01 PDT.
        uint256 late = 1_793_329_201;
        vm.assertEq(calendar.unlockAt(late - 1, 0), 1_793_343_600, "Friday 00:00 PDT");
        vm.assertEq(calendar.unlockAt(late, 0), 1_793_606_400, "Monday 00:00 PST");
        vm.assertEq(1_793_606_400 - late, 77 hours - 1, "three days, an hour, and four less a second");
    }

    /// @notice The answer is a business day's midnight in the future, and no earlier one would do.
    function testFuzz_I10_unlockAt__any_time__first_business_midnight_four_hours_ahead(uint256 timestamp) external {
        addHoliday(INDEPENDENCE);
        timestamp = within(timestamp, FIRST, LAST);
        uint256 unlock = calendar.unlockAt(timestamp, 1);
        vm.assertGe(unlock, timestamp + 4 hours, "four hours ahead");
        vm.assertLt(unlock, timestamp + 4 hours + 5 days, "a weekend, a holiday and an hour at most");

        // Walk back by days: none between is one of business and far enough ahead.
        uint256 day = unlock / 1 days;
        vm.assertTrue(calendar.isBusinessDay(day, 1), "business day");
        vm.assertEq(calendar.midnightOf(day), unlock, "midnight");
        while (calendar.midnightOf(--day) >= timestamp + 4 hours) {
            vm.assertFalse(calendar.isBusinessDay(day, 1), "an earlier business day");
        }
        // To the second.
        vm.assertEq(calendar.unlockAt(unlock - 4 hours, 1), unlock, "exactly four hours before");
        vm.assertLt(unlock, calendar.unlockAt(unlock - 4 hours + 1, 1), "a second too late");
    }

    function testFuzz_midnightOf__consecutive_days__23_to_25_hours_apart(uint256 day) external view {
        day = within(day, FIRST / 1 days, LAST / 1 days);
        uint256 hours_ = calendar.midnightOf(day + 1) - calendar.midnightOf(day);
        // Day 3 was a Sunday.
        bool isSunday = day % 7 == 3;
        vm.assertTrue(hours_ == 24 hours || (isSunday && (hours_ == 23 hours || hours_ == 25 hours)), "length of a day");
    }

    /// @notice A holiday defers what opens afterwards, and not what noted how many holidays there were before.
    function test_I12_addHolidays__offering_already_open__keeps_its_moment() external {
        // Wednesday, 2026-07-01, 20:00 PDT, and a second later: Friday is to be a holiday.
        uint256 noted = calendar.holidayCount();
        uint256 early = calendar.midnightOf(WEDNESDAY) + 20 hours;
        addHoliday(INDEPENDENCE - 1);
        vm.assertEq(calendar.unlockAt(early, noted), calendar.midnightOf(INDEPENDENCE - 1), "as noted: Thursday");
        vm.assertEq(calendar.unlockAt(early, 1), calendar.midnightOf(INDEPENDENCE), "one holiday: Friday");
        addHoliday(INDEPENDENCE);
        vm.assertEq(calendar.unlockAt(early, 1), calendar.midnightOf(INDEPENDENCE), "one holiday, still: Friday");
        vm.assertEq(calendar.unlockAt(early, 2), calendar.midnightOf(INDEPENDENCE + 3), "two: Monday");
    }

    function testFuzz_I12_addHolidays__whatever_is_added__noted_tables_answer_as_before(uint256 time, uint256 seed)
        external
    {
        time = within(time, NOW, NOW + 3_000 days);
        addHoliday(INDEPENDENCE);
        uint256 without = calendar.unlockAt(time, 0);
        uint256 with = calendar.unlockAt(time, 1);
        for (uint256 i; i < 8; ++i) {
            uint32 day = uint32(within(uint256(keccak256(abi.encode(seed, i))), 20_700, 23_000));
            if (calendar.isBusinessDay(day, calendar.holidayCount())) addHoliday(day);
        }
        vm.assertEq(calendar.unlockAt(time, 0), without, "none noted");
        vm.assertEq(calendar.unlockAt(time, 1), with, "one noted");
    }

    function test_addHolidays__by_the_owner__in_order() external {
        uint32[] memory days_ = new uint32[](2);
        (days_[0], days_[1]) = (INDEPENDENCE, WEDNESDAY);
        vm.expectEmit(address(calendar));
        emit IBusinessCalendar.HolidayAdded(INDEPENDENCE, 1);
        vm.expectEmit(address(calendar));
        emit IBusinessCalendar.HolidayAdded(WEDNESDAY, 2);
        vm.prank(owner);
        calendar.addHolidays(days_);
        vm.assertEq(calendar.holidayCount(), 2, "count");
        vm.assertEq(calendar.holidayAt(1), INDEPENDENCE, "first");
        vm.assertEq(calendar.holidayAt(2), WEDNESDAY, "second");
        vm.assertFalse(calendar.isBusinessDay(WEDNESDAY, 2), "a holiday with both");
        vm.assertTrue(calendar.isBusinessDay(WEDNESDAY, 1), "none with the first alone");
    }

    function test_addHolidays__new_owner_of_the_admin__may_and_the_old_may_not() external {
        vm.prank(owner);
        admin.transferOwnership(address(this));
        admin.acceptOwnership();
        calendar.addHolidays(one(INDEPENDENCE));
        expectRefused(
            WEDNESDAY, abi.encodeWithSelector(IBusinessCalendar.NotCalendarOwner.selector, owner, address(this))
        );
    }

    function testFuzz_addHolidays__by_anybody_else__refused(address caller) external {
        vm.assume(caller != owner);
        vm.expectRevert(abi.encodeWithSelector(IBusinessCalendar.NotCalendarOwner.selector, caller, owner));
        vm.prank(caller);
        calendar.addHolidays(one(INDEPENDENCE));
    }

    /// @notice Thirty days before the day begins, to the second.
    function test_addHolidays__notice__thirty_days_to_the_second() external {
        uint256 latest = calendar.midnightOf(INDEPENDENCE) - 30 days;
        vm.warp(latest + 1);
        expectRefused(
            INDEPENDENCE,
            abi.encodeWithSelector(
                IBusinessCalendar.HolidayOutOfRange.selector, INDEPENDENCE, INDEPENDENCE + 1, INDEPENDENCE + 3_661
            )
        );
        vm.warp(latest);
        addHoliday(INDEPENDENCE);
    }

    function test_addHolidays__more_than_ten_years_ahead__refused() external {
        // A timestamp in place of a day.
        expectRefused(
            1_783_062_000,
            abi.encodeWithSelector(IBusinessCalendar.HolidayOutOfRange.selector, 1_783_062_000, 20_539, 24_199)
        );
        expectRefused(
            24_200, abi.encodeWithSelector(IBusinessCalendar.HolidayOutOfRange.selector, 24_200, 20_539, 24_199)
        );
        addHoliday(24_199);
    }

    function test_addHolidays__weekend_or_twice__refused() external {
        addHoliday(INDEPENDENCE);
        for (uint32 day = INDEPENDENCE; day < INDEPENDENCE + 3; ++day) {
            expectRefused(day, abi.encodeWithSelector(IBusinessCalendar.NoBusinessDay.selector, day));
        }
    }

    /// @notice No owner can lock an offering for long: there are never more than seven days off in a row.
    function test_addHolidays__eighth_day_off_in_a_row__refused() external {
        // Monday to Thursday after the weekend, and the Friday before: seven with the weekend.
        addHoliday(INDEPENDENCE);
        for (uint32 day = INDEPENDENCE + 3; day < INDEPENDENCE + 7; ++day) {
            addHoliday(day);
        }
        expectRefused(
            INDEPENDENCE + 7, abi.encodeWithSelector(IBusinessCalendar.TooManyDaysOff.selector, INDEPENDENCE + 7, 10, 7)
        );
        expectRefused(
            INDEPENDENCE - 1, abi.encodeWithSelector(IBusinessCalendar.TooManyDaysOff.selector, INDEPENDENCE - 1, 8, 7)
        );
        uint256 closed = calendar.midnightOf(INDEPENDENCE) - 4 hours + 1;
        vm.assertEq(calendar.unlockAt(closed, 5), calendar.midnightOf(INDEPENDENCE + 7), "the next Friday");
        vm.assertLt(calendar.unlockAt(closed, 5) - closed, 9 days, "the longest lock");
    }

    function test_addHolidays__none_or_too_many_at_once__refused() external {
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IBusinessCalendar.HolidayCountOutOfRange.selector, 0, 64));
        calendar.addHolidays(new uint32[](0));
        vm.expectRevert(abi.encodeWithSelector(IBusinessCalendar.HolidayCountOutOfRange.selector, 65, 64));
        calendar.addHolidays(new uint32[](65));
        vm.stopPrank();
    }

    function test_constructor__known_holidays__need_no_notice() external {
        // It is still the evening of the day before in Los Angeles.
        uint32 tomorrow = uint32(NOW / 1 days);
        BusinessCalendar other = new BusinessCalendar(admin, one(tomorrow));
        vm.assertEq(other.holidayAt(1), tomorrow, "holiday");
        vm.expectRevert(
            abi.encodeWithSelector(
                IBusinessCalendar.HolidayOutOfRange.selector, tomorrow - 1, tomorrow, tomorrow + 3_660
            )
        );
        new BusinessCalendar(admin, one(tomorrow - 1));
    }

    function test_views__unknown_holidays_or_times__refused() external {
        bytes memory unknown = abi.encodeWithSelector(IBusinessCalendar.UnknownHolidays.selector, 1, 0);
        vm.expectRevert(unknown);
        calendar.unlockAt(NOW, 1);
        vm.expectRevert(unknown);
        calendar.isBusinessDay(20_000, 1);
        vm.expectRevert(unknown);
        calendar.holidayAt(1);
        vm.expectRevert(abi.encodeWithSelector(IBusinessCalendar.UnknownHolidays.selector, 0, 0));
        calendar.holidayAt(0);
        vm.expectRevert(abi.encodeWithSelector(IBusinessCalendar.TimeOutOfRange.selector, 1 days - 1));
        calendar.unlockAt(1 days - 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IBusinessCalendar.TimeOutOfRange.selector, 253_402_300_800));
        calendar.unlockAt(253_402_300_800, 0);
        calendar.unlockAt(1 days, 0);
    }

    function addHoliday(uint32 day) private {
        vm.prank(owner);
        calendar.addHolidays(one(day));
    }

    function expectRefused(uint32 day, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(owner);
        calendar.addHolidays(one(day));
    }

    function one(uint32 day) private pure returns (uint32[] memory days_) {
        days_ = new uint32[](1);
        days_[0] = day;
    }
}
