//! Exact decimal numbers.

use alloc::format;
use core::cmp::Ordering;
use core::fmt;

/// Digits that a number may have.
const DIGITS_MAX: u32 = 36;
/// One more than the greatest coefficient.
const COEFFICIENT_END: i128 = 10_i128.pow(DIGITS_MAX);
/// Furthest that the decimal point may lie from the last digit. Each `f64` fits.
const EXPONENT_MAX: i32 = 400;
/// Decimals of a number that is counted with.
const COUNTED_DECIMALS_MAX: i32 = 18;

/// A number as it is written in JSON, exactly: up to 36 digits and a power of ten.
///
/// Sums of binary floats depend on the order of their terms (0.1 + 0.2 + 0.3 has two values). What many devices add up must
/// not, so numbers are decimal. `24.50` and `24.5` are one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// Does not end in 0, unless it is 0; then the exponent is 0, too.
    coefficient: i128,
    exponent: i32,
}

/// Why a text or a result is no number. Whoever sent it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// The text is not a number of RFC 8259.
    #[error("the text is not a JSON number")]
    Syntax,
    /// The number has more than 36 digits, or is far too large or too small.
    #[error("the number is out of range")]
    Range,
}

impl Decimal {
    /// Reads a number as JSON writes it.
    ///
    /// # Errors
    /// [`DecimalError::Syntax`] if JSON would not write it so; [`DecimalError::Range`] if it has too many digits or its
    /// exponent is too large.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, parse_power(power)?),
            None => (text, 0),
        };
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, mantissa),
        };
        let (whole, decimals) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Syntax),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let has_padding = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || has_padding {
            return Err(DecimalError::Syntax);
        }
        let (mut coefficient, mut zeros) = (0_i128, 0_i32);
        for byte in whole.bytes().chain(decimals.bytes()) {
            match byte {
                // Held back until another digit follows: zeros at the end are no digits of the number.
                b'0' => zeros = zeros.saturating_add(i32::from(coefficient != 0)),
                b'1'..=b'9' => {
                    let shifted = scaled(coefficient, zeros + 1).ok_or(DecimalError::Range)?;
                    coefficient = shifted + i128::from(byte - b'0');
                    zeros = 0;
                }
                _ => return Err(DecimalError::Syntax),
            }
        }
        let decimals = i32::try_from(decimals.len()).map_err(|_| DecimalError::Range)?;
        let exponent = power.saturating_sub(decimals).saturating_add(zeros);
        Self::from_parts(if negative { -coefficient } else { coefficient }, exponent)
            .ok_or(DecimalError::Range)
    }

    /// Returns `coefficient * 10 ^ exponent`, if it is in range.
    #[must_use]
    pub fn from_parts(mut coefficient: i128, mut exponent: i32) -> Option<Self> {
        if coefficient == 0 {
            return Some(Self::default());
        }
        while coefficient % 10 == 0 {
            coefficient /= 10;
            exponent = exponent.checked_add(1)?;
        }
        let is_in_range = coefficient.unsigned_abs() < COEFFICIENT_END.unsigned_abs()
            && exponent.unsigned_abs() <= EXPONENT_MAX as u32;
        is_in_range.then_some(Self { coefficient, exponent })
    }

    /// Returns the number that the shortest form of a float shows, if it is finite.
    #[must_use]
    pub fn from_double(number: f64) -> Option<Self> {
        Self::parse(&format!("{number:e}")).ok()
    }

    /// Returns the nearest float, which is infinite if the number is too large for one.
    #[must_use]
    pub fn to_double(self) -> f64 {
        format!("{}e{}", self.coefficient, self.exponent).parse().expect("digits and an exponent")
    }

    /// Returns the number, if it is whole and fits.
    #[must_use]
    pub fn to_whole(self) -> Option<i64> {
        let unit = 10_i64.checked_pow(u32::try_from(self.exponent).ok()?)?;
        unit.checked_mul(i64::try_from(self.coefficient).ok()?)
    }

    /// Returns the coefficient, which does not end in 0 unless it is 0, and the power of ten to multiply it by.
    #[must_use]
    pub const fn parts(self) -> (i128, i32) {
        (self.coefficient, self.exponent)
    }

    /// Returns the exact sum, if it is in range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.coefficient == 0 || other.coefficient == 0 {
            return Some(if self.coefficient == 0 { other } else { self });
        }
        let exponent = self.exponent.min(other.exponent);
        let a = scaled(self.coefficient, self.exponent - exponent)?;
        let b = scaled(other.coefficient, other.exponent - exponent)?;
        Self::from_parts(a.checked_add(b)?, exponent)
    }

    /// Returns the exact difference, if it is in range.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self { coefficient: -other.coefficient, ..other })
    }

    /// Returns whether the number can be counted with: at most 18 decimals, and less than 10^18 in size.
    ///
    /// Sums of such numbers are exact in every order.
    #[must_use]
    pub fn is_countable(self) -> bool {
        let limit = Self { coefficient: 1, exponent: 18 };
        self.exponent >= -COUNTED_DECIMALS_MAX && self < limit && Self { coefficient: -1, ..limit } < self
    }

    /// Returns whether there is nothing behind the point.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.exponent >= 0
    }

    /// The power of ten of the first digit, plus one.
    fn magnitude(self) -> i32 {
        let digits = self.coefficient.unsigned_abs().checked_ilog10().map_or(0, |log| log as i32 + 1);
        digits + self.exponent
    }
}

