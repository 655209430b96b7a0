//! Times as RFC 3339 writes them, in UTC and to the millisecond.

use syncline_core::time::WallMs;

const DAY_MS: i64 = 86_400_000;

/// Writes a time. What lies behind the year 9999, which the format cannot say, is its last millisecond.
#[must_use]
pub fn format(at: WallMs) -> String {
    const LAST_MS: u64 = 253_402_300_799_999;
    // In range by the line above.
    let ms = at.0.min(LAST_MS) as i64;
    let (year, month, day) = date_of(ms / DAY_MS);
    let of_day = ms % DAY_MS;
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Reads a time. What is finer than a millisecond is cut off; what lies before 1970 counts as its beginning.
#[must_use]
pub fn parse(text: &str) -> Option<WallMs> {
    let bytes = text.as_bytes();
    let (head, tail) = text.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    let is_marked = marks.iter().all(|&(at, mark)| bytes[at] == mark) && matches!(bytes[10], b'T' | b't');
    let number = |from: usize, to: usize| digits(head.get(from..to)?);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // A leap second is the first of the next minute.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    if !is_marked || !is_time || !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    let (milli, zone) = fraction_ms(tail)?;
    let of_day = ((hour * 60 + minute - zone_minutes(zone)?) * 60 + second) * 1000 + milli;
    let ms = days_of(year, month, day) * DAY_MS + of_day;
    Some(WallMs(u64::try_from(ms).unwrap_or(0)))
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Splits `.123456Z` into 123 and `Z`.
fn fraction_ms(tail: &str) -> Option<(i64, &str)> {
    let Some(fraction) = tail.strip_prefix('.') else { return Some((0, tail)) };
    let end = fraction.find(|c: char| !c.is_ascii_digit())?;
    let (fraction, zone) = fraction.split_at(end);
    let first: String = fraction.chars().chain("00".chars()).take(3).collect();
    if fraction.is_empty() { None } else { Some((digits(&first)?, zone)) }
}

fn zone_minutes(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let is_short = hours.len() == 2 && minutes.len() == 2;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (is_short && hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is the last.
    let year = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
}

/// The date that many days after 1970-01-01, which is in the years to 9999.
fn date_of(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days / 366;
    while days_of(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_of(year, month + 1, 1) <= days {
        month += 1;
    }
    (year, month, days - days_of(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_those_of_rfc_3339() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", 0),
            ("0000-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00.0019z", 1),
            ("1970-01-01T00:00:00.5Z", 500),
            ("2000-02-29T12:00:00+02:00", 951_818_400_000),
            ("2000-02-29T08:30:00.000-01:30", 951_818_400_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("2026-11-21T17:32:17.123456789Z", 1_795_282_337_123),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(parse(text), Some(WallMs(ms)), "{text}");
        }
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T17:32:17",
            "2026-11-21 17:32:17Z",
            "2026-11-21T17:32Z",
            "2026-11-21T17:32:17.Z",
            "2026-11-21T17:32:17.5",
            "2026-11-21T17:32:17+0100",
            "2026-11-21T17:32:17+1:00",
            "2026-11-21T17:32:17+24:00",
            "2026-11-21T17:32:17ZZ",
            "2026-11-21T24:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0\u{661}Z",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(format(WallMs(u64::MAX)), "9999-12-31T23:59:59.999Z");
        assert_eq!(format(WallMs(1_795_282_337_123)), "2026-11-21T17:32:17.123Z");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ms in 0..=253_402_300_799_999_u64) {
            prop_assert_eq!(parse(&format(WallMs(ms))), Some(WallMs(ms)));
        }

        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,40}", near in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9:.]{8,14}[Z+:0-9é]{0,7}") {
            let _: Option<WallMs> = parse(&text);
            let _: Option<WallMs> = parse(&near);
        }

        /// Times are ordered as their texts are.
        #[test]
        fn later_is_greater(a in 0..253_402_300_799_999_u64, b in 0..253_402_300_799_999_u64) {
            prop_assert_eq!(format(WallMs(a)).cmp(&format(WallMs(b))), a.cmp(&b));
        }
    }
}
