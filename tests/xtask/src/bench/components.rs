//! Components that do the same and are not the same: each is compiled and
//! kept for itself, as those of different authors are.

/// The component with a custom section that holds a number.
pub fn numbered(component: &[u8], number: u32) -> Vec<u8> {
    const NAME: &[u8] = b"number";
    let content = number.to_le_bytes();
    // Section 0 is a custom one; both lengths are below 128 and so one byte.
    let length = 1 + NAME.len() + content.len();
    let mut made = component.to_vec();
    made.extend([0, length as u8, NAME.len() as u8]);
    made.extend(NAME);
    made.extend(content);
    made
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_section_is_appended() {
        assert_eq!(super::numbered(b"x", 258), b"x\x00\x0b\x06number\x02\x01\x00\x00");
    }
}
