import type { EpochSeconds } from '../credential.ts';

const DAY = 86_400;
/** 9999-12-31T23:59:59Z: a later year has no form. */
const LAST: EpochSeconds = 253_402_300_799;
/** Days from 0000-03-01, where a year begins whose leap day is its last, to 1970-01-01. */
const DAYS_BEFORE_1970 = 719_468;
/** Days of 400 years, after which the calendar repeats itself. */
const ERA = 146_097;

/** A date as RFC 3339 has it, in UTC and whole seconds: `2030-01-01T00:00:00Z`. */
export function rfc3339(at: EpochSeconds): string {
  const seconds = Math.min(Math.max(Math.floor(at), 0), LAST);
  const days = Math.floor(seconds / DAY) + DAYS_BEFORE_1970;
  const era = Math.floor(days / ERA);
  const dayOfEra = days - era * ERA;
  const leapDays = Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / (ERA - 1));
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  // Months from March on have 153 days in every five.
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1;
  const year = era * 400 + yearOfEra + (month >= 10 ? 1 : 0);
  const rest = seconds % DAY;
  const time = [Math.floor(rest / 3_600), Math.floor(rest / 60) % 60, rest % 60];
  return `${digits(year, 4)}-${digits(((month + 2) % 12) + 1, 2)}-${digits(day, 2)}T${time.map((part) => digits(part, 2)).join(':')}Z`;
}

function digits(number: number, length: number): string {
  return String(number).padStart(length, '0');
}
