//! What the host puts over a request head before a guest sees it: another
//! target, other header lines. What came stays as it is beneath, and costs
//! nothing more where nothing is put over it.

/// What a guest is to see in place of what came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    /// Another target.
    pub target: Option<String>,
    /// Header lines in place of all that came under their names; at the end if
    /// none did. Names are tokens and values are field values: whoever makes
    /// an overlay sees to that.
    pub set: Vec<(String, Vec<u8>)>,
    /// Headers that the guest does not see.
    pub removed: Vec<&'static str>,
}

/// An overlay that was fitted to a head.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) target: Option<String>,
    /// None if all lines are as they came.
    pub(super) lines: Option<Vec<LaidLine>>,
}

#[derive(Debug)]
pub(super) enum LaidLine {
    /// The line of this index.
    Came(usize),
    /// A line of the host's.
    Set(String, Vec<u8>),
}

impl Overlay {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.target.is_none() && self.set.is_empty() && self.removed.is_empty()
    }

    /// Fits it to a head with lines of these names.
    pub(super) fn lay<'a>(self, names: impl Iterator<Item = &'a str>) -> Laid {
        if self.set.is_empty() && self.removed.is_empty() {
            return Laid { target: self.target, lines: None };
        }
        let mut set: Vec<_> = self.set.into_iter().map(Some).collect();
        let set_names: Vec<_> = set.iter().flatten().map(|(name, _)| name.clone()).collect();
        let mut lines = Vec::new();
        for (at, name) in names.enumerate() {
            if self.removed.iter().any(|removed| removed.eq_ignore_ascii_case(name)) {
                continue;
            }
            let of_name = |other: &String| other.eq_ignore_ascii_case(name);
            if !set_names.iter().any(of_name) {
                lines.push(LaidLine::Came(at));
                continue;
            }
            // All lines of the name stand where the first one stood.
            for line in &mut set {
                if let Some((name, value)) = line.take_if(|(other, _)| of_name(other)) {
                    lines.push(LaidLine::Set(name, value));
                }
            }
        }
        lines.extend(set.into_iter().flatten().map(|(name, value)| LaidLine::Set(name, value)));
        Laid { target: self.target, lines: Some(lines) }
    }
}
