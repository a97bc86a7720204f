//! Dates: the civil calendar in UTC, and `strftime(3)`.

use std::time::Duration;

/// A point in time, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Such as 2026.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 is Sunday.
    pub weekday: u32,
    /// 0 is the first of January.
    pub yearday: u32,
    /// Nanoseconds.
    pub nanos: u32,
    /// Seconds since the epoch.
    pub seconds: i64,
}

/// Abbreviated names of the months.
pub const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const LONG_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const LONG_DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

impl Date {
    /// From a time since the epoch.
    #[must_use]
    pub fn from_epoch(time: Duration) -> Self {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Self {
            nanos: time.subsec_nanos(),
            ..Self::from_seconds(seconds)
        }
    }

    /// From seconds since the epoch; the days are counted with Howard Hinnant's `civil_from_days`.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(86400);
        let in_day = u32::try_from(seconds.rem_euclid(86400)).unwrap_or(0);
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let mp = (5 * day_of_year + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let small = |n: i64| u32::try_from(n).unwrap_or(0);
        Self {
            year,
            month: small(month),
            day: small(day_of_year - (153 * mp + 2) / 5 + 1),
            hour: in_day / 3600,
            minute: in_day / 60 % 60,
            second: in_day % 60,
            weekday: small((days + 4).rem_euclid(7)),
            yearday: small(days - days_from_civil(year, 1, 1)),
            nanos: 0,
            seconds,
        }
    }

    /// The month's abbreviated name.
    #[must_use]
    pub fn month_name(&self) -> &'static str {
        MONTHS
            .get(self.month.saturating_sub(1) as usize)
            .copied()
            .unwrap_or("???")
    }

    /// The weekday's abbreviated name.
    #[must_use]
    pub fn day_name(&self) -> &'static str {
        DAYS.get(self.weekday as usize).copied().unwrap_or("???")
    }

    /// `strftime(3)` in the C locale and UTC; unknown conversions stay as they are.
    #[must_use]
    pub fn format(&self, format: &str) -> String {
        let mut text = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            let mut conversion = chars.next().unwrap_or('%');
            let pad = match conversion {
                '-' => "",
                '_' => " ",
                _ => "0",
            };
            if conversion == '-' || conversion == '_' {
                conversion = chars.next().unwrap_or('%');
            }
            text.push_str(&self.convert(conversion, pad));
        }
        text
    }

    fn convert(&self, conversion: char, pad: &str) -> String {
        let padded = |n: u32, width: usize, pad: &str| match pad {
            "" => n.to_string(),
            " " => format!("{n:width$}"),
            _ => format!("{n:0width$}"),
        };
        let other = |usual: &str| if pad == "0" { usual.to_owned() } else { pad.to_owned() };
        let hour12 = if self.hour.is_multiple_of(12) {
            12
        } else {
            self.hour % 12
        };
        let long = |names: &[&str], index: u32| names.get(index as usize).map_or_else(String::new, |n| (*n).to_owned());
        match conversion {
            'Y' => self.year.to_string(),
            'C' => format!("{:02}", self.year.div_euclid(100)),
            'y' => format!("{:02}", self.year.rem_euclid(100)),
            'm' => padded(self.month, 2, pad),
            'd' => padded(self.day, 2, pad),
            'e' => padded(self.day, 2, &other(" ")),
            'H' => padded(self.hour, 2, pad),
            'k' => padded(self.hour, 2, &other(" ")),
            'I' => padded(hour12, 2, pad),
            'l' => padded(hour12, 2, &other(" ")),
            'M' => padded(self.minute, 2, pad),
            'S' => padded(self.second, 2, pad),
            'N' => format!("{:09}", self.nanos),
            'j' => padded(self.yearday + 1, 3, pad),
            'a' => self.day_name().to_owned(),
            'A' => long(&LONG_DAYS, self.weekday),
            'b' | 'h' => self.month_name().to_owned(),
            'B' => long(&LONG_MONTHS, self.month.saturating_sub(1)),
            'u' => (if self.weekday == 0 { 7 } else { self.weekday }).to_string(),
            'w' => self.weekday.to_string(),
            'U' => padded((self.yearday + 7 - self.weekday) / 7, 2, pad),
            'W' => padded((self.yearday + 7 - (self.weekday + 6) % 7) / 7, 2, pad),
            'V' => padded(self.iso_week().1, 2, pad),
            'G' => self.iso_week().0.to_string(),
            'p' => (if self.hour < 12 { "AM" } else { "PM" }).to_owned(),
            'P' => (if self.hour < 12 { "am" } else { "pm" }).to_owned(),
            's' => self.seconds.to_string(),
            'Z' => "UTC".to_owned(),
            'z' => "+0000".to_owned(),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            'F' => self.format("%Y-%m-%d"),
            'T' | 'X' => self.format("%H:%M:%S"),
            'R' => self.format("%H:%M"),
            'r' => self.format("%I:%M:%S %p"),
            'D' | 'x' => self.format("%m/%d/%y"),
            'c' => self.format("%a %b %e %H:%M:%S %Y"),
            unknown => format!("%{unknown}"),
        }
    }

    /// Year and number of the week, ISO 8601: week 1 has the year's first Thursday.
    fn iso_week(&self) -> (i64, u32) {
        let monday_based = i64::from((self.weekday + 6) % 7);
        let thursday = self.seconds.div_euclid(86400) - monday_based + 3;
        let of = Self::from_seconds(thursday * 86400);
        (of.year, of.yearday / 7 + 1)
    }
}

