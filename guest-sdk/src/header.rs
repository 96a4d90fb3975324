//! Headers as arguments and as results: what may stand for one value, for
//! several, and for a list of header lines.

use std::borrow::Cow;

pub use crate::host::types::JoinedValue;

/// One header line: the name as it was written, and the bytes of the value.
pub type Field = (String, Vec<u8>);

impl JoinedValue {
    /// The value as one; several `set-cookie` lines are joined with `, `.
    pub fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Single(value) => Cow::Borrowed(value),
            Self::Multiple(values) => Cow::Owned(values.join(&b", "[..])),
        }
    }
}

/// What may stand for one header value: text, bytes, or a number.
pub trait HeaderValue {
    /// The bytes to send.
    fn to_bytes(&self) -> Cow<'_, [u8]>;
}

/// What may stand for the values of one header: one value, or an array, slice
/// or vector of them, which becomes one line each.
pub trait HeaderValues {
    /// Calls `send` with the bytes of all values.
    fn with_values<R>(&self, send: impl FnOnce(&[&[u8]]) -> R) -> R;
}

/// What may stand for a list of header lines: an array, slice or vector of
/// `(name, value)`, or `()` for none.
///
/// A name that occurs several times is sent several times.
pub trait Fields {
    /// Calls `send` with all lines.
    fn with_fields<R>(&self, send: impl FnOnce(&[(&str, &[u8])]) -> R) -> R;
}

impl HeaderValue for str {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl HeaderValue for String {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl HeaderValue for [u8] {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<const N: usize> HeaderValue for [u8; N] {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl HeaderValue for Vec<u8> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

impl HeaderValue for Cow<'_, str> {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl HeaderValue for $number {
            fn to_bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.to_string().into_bytes())
            }
        }
    )*};
}

// Not u8: `[u8; N]` is one value, not a list of numbers.
numbers!(u16 u32 u64 usize i32 i64);

impl<V: HeaderValue + ?Sized> HeaderValue for &V {
    fn to_bytes(&self) -> Cow<'_, [u8]> {
        (**self).to_bytes()
    }
}

impl<V: HeaderValue> HeaderValues for V {
    fn with_values<R>(&self, send: impl FnOnce(&[&[u8]]) -> R) -> R {
        send(&[&self.to_bytes()])
    }
}

fn with_list<V: HeaderValue, R>(values: &[V], send: impl FnOnce(&[&[u8]]) -> R) -> R {
    let values: Vec<_> = values.iter().map(V::to_bytes).collect();
    let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
    send(&values)
}

impl<V: HeaderValue, const N: usize> HeaderValues for [V; N] {
    fn with_values<R>(&self, send: impl FnOnce(&[&[u8]]) -> R) -> R {
        with_list(self, send)
    }
}

impl<V: HeaderValue, const N: usize> HeaderValues for &[V; N] {
    fn with_values<R>(&self, send: impl FnOnce(&[&[u8]]) -> R) -> R {
        with_list(*self, send)
    }
}

impl<V: HeaderValue> HeaderValues for &[V] {
    fn with_values<R>(&self, send: impl FnOnce(&[&[u8]]) -> R) -> R {
        with_list(self, send)
    }
}

impl<V: HeaderValue> HeaderValues for Vec<V> {
    fn with_values<R>(&self, send: impl FnOnce(&[&[u8]]) -> R) -> R {
        with_list(self, send)
    }
}

impl<V: HeaderValue> HeaderValues for &Vec<V> {
    fn with_values<R>(&self, send: impl FnOnce(&[&[u8]]) -> R) -> R {
        with_list(self, send)
    }
}

impl Fields for () {
    fn with_fields<R>(&self, send: impl FnOnce(&[(&str, &[u8])]) -> R) -> R {
        send(&[])
    }
}

impl<N: AsRef<str>, V: HeaderValue> Fields for [(N, V)] {
    fn with_fields<R>(&self, send: impl FnOnce(&[(&str, &[u8])]) -> R) -> R {
        let values: Vec<_> = self.iter().map(|(_, value)| value.to_bytes()).collect();
        let names = self.iter().map(|(name, _)| name.as_ref());
        let fields: Vec<_> = names.zip(values.iter().map(AsRef::as_ref)).collect();
        send(&fields)
    }
}

impl<N: AsRef<str>, V: HeaderValue, const L: usize> Fields for [(N, V); L] {
    fn with_fields<R>(&self, send: impl FnOnce(&[(&str, &[u8])]) -> R) -> R {
        self.as_slice().with_fields(send)
    }
}

impl<N: AsRef<str>, V: HeaderValue> Fields for Vec<(N, V)> {
    fn with_fields<R>(&self, send: impl FnOnce(&[(&str, &[u8])]) -> R) -> R {
        self.as_slice().with_fields(send)
    }
}

impl<F: Fields + ?Sized> Fields for &F {
    fn with_fields<R>(&self, send: impl FnOnce(&[(&str, &[u8])]) -> R) -> R {
        (**self).with_fields(send)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: impl HeaderValues) -> Vec<Vec<u8>> {
        values.with_values(|values| values.iter().map(|value| value.to_vec()).collect())
    }

    fn fields(fields: impl Fields) -> Vec<Field> {
        let owned = |(name, value): &(&str, &[u8])| ((*name).to_owned(), value.to_vec());
        fields.with_fields(|fields| fields.iter().map(owned).collect())
    }

    #[test]
    fn one_value_is_text_bytes_or_a_number() {
        assert_eq!(values("a"), [b"a"]);
        assert_eq!(values(String::from("a")), [b"a"]);
        assert_eq!(values(b"\xff"), [b"\xff"]);
        assert_eq!(values(b"a".to_vec()), [b"a"]);
        assert_eq!(values(12_u64), [b"12"]);
    }

    #[test]
    fn several_values_are_one_line_each() {
        assert_eq!(values(["a", "b"]), [b"a", b"b"]);
        const BORROWED: &[&str; 2] = &["a", "b"];
        assert_eq!(values(BORROWED), [b"a", b"b"]);
        assert_eq!(values(vec![String::from("a")]), [b"a"]);
        assert_eq!(values(&[b"a".to_vec(), b"b".to_vec()][..]), [b"a", b"b"]);
        assert_eq!(values(Vec::<String>::new()), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn lines_are_pairs_or_nothing() {
        assert_eq!(fields(()), []);
        assert_eq!(fields([("a", "b")]), [("a".into(), b"b".to_vec())]);
        assert_eq!(fields([("a", 1)]), [("a".into(), b"1".to_vec())]);
        let raw: Vec<Field> = vec![("A".into(), vec![0xff])];
        assert_eq!(fields(&raw), raw);
    }

    #[test]
    fn cookies_are_joined_only_on_request() {
        let cookies = JoinedValue::Multiple(vec![b"a=1".to_vec(), b"b=2".to_vec()]);
        assert_eq!(&*cookies.to_bytes(), b"a=1, b=2");
    }
}