#[cfg(feature = "serde")]
super::text::as_text!(Decimal, Decimal::parse);

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self::from_parts(number.into(), 0).expect("an i64 has at most 19 digits")
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let signs = self.coefficient.signum().cmp(&other.coefficient.signum());
        if signs.is_ne() || self.coefficient == 0 {
            return signs;
        }
        let sizes = self.magnitude().cmp(&other.magnitude());
        if sizes.is_ne() {
            return if self.coefficient > 0 { sizes } else { sizes.reverse() };
        }
        // Numbers of one magnitude differ in their exponents by less than the digits that they may have.
        let exponent = self.exponent.min(other.exponent);
        let aligned = |number: &Self| scaled(number.coefficient, number.exponent - exponent);
        aligned(self).cmp(&aligned(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Writes the number as JSON does.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coefficient, exponent) = (self.coefficient, self.exponent);
        if (0..=3).contains(&exponent) {
            return write!(f, "{}", coefficient * 10_i128.pow(exponent.unsigned_abs()));
        }
        if !(-COUNTED_DECIMALS_MAX..0).contains(&exponent) {
            return write!(f, "{coefficient}e{exponent}");
        }
        let unit = 10_u128.pow(exponent.unsigned_abs());
        let (size, places) = (coefficient.unsigned_abs(), exponent.unsigned_abs() as usize);
        let sign = if coefficient < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:0places$}", size / unit, size % unit)
    }
}

fn parse_power(text: &str) -> Result<i32, DecimalError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    text.parse().map_err(|_| DecimalError::Range)
}

fn scaled(coefficient: i128, places: i32) -> Option<i128> {
    10_i128.checked_pow(u32::try_from(places).ok()?)?.checked_mul(coefficient)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn numbers_are_read_as_json_writes_them() {
        for (text, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.0e5", "0"),
            ("24.50", "24.5"),
            ("-3", "-3"),
            ("100", "100"),
            ("1e2", "100"),
            ("5e-1", "0.5"),
            ("-0.05", "-0.05"),
            ("1e300", "1e300"),
            ("1E+300", "1e300"),
            ("4.9e-324", "49e-325"),
            ("100000000000000000000000000000000000000000", "1e41"),
        ] {
            assert_eq!(number(text).to_string(), shown, "{text}");
            assert_eq!(number(shown), number(text), "{text}");
        }
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1e+", "1 ", "0x1", "NaN", "1.2.3", "--1"] {
            assert_eq!(Decimal::parse(text), Err(DecimalError::Syntax), "{text}");
        }
        let digits = "1".repeat(37);
        for text in ["1e401", "1e-401", "1e99999999999", digits.as_str()] {
            assert_eq!(Decimal::parse(text), Err(DecimalError::Range), "{text}");
        }
        assert!(Decimal::parse(&digits[1..]).is_ok());
    }

    #[test]
    fn sums_are_exact() {
        for (a, b, sum) in
            [("0.1", "0.2", "0.3"), ("24.50", "1", "25.5"), ("95", "-95", "0"), ("1e300", "0", "1e300")]
        {
            assert_eq!(number(a).checked_add(number(b)), Some(number(sum)));
        }
        assert_eq!(number("1e300").checked_add(number("1")), None);
        for (text, is_countable) in [
            ("1e18", false),
            ("999999999999999999", true),
            ("1e-18", true),
            ("1e-19", false),
            ("-1e18", false),
        ] {
            assert_eq!(number(text).is_countable(), is_countable, "{text}");
        }
    }

    proptest! {
        /// What a float shows comes back as the same float, and a number that has no more digits than a float as itself.
        #[test]
        fn floats_come_and_go(bits in any::<u64>(), whole in any::<i64>()) {
            let float = f64::from_bits(bits);
            match Decimal::from_double(float) {
                Some(number) => prop_assert_eq!(number.to_double(), float),
                None => prop_assert!(!float.is_finite()),
            }
            prop_assert_eq!(Decimal::from(whole).to_whole(), Some(whole));
        }

        #[test]
        fn order_is_that_of_the_numbers(a in -2000_i64..2000, b in -2000_i64..2000, places in 0_i32..30) {
            let [x, y] = [a, b].map(|n: i64| Decimal::from_parts(i128::from(n), -places).expect("small"));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.checked_sub(y), Decimal::from_parts(i128::from(a - b), -places));
            prop_assert_eq!(number(&format!("{a}e-{places}")), x);
        }
    }
}
