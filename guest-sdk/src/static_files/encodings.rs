//! In which variant a file is sent: plain, or as it was compressed beforehand
//! (RFC 9110 12.5.3).

use include_dir::Dir;

use super::{Variant, content_type, etag};

/// The codings that there may be, in the order in which we would have it: the
/// ends of the files' names, and what they are called in HTTP.
const CODINGS: [(&str, &str); 2] = [("br", "br"), ("gz", "gzip")];

/// The variant of a file that there is for a client that accepts this.
pub fn choose(dir: &'static Dir<'static>, path: &str, accepted: Option<&str>) -> Variant {
    let mut best: Option<(u32, &'static str, &'static [u8])> = None;
    let mut varies = false;
    for (end, coding) in CODINGS {
        let Some(file) = dir.get_file(format!("{path}.{end}")) else { continue };
        varies = true;
        let weight = accepted.map_or(0, |accepted| weight(accepted, coding));
        if weight > best.map_or(0, |(best, ..)| best) {
            best = Some((weight, coding, file.contents()));
        }
    }
    let (encoding, content) = match best {
        Some((_, coding, content)) => (Some(coding), content),
        None => (None, dir.get_file(path).map_or(&[][..], |file| file.contents())),
    };
    Variant { content, content_type: content_type(path), encoding, varies, etag: etag(content) }
}

/// How much a coding is wanted, in thousandths; 0 if it is not.
fn weight(accepted: &str, coding: &str) -> u32 {
    let mut any = 0;
    for item in accepted.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok()).unwrap_or(0.0);
        // A saturating cast: what is no weight is 0.
        let weight = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
        if name.eq_ignore_ascii_case(coding) || (coding == "gzip" && name.eq_ignore_ascii_case("x-gzip")) {
            return weight;
        }
        if name == "*" {
            any = weight;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::weight;

    #[test]
    fn weights() {
        for (accepted, coding, expected) in [
            ("gzip, br", "br", 1000),
            ("GZIP;q=0.5", "gzip", 500),
            ("x-gzip", "gzip", 1000),
            ("*;q=0.1", "br", 100),
            ("*, br;q=0", "br", 0),
            ("gzip", "br", 0),
            ("", "br", 0),
            ("br; q=nonsense", "br", 0),
            ("br;q=NaN", "br", 0),
            ("br;q=7", "br", 1000),
        ] {
            assert_eq!(weight(accepted, coding), expected, "{accepted} of {coding}");
        }
    }
}
