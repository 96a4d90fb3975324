//! The values of limits as people write them, with their units: one way to read
//! and to show each, for flags (`cli::limits`) and for files ([`super::file`]).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A duration, such as `1500ms`, `5s` or `2m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Time(pub Duration);

/// A duration, or `off` (which 0 means too).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionalTime(pub Option<Duration>);

/// A number of bytes, such as `16384`, `16KiB` or `1MiB`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size(pub u64);

/// A count, or `off` (which 0 means too).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Count(pub Option<u64>);

impl Size {
    /// As many bytes.
    pub fn of(bytes: impl TryInto<u64>) -> Self {
        Size(bytes.try_into().unwrap_or(u64::MAX))
    }

    /// As many bytes as memory can have.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Time(Duration::ZERO));
        }
        let parsed = humantime::parse_duration(text);
        parsed.map(Time).map_err(|error| format!("{error}; write it with its unit, as in 1500ms or 5s"))
    }
}

impl FromStr for OptionalTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(OptionalTime(None));
        }
        let Time(time) = text.parse()?;
        Ok(OptionalTime((!time.is_zero()).then_some(time)))
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.parse::<ByteSize>();
        parsed
            .map(|size| Size(size.as_u64()))
            .map_err(|error| format!("{error}; write it as in 16384 or 16KiB"))
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Count(None));
        }
        let count: u64 = text.parse().map_err(|error| format!("{error}; write a number or off"))?;
        Ok(Count((count > 0).then_some(count)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(out)
    }
}

impl fmt::Display for OptionalTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => Time(time).fmt(out),
            None => out.write_str("off"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole units only: what is shown must read back as the same number.
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(bytes, _)| self.0 >= *bytes && self.0.is_multiple_of(*bytes)) {
            Some((bytes, unit)) => write!(out, "{}{unit}", self.0 / bytes),
            None => self.0.fmt(out),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(count) => count.fmt(out),
            None => out.write_str("off"),
        }
    }
}

/// Reads a text or a whole number as the same text on the command line is.
struct Written<T>(PhantomData<T>);

impl<T: FromStr<Err = String> + Value> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(T::EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|error| E::custom(format_args!("{text:?} is wrong: {error}")))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// What a schema and an error say of a kind of value.
trait Value {
    const NAME: &'static str;
    const EXPECTED: &'static str;
    const EXAMPLES: &'static [&'static str];
}

impl Value for Time {
    const NAME: &'static str = "Duration";
    const EXPECTED: &'static str = "a duration, such as \"1500ms\" or \"5s\"";
    const EXAMPLES: &'static [&'static str] = &["1500ms", "5s", "2m"];
}

impl Value for OptionalTime {
    const NAME: &'static str = "OptionalDuration";
    const EXPECTED: &'static str = "a duration, such as \"1500ms\" or \"5s\", or \"off\"";
    const EXAMPLES: &'static [&'static str] = &["1500ms", "5s", "2m", "off"];
}

impl Value for Size {
    const NAME: &'static str = "Size";
    const EXPECTED: &'static str = "a number of bytes, such as 16384 or \"16KiB\"";
    const EXAMPLES: &'static [&'static str] = &["16KiB", "1MiB"];
}

impl Value for Count {
    const NAME: &'static str = "OptionalCount";
    const EXPECTED: &'static str = "a whole number or \"off\"";
    const EXAMPLES: &'static [&'static str] = &["off"];
}

/// What serde and the schema need of a value.
macro_rules! written {
    ($($value:ident)*) => {$(
        impl<'de> Deserialize<'de> for $value {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Written(PhantomData))
            }
        }

        impl Serialize for $value {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.to_string() {
                    text if text.bytes().all(|byte| byte.is_ascii_digit()) => match text.parse::<u64>() {
                        Ok(number) => serializer.serialize_u64(number),
                        Err(_) => serializer.serialize_str(&text),
                    },
                    text => serializer.serialize_str(&text),
                }
            }
        }

        impl JsonSchema for $value {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                <Self as Value>::NAME.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["string", "integer"],
                    "minimum": 0,
                    "title": <Self as Value>::EXPECTED,
                    "examples": <Self as Value>::EXAMPLES,
                })
            }
        }
    )*};
}

written! { Time OptionalTime Size Count }

impl From<Duration> for Time {
    fn from(time: Duration) -> Self {
        Time(time)
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl From<Option<Duration>> for OptionalTime {
    fn from(time: Option<Duration>) -> Self {
        OptionalTime(time)
    }
}

impl From<OptionalTime> for Option<Duration> {
    fn from(time: OptionalTime) -> Self {
        time.0
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Self {
        Size(bytes)
    }
}

impl From<usize> for Size {
    fn from(bytes: usize) -> Self {
        Size::of(bytes)
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0
    }
}

impl From<Size> for usize {
    fn from(size: Size) -> Self {
        size.as_usize()
    }
}

impl From<Option<u64>> for Count {
    fn from(count: Option<u64>) -> Self {
        Count(count)
    }
}

impl From<Option<u32>> for Count {
    fn from(count: Option<u32>) -> Self {
        Count(count.map(u64::from))
    }
}

impl From<Count> for Option<u64> {
    fn from(count: Count) -> Self {
        count.0
    }
}

impl From<Count> for Option<u32> {
    fn from(count: Count) -> Self {
        count.0.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["0s", "1500ms", "5s", "2m"] {
            let time: Time = text.parse().unwrap();
            assert_eq!(time.to_string().parse(), Ok(time), "{text}");
        }
        for bytes in [0, 1, 1023, 1024, 1 << 20, (1 << 20) + 1, u64::MAX] {
            assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }
        assert_eq!("off".parse(), Ok(OptionalTime(None)));
        assert_eq!("0".parse(), Ok(Count(None)));
    }

    #[test]
    fn files_have_texts_and_numbers() {
        let size: Size = serde_json::from_str("\"16KiB\"").unwrap();
        assert_eq!(size, serde_json::from_str("16384").unwrap());
        assert_eq!(serde_json::to_string(&size).unwrap(), "\"16KiB\"");
        let count: Count = serde_json::from_str("7").unwrap();
        assert_eq!(serde_json::to_string(&count).unwrap(), "7");
        for bad in ["5", "-1", "1.5", "true", "\"soon\"", "\"5\""] {
            assert!(serde_json::from_str::<Time>(bad).is_err(), "{bad}");
        }
    }
}
