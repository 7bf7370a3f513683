// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IBusinessCalendar} from "marketplace/src/IBusinessCalendar.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @title When business begins on the Pacific coast of the United States
/// @dev Integers only. Clocks change at 02:00 local time, on a Sunday: no midnight is ever skipped or repeated.
contract BusinessCalendar is IBusinessCalendar {
    uint256 private constant LEAD = 4 hours;
    uint256 private constant NOTICE = 30 days;
    /// @dev Further ahead than holidays are ever set: who gives a timestamp in place of a day is stopped.
    uint256 private constant HORIZON_DAYS = 3_660;
    /// @dev What bounds every search for a business day, and so every lock: to less than nine days.
    uint256 private constant MAX_DAYS_OFF = 7;
    uint256 private constant MAX_AT_ONCE = 64;
    /// @dev The last second of the year 9999, UTC.
    uint256 private constant LAST_SECOND = 253_402_300_799;

    uint256 private constant STANDARD_OFFSET = 8 hours;
    uint256 private constant SUMMER_OFFSET = 7 hours;
    uint256 private constant MARCH = 3;
    uint256 private constant NOVEMBER = 11;
    /// @dev From March 1 of the year 0 to 1970-01-01.
    uint256 private constant EPOCH_FROM_YEAR_0 = 719_468;
    uint256 private constant DAYS_MARCH_TO_DECEMBER = 306;

    IProtocolAdmin private immutable ADMIN;

    uint32[] private _holidays;
    /// @dev From 1; zero: no holiday.
    mapping(uint256 day => uint256) private _positions;

    /// @param admin_ its owner, a timelock in a deployment, adds holidays.
    /// @param holidays_ those that are known at deployment: no offering can be open yet, so they need no notice.
    constructor(IProtocolAdmin admin_, uint32[] memory holidays_) {
        ADMIN = admin_;
        _owner();
        for (uint256 i; i < holidays_.length; ++i) {
            _add(holidays_[i], block.timestamp);
        }
    }

    /// @inheritdoc IBusinessCalendar
    function addHolidays(uint32[] calldata dayNumbers) external {
        address owner = _owner();
        if (msg.sender != owner) revert NotCalendarOwner(msg.sender, owner);
        if (dayNumbers.length == 0 || dayNumbers.length > MAX_AT_ONCE) {
            revert HolidayCountOutOfRange(dayNumbers.length, MAX_AT_ONCE);
        }
        for (uint256 i; i < dayNumbers.length; ++i) {
            _add(dayNumbers[i], block.timestamp + NOTICE);
        }
    }

    /// @inheritdoc IBusinessCalendar
    function unlockAt(uint256 timestamp, uint256 counted) external view returns (uint256) {
        if (timestamp < 1 days || timestamp > LAST_SECOND) revert TimeOutOfRange(timestamp);
        if (counted > _holidays.length) revert UnknownHolidays(counted, _holidays.length);
        uint256 day = _firstDayFrom(timestamp + LEAD);
        // Ends: nobody can have made more than MAX_DAYS_OFF days in a row into days off.
        while (!_isBusinessDay(day, counted)) {
            ++day;
        }
        return midnightOf(day);
    }

    /// @inheritdoc IBusinessCalendar
    function admin() external view returns (IProtocolAdmin) {
        return ADMIN;
    }

    /// @inheritdoc IBusinessCalendar
    function holidayCount() external view returns (uint256) {
        return _holidays.length;
    }

    /// @inheritdoc IBusinessCalendar
    function holidayAt(uint256 position) external view returns (uint32) {
        if (position == 0 || position > _holidays.length) revert UnknownHolidays(position, _holidays.length);
        return _holidays[position - 1];
    }

    /// @inheritdoc IBusinessCalendar
    function isBusinessDay(uint256 day, uint256 counted) external view returns (bool) {
        if (counted > _holidays.length) revert UnknownHolidays(counted, _holidays.length);
        return _isBusinessDay(day, counted);
    }

    /// @inheritdoc IBusinessCalendar
    function midnightOf(uint256 day) public pure returns (uint256) {
        uint256 utc = day * 1 days;
        if (day > LAST_SECOND / 1 days) revert TimeOutOfRange(utc);
        (uint256 summer, uint256 winter) = _changes(_yearOf(day));
        // Of the days of change themselves, midnight comes before the change.
        bool isSummer = summer < day && day <= winter;
        return utc + (isSummer ? SUMMER_OFFSET : STANDARD_OFFSET);
    }

    function _add(uint32 day, uint256 earliest) private {
        uint256 first = _firstDayFrom(earliest);
        if (day < first || day > first + HORIZON_DAYS) revert HolidayOutOfRange(day, first, first + HORIZON_DAYS);
        uint256 known = _holidays.length;
        if (!_isBusinessDay(day, known)) revert NoBusinessDay(day);

        uint256 daysOff = 1;
        for (uint256 before = day - 1; !_isBusinessDay(before, known); --before) {
            ++daysOff;
        }
        for (uint256 after_ = uint256(day) + 1; !_isBusinessDay(after_, known); ++after_) {
            ++daysOff;
        }
        if (daysOff > MAX_DAYS_OFF) revert TooManyDaysOff(day, daysOff, MAX_DAYS_OFF);

        _holidays.push(day);
        _positions[day] = known + 1;
        emit HolidayAdded(day, known + 1);
    }

    function _owner() private view returns (address) {
        return Ownable(address(ADMIN)).owner();
    }

    function _isBusinessDay(uint256 day, uint256 counted) private view returns (bool) {
        uint256 position = _positions[day];
        return _weekday(day) % 6 != 0 && (position == 0 || position > counted);
    }

    /// @dev The first day that begins at or after a time.
    function _firstDayFrom(uint256 timestamp) private pure returns (uint256) {
        // Summer or not, it is then the day before, or the one that begins now.
        uint256 day = (timestamp - SUMMER_OFFSET) / 1 days;
        return midnightOf(day) < timestamp ? day + 1 : day;
    }

    /// @dev From 0, a Sunday, to 6, a Saturday: day 0 was a Thursday.
    function _weekday(uint256 day) private pure returns (uint256) {
        return (day + 4) % 7;
    }

    /// @dev The days on which clocks go forward and back.
    function _changes(uint256 year) private pure returns (uint256 summer, uint256 winter) {
        return (_sunday(year, MARCH, 2), _sunday(year, NOVEMBER, 1));
    }

    /// @dev The n-th Sunday of a month.
    function _sunday(uint256 year, uint256 month, uint256 n) private pure returns (uint256) {
        uint256 first = _dayOf(year, month);
        return first + (7 - _weekday(first)) % 7 + 7 * (n - 1);
    }

    /// @dev The first day of March or a later month. Years are counted from March, so that a leap day ends one, and in
    ///      eras of 400, which have 146,097 days.
    function _dayOf(uint256 year, uint256 month) private pure returns (uint256) {
        uint256 marchYearDays = year * 365 + year / 4 - year / 100 + year / 400;
        // Days from March 1 to the first of a month: (153 m + 2) / 5, m being months since March.
        return marchYearDays + (153 * (month - MARCH) + 2) / 5 - EPOCH_FROM_YEAR_0;
    }

    /// @dev The year that a day is in.
    function _yearOf(uint256 day) private pure returns (uint256) {
        uint256 fromYear0 = day + EPOCH_FROM_YEAR_0;
        uint256 era = fromYear0 / 146_097;
        uint256 dayOfEra = fromYear0 % 146_097;
        uint256 yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
        uint256 dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
        // Counted from March, January and February are the last 59 or 60 days of the year before.
        return era * 400 + yearOfEra + (dayOfYear >= DAYS_MARCH_TO_DECEMBER ? 1 : 0);
    }
}
