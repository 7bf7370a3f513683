// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @title When business begins on the Pacific coast of the United States
/// @notice Days are numbers of calendar days since 1970-01-01, which is day 0, in Los Angeles. A business day is neither a
///         Saturday, nor a Sunday, nor a holiday. Clocks follow the rule in force since 2007: seven hours behind UTC from
///         the second Sunday of March, 10:00 UTC, to the first Sunday of November, 09:00 UTC, and eight hours otherwise.
///         Should the law change, later offerings need another calendar; the moments stored by earlier ones stand.
/// @dev Holidays are only ever added, in order. Whoever depends on them notes {holidayCount} and asks with that number
///      for ever: holidays added later change nothing then.
interface IBusinessCalendar {
    /// @notice A holiday was added; `position` counts from 1.
    event HolidayAdded(uint32 indexed day, uint256 position);

    /// @notice Only the owner of the protocol's admin adds holidays.
    error NotCalendarOwner(address caller, address owner);
    /// @notice The day is a weekend's, or a holiday already.
    error NoBusinessDay(uint32 day);
    /// @notice The day begins too soon to be made a holiday, or lies so far ahead that it must be a mistake.
    error HolidayOutOfRange(uint32 day, uint256 firstDay, uint256 lastDay);
    /// @notice With this holiday so many days in a row would be none of business.
    error TooManyDaysOff(uint32 day, uint256 daysOff, uint256 maxDaysOff);
    /// @notice So many holidays at once cannot be added, or none were given.
    error HolidayCountOutOfRange(uint256 count, uint256 maxCount);
    /// @notice There are not that many holidays.
    error UnknownHolidays(uint256 holidayCount, uint256 known);
    /// @notice The time lies in the first day of 1970 or beyond the year 9999.
    error TimeOutOfRange(uint256 timestamp);

    /// @notice Adds holidays, each at least 30 days before it begins; the owner of the protocol's admin may.
    function addHolidays(uint32[] calldata dayNumbers) external;

    /// @notice The first 00:00 of a business day that is at least four hours after `timestamp`, in UTC seconds.
    /// @param counted how many holidays count, the first ones added.
    function unlockAt(uint256 timestamp, uint256 counted) external view returns (uint256);

    /// @notice How many holidays there are.
    function holidayCount() external view returns (uint256);

    /// @notice The day of a holiday; positions count from 1.
    function holidayAt(uint256 position) external view returns (uint32);

    /// @notice Whether a day is one of business.
    /// @param counted how many holidays count, the first ones added.
    function isBusinessDay(uint256 day, uint256 counted) external view returns (bool);

    /// @notice When a day begins, in UTC seconds.
    function midnightOf(uint256 day) external pure returns (uint256);

    /// @notice The protocol's admin, whose owner adds holidays.
    function admin() external view returns (IProtocolAdmin);
}