/// Days since the epoch of a date.
#[must_use]
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = year - i64::from(month <= 2);
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = i64::from((month + 9) % 12);
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Seconds since the epoch of a date and time; `None` where a field is out of range.
#[must_use]
pub fn seconds_from_civil(year: i64, month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let in_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Some(days_from_civil(year, month, day) * 86400 + in_day)
}

/// A date as BusyBox's `date -d` and `touch -d` read it: `@SECONDS`, `hh:mm[:ss]`, `[YYYY.]MM.DD-hh:mm[:ss]`,
/// `YYYY-MM-DD[ T]hh:mm[:ss]`, `YYYY-MM-DD`, `[[[[[YY]YY]MM]DD]hh]mm[.ss]`; `now` fills in what is missing.
#[must_use]
pub fn parse_date(text: &str, now: &Date) -> Option<i64> {
    let text = text.trim();
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().ok();
    }
    let text = text
        .strip_suffix('Z')
        .or_else(|| text.strip_suffix(" UTC"))
        .unwrap_or(text);
    let (date, time) = match text
        .find(['T', ' '])
        .or_else(|| if text.contains('.') { text.find('-') } else { None })
    {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?.trim()),
        None if text.contains(':') => ("", text),
        None => (text, ""),
    };
    if time.is_empty() && !date.contains('-') {
        return parse_compact(date, now);
    }
    let (year, month, day) = if date.is_empty() {
        (now.year, now.month, now.day)
    } else {
        let fields: Vec<&str> = date.split(['-', '.']).collect();
        match fields.as_slice() {
            [y, m, d] => (y.parse().ok()?, m.parse().ok()?, d.parse().ok()?),
            [m, d] => (now.year, m.parse().ok()?, d.parse().ok()?),
            _ => return None,
        }
    };
    let mut hms = [0u32; 3];
    if !time.is_empty() {
        let fields: Vec<&str> = time.split(':').collect();
        if fields.len() < 2 || fields.len() > 3 {
            return None;
        }
        for (slot, field) in hms.iter_mut().zip(fields) {
            *slot = field.split('.').next()?.parse().ok()?;
        }
    }
    seconds_from_civil(year, month, day, hms[0], hms[1], hms[2])
}

/// `[[[[[CC]YY]MM]DD]hh]mm[.ss]`, as `touch -t` takes it.
fn parse_compact(text: &str, now: &Date) -> Option<i64> {
    let (digits, seconds) = text.split_once('.').unwrap_or((text, "0"));
    if digits.is_empty() || digits.len() % 2 != 0 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let pairs: Vec<u32> = (0..digits.len())
        .step_by(2)
        .filter_map(|at| digits.get(at..at + 2)?.parse().ok())
        .collect();
    let (year, rest): (i64, &[u32]) = match pairs.as_slice() {
        [century, year, rest @ ..] if pairs.len() == 6 => (i64::from(century * 100 + year), rest),
        [year, rest @ ..] if pairs.len() == 5 => (i64::from(if *year < 70 { 2000 + year } else { 1900 + year }), rest),
        rest => (now.year, rest),
    };
    let mut all = vec![now.month, now.day, now.hour, 0];
    let at = all.len().checked_sub(rest.len())?;
    all.truncate(at);
    all.extend_from_slice(rest);
    match all.as_slice() {
        [month, day, hour, minute] => seconds_from_civil(year, *month, *day, *hour, *minute, seconds.parse().ok()?),
        _ => None,
    }
}

/// Now.
#[must_use]
pub fn now() -> Date {
    Date::from_epoch(podsim_guest::clock_realtime())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates_and_dates_become_seconds() {
        for (seconds, want) in [
            (0, "1970-01-01 00:00:00 Thu 001 01"),
            (951_782_400, "2000-02-29 00:00:00 Tue 060 09"),
            (1_795_316_400, "2026-11-22 03:00:00 Sun 326 47"),
            (4_107_542_399, "2100-02-28 23:59:59 Sun 059 08"),
        ] {
            let date = Date::from_seconds(seconds);
            assert_eq!(date.format("%F %T %a %j %V"), want);
            assert_eq!(
                seconds_from_civil(date.year, date.month, date.day, date.hour, date.minute, date.second),
                Some(seconds)
            );
        }
    }

    #[test]
    fn dates_are_read_in_busyboxs_forms() {
        let now = Date::from_seconds(1_795_316_400);
        for (text, want) in [
            ("@86400", Some("1970-01-02 00:00:00")),
            ("2024-02-03 04:05:06", Some("2024-02-03 04:05:06")),
            ("2024-02-03T04:05", Some("2024-02-03 04:05:00")),
            ("2024-02-03", Some("2024-02-03 00:00:00")),
            ("04:05", Some("2026-11-22 04:05:00")),
            ("2024.02.03-04:05", Some("2024-02-03 04:05:00")),
            ("202402030405.06", Some("2024-02-03 04:05:06")),
            ("02030405", Some("2026-02-03 04:05:00")),
            ("2024-13-01", None),
            ("tomorrow", None),
        ] {
            let got = parse_date(text, &now).map(|s| Date::from_seconds(s).format("%F %T"));
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }
}
