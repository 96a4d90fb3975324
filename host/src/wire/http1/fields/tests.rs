use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// The same, as simply as can be: a name in its last case, and its values.
#[derive(Default)]
struct Model(Vec<(String, Vec<Vec<u8>>)>);

#[derive(Debug, Clone)]
enum Change {
    Set(String, Vec<Vec<u8>>),
    Append(String, Vec<Vec<u8>>),
    Remove(String),
}

impl Model {
    fn apply(&mut self, change: &Change) {
        let (Change::Set(name, _) | Change::Append(name, _) | Change::Remove(name)) = change;
        let place = self.0.iter().position(|(own, _)| own.eq_ignore_ascii_case(name));
        match (change, place) {
            (Change::Set(name, values), Some(at)) => self.0[at] = (name.clone(), values.clone()),
            (Change::Append(_, values), Some(at)) => self.0[at].1.extend(values.clone()),
            (Change::Set(name, values) | Change::Append(name, values), None) => {
                self.0.push((name.clone(), values.clone()));
            }
            (Change::Remove(_), Some(at)) => drop(self.0.remove(at)),
            (Change::Remove(_), None) => {}
        }
    }

    fn render(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, values) in &self.0 {
            for value in values {
                out.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
            }
        }
        out
    }

    fn lines(&self) -> usize {
        self.0.iter().map(|(_, values)| values.len().max(1)).sum()
    }

    fn bytes(&self) -> usize {
        let bare = self.0.iter().filter(|(_, values)| values.is_empty());
        self.render().len() + bare.map(|(name, _)| name.len() + LINE_OVERHEAD).sum::<usize>()
    }
}

fn change() -> impl Strategy<Value = Change> {
    let name =
        select(vec!["x-a", "X-A", "x-b", "X-b", "x-c", "Date", "date", "Connection"]).prop_map(str::to_owned);
    let values = prop::collection::vec(prop::collection::vec(32..127_u8, 0..6), 0..4);
    (name, values, 0..4).prop_map(|(name, values, kind)| match kind {
        0 | 1 => Change::Set(name, values),
        2 => Change::Append(name, values),
        _ => Change::Remove(name),
    })
}

fn apply(fields: &mut Fields, change: &Change, limits: FieldLimits) -> Result<(), MessageError> {
    match change {
        Change::Set(name, values) => fields.set(name, values.clone(), limits),
        Change::Append(name, values) => fields.append(name, values.clone(), limits),
        Change::Remove(name) => {
            fields.remove(name);
            Ok(())
        }
    }
}

fn render(fields: &Fields) -> Vec<u8> {
    let mut out = BytesMut::new();
    fields.render(&mut out, |_| false);
    out.to_vec()
}

