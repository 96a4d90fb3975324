use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1024, count_max: 16 };

/// What a decoder makes of bytes: the data so far, and how it ended: with
/// trailers and what is left behind them, with nothing yet, or with a fault.
type Decoded = (Vec<u8>, Result<Option<(Vec<Line>, Vec<u8>)>, ClientFault>);

fn decode(bytes: &[u8], places: &[Index]) -> Decoded {
    let mut places: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let (mut chunked, mut buffer) = (Chunked::default(), BytesMut::new());
    let (mut data, mut from) = (Vec::new(), 0);
    for to in places.into_iter().chain([bytes.len()]) {
        buffer.extend_from_slice(&bytes[from..to]);
        from = to;
        loop {
            match chunked.advance(&mut buffer, LIMITS) {
                Ok(Found::Data(_)) if buffer.is_empty() => break,
                Ok(Found::Data(left)) => {
                    let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    data.extend_from_slice(&buffer.split_to(count));
                    chunked.consume(count as u64);
                }
                Ok(Found::NeedMore) => break,
                Ok(Found::End(trailers)) => {
                    buffer.extend_from_slice(&bytes[from..]);
                    return (data, Ok(Some((trailers, buffer.to_vec()))));
                }
                Err(fault) => return (data, Err(fault)),
            }
        }
    }
    (data, Ok(None))
}

/// A piece of a body, with an extension.
fn chunk() -> impl Strategy<Value = (Vec<u8>, String)> {
    (prop::collection::vec(any::<u8>(), 1..40), "(;[!-~]{0,8})?")
}

fn chunks() -> impl Strategy<Value = Vec<(Vec<u8>, String)>> {
    prop::collection::vec(chunk(), 0..8)
}

fn trailers() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(("[A-Za-z0-9-]{1,8}", "([!-~]([ -~]{0,10}[!-~])?)?"), 0..8)
}

fn places() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..16)
}

fn encode(chunks: &[(Vec<u8>, String)], trailers: &[(String, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (data, extension) in chunks {
        bytes.extend(format!("{:X}{extension}\r\n", data.len()).bytes());
        bytes.extend_from_slice(data);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n");
    trailers.iter().for_each(|(name, value)| bytes.extend(format!("{name}: {value}\r\n").bytes()));
    bytes.extend(b"\r\n");
    bytes
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        chunks in chunks(),
        trailers in trailers(),
        rest in "[a-z]{0,9}",
        places in places(),
    ) {
        let bytes = [encode(&chunks, &trailers).as_slice(), rest.as_bytes()].concat();
        let (data, end) = decode(&bytes, &places);
        let sent: Vec<_> = chunks.into_iter().flat_map(|(data, _)| data).collect();
        prop_assert_eq!(data, sent);
        let lines = trailers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        prop_assert_eq!(end, Ok(Some((lines, rest.into_bytes()))));
    }

    #[test]
    fn any_split_gives_the_same_body(
        chunks in chunks(),
        trailers in trailers(),
        damage: (Index, u8),
        places in places(),
    ) {
        let mut bytes = encode(&chunks, &trailers);
        let place = damage.0.index(bytes.len());
        bytes[place] = damage.1;
        prop_assert_eq!(decode(&bytes, &places), decode(&bytes, &[]));
    }

    #[test]
    fn any_bytes_are_decoded_without_harm(bytes: Vec<u8>, places in places()) {
        prop_assert_eq!(decode(&bytes, &places), decode(&bytes, &[]));
    }

    #[test]
    fn a_beginning_is_neither_an_end_nor_a_fault(
        chunks in chunks(),
        trailers in trailers(),
        cut: Index,
    ) {
        let bytes = encode(&chunks, &trailers);
        let (_, end) = decode(&bytes[..cut.index(bytes.len())], &[]);
        prop_assert_eq!(end, Ok(None));
    }
}

#[test]
fn trailers_have_the_limits_of_heads() {
    let lines = |count: usize| format!("0\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert!(matches!(decode(lines(16).as_bytes(), &[]).1, Ok(Some(_))));
    assert_eq!(decode(lines(17).as_bytes(), &[]).1, Err(ClientFault::TooManyHeaders));
    let value = |length: usize| format!("0\r\na: {}\r\n\r\n", "b".repeat(length));
    assert!(matches!(decode(value(1022).as_bytes(), &[]).1, Ok(Some(_))));
    assert_eq!(decode(value(1023).as_bytes(), &[]).1, Err(ClientFault::HeadTooLarge));
    // Blanks, which no other limit counts; with an end, and without one.
    let blanks = format!("0\r\na:{}b\r\n\r\n", " ".repeat(LIMITS.raw_bytes_max()));
    assert_eq!(decode(blanks.as_bytes(), &[]).1, Err(ClientFault::HeadTooLarge));
    assert_eq!(decode(&blanks.as_bytes()[..blanks.len() - 4], &[]).1, Err(ClientFault::HeadTooLarge));
}

#[test]
fn extensions_have_a_limit_of_their_own() {
    let chunk = |length: usize| format!("1;{}\r\na\r\n", "x".repeat(length));
    let body = chunk(EXTENSION_BYTES_MAX / 2).repeat(2);
    assert_eq!(decode(body.as_bytes(), &[]), (b"aa".to_vec(), Ok(None)));
    let body = body + &chunk(1);
    assert_eq!(decode(body.as_bytes(), &[]), (b"aa".to_vec(), Err(ClientFault::BodyTooLarge)));
}