proptest! {
    #[test]
    fn fields_are_as_their_model(changes in prop::collection::vec(change(), 0..24)) {
        let limits = FieldLimits { bytes_max: usize::MAX, lines_max: usize::MAX };
        let (mut fields, mut model) = (Fields::default(), Model::default());
        for change in &changes {
            prop_assert_eq!(apply(&mut fields, change, limits), Ok(()));
            model.apply(change);
        }
        prop_assert_eq!(render(&fields), model.render());
        prop_assert_eq!(fields.bytes(), model.bytes());
        prop_assert_eq!(fields.names(), model.0.iter().map(|(name, _)| name.to_ascii_lowercase()).collect::<Vec<_>>());
        for (name, values) in &model.0 {
            prop_assert_eq!(fields.get(&name.to_ascii_uppercase()), Some(values.as_slice()));
            prop_assert_eq!(fields.first(name), values.first().map(Vec::as_slice));
        }
        prop_assert!(!fields.has("x-d"));
        let last = |name: &str| changes.iter().rev().find_map(|change| match change {
            Change::Remove(own) => own.eq_ignore_ascii_case(name).then_some(true),
            Change::Set(own, _) | Change::Append(own, _) => own.eq_ignore_ascii_case(name).then_some(false),
        });
        prop_assert_eq!(fields.suppressed.date, last("date").unwrap_or(false));
        prop_assert_eq!(fields.suppressed.connection, last("connection").unwrap_or(false));
    }

    #[test]
    fn a_change_over_the_limits_is_none(
        changes in prop::collection::vec(change(), 0..24),
        bytes_max in 0..120_usize,
        lines_max in 0..8_usize,
    ) {
        let limits = FieldLimits { bytes_max, lines_max };
        let (mut fields, mut model) = (Fields::default(), Model::default());
        for change in &changes {
            let before = render(&fields);
            match apply(&mut fields, change, limits) {
                Ok(()) => model.apply(change),
                Err(MessageError::LimitExceeded(_)) => prop_assert_eq!(render(&fields), before),
                Err(other) => prop_assert!(false, "{}", other),
            }
            prop_assert_eq!(render(&fields), model.render());
            prop_assert_eq!(fields.bytes(), model.bytes());
            prop_assert!(model.bytes() <= bytes_max && model.lines() <= lines_max);
        }
    }

    #[test]
    fn no_name_and_no_value_breaks_out_of_its_line(name: String, value: Vec<u8>) {
        let limits = FieldLimits { bytes_max: usize::MAX, lines_max: usize::MAX };
        let mut fields = Fields::default();
        if fields.set(&name, vec![value.clone()], limits).is_ok() {
            let line = render(&fields);
            let line = line.strip_suffix(b"\r\n").unwrap();
            prop_assert!(!line.iter().any(|byte| b"\r\n\0".contains(byte)));
            let colon = line.iter().position(|&byte| byte == b':').unwrap();
            prop_assert_eq!(&line[..colon], name.as_bytes());
            prop_assert_eq!(&line[colon..], [b": ", value.as_slice()].concat());
        } else {
            prop_assert!(render(&fields).is_empty() && fields.bytes() == 0);
        }
    }
}

#[test]
fn what_frames_a_message_has_one_value() {
    let limits = FieldLimits { bytes_max: usize::MAX, lines_max: usize::MAX };
    let bytes = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
    for (name, good, bad) in
        [("Content-LENGTH", "5", "5, 5"), ("transfer-encoding", "Chunked", "gzip, chunked")]
    {
        let mut fields = Fields::default();
        for values in [bytes(&[bad]), bytes(&[good, good])] {
            assert!(matches!(fields.set(name, values, limits), Err(MessageError::InvalidHeaderValue(_))));
        }
        assert_eq!(fields.set(name, bytes(&[good]), limits), Ok(()));
        assert!(fields.append(name, bytes(&[good]), limits).is_err());
        assert_eq!(fields.get(name), Some(&bytes(&[good])[..]));
    }
}

#[test]
fn pushed_lines_stay_where_and_as_they_are() {
    const LIMITS: FieldLimits = FieldLimits { bytes_max: 1024, lines_max: 16 };
    let mut fields = Fields::default();
    for (name, value) in [("X-A", "1"), ("B", "2"), ("x-a", "3")] {
        fields.push(name, value.as_bytes().to_vec(), LIMITS).unwrap();
    }
    let rendered = |fields: &Fields| {
        let mut out = BytesMut::new();
        fields.render(&mut out, |_| false);
        String::from_utf8(out.to_vec()).unwrap()
    };
    assert_eq!(rendered(&fields), "X-A: 1\r\nB: 2\r\nx-a: 3\r\n");
    assert_eq!(fields.values("x-A").collect::<Vec<_>>(), [b"1", b"3"]);
    assert_eq!(fields.names(), ["x-a", "b"]);
    fields.set("X-a", vec![b"4".to_vec()], LIMITS).unwrap();
    assert_eq!(rendered(&fields), "X-a: 4\r\nB: 2\r\n");
    assert_eq!(fields.bytes(), rendered(&fields).len());
    fields.push("b", b"5".to_vec(), LIMITS).unwrap();
    fields.remove("B");
    assert_eq!(rendered(&fields), "X-a: 4\r\n");
    fields.push("Content-Length", b"1".to_vec(), LIMITS).unwrap();
    assert!(fields.push("content-length", b"1".to_vec(), LIMITS).is_err());
}
