//! Envoy's envelope around a session id: `base64(host:port);UV:base64(id)`.
//!
//! Envoy's `stateful_session` filter with the envelope extension shows clients the envelope and
//! upstreams the id; one line can have the envelope in the answer's header and the id in the
//! request's (Envoy's manual, "Envelope stateful session"). It does not know log lines.

/// Longest id that is taken out of an envelope, in bytes.
const MAX_ID: usize = 512;

/// Room for the id inside an envelope, made where there is one.
#[derive(Debug, Default)]
pub(super) struct Envelope(Option<[u8; MAX_ID]>);

/// The id inside an envelope; anything else as it stands.
pub(super) fn open<'a>(id: &'a [u8], room: &'a mut Envelope) -> &'a [u8] {
    // Nearly no id has a semicolon, and one byte is found sooner than four.
    let found = memchr::memchr(b';', id).and_then(|_| memchr::memmem::find(id, b";UV:"));
    let Some(at) = found else {
        return id;
    };
    let inner = id.get(at + 4..).unwrap_or_default();
    let room = room.0.insert([0; MAX_ID]);
    match decode(inner, room) {
        Some(length @ 1..) => room.get(..length).unwrap_or(id),
        _ => id,
    }
}

/// Decodes base64 (RFC 4648, section 4) into `room`; the length, unless it is none or too long.
fn decode(text: &[u8], room: &mut [u8]) -> Option<usize> {
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let (mut bits, mut count, mut length) = (0u32, 0, 0);
    for byte in text {
        bits = (bits << 6 | sextet(*byte)?) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            *room.get_mut(length)? = u8::try_from(bits >> count & 0xff).ok()?;
            length += 1;
        }
    }
    Some(length)
}

/// The value of a letter of base64.
fn sextet(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn envelopes_are_opened_and_ids_kept() {
        for (id, expected) in [
            (
                "MTI3LjAuMC4xOjIwMjEy;UV:YWZlMjdiNDUtZDY3MC00NzQ5LTkzN2UtYTAyYzM0MGI3N2Rh",
                "afe27b45-d670-4749-937e-a02c340b77da",
            ),
            ("aDox;UV:YQ==", "a"),
            ("aDox;UV:YWI=", "ab"),
            ("aDox;UV:YWJj", "abc"),
            ("aDox;UV:Pz8/Pj4+", "???>>>"),
            ("afe27b45-d670", "afe27b45-d670"),
            ("aDox;UV:", "aDox;UV:"),
            ("aDox;UV:a b", "aDox;UV:a b"),
            ("", ""),
        ] {
            let mut room = Envelope::default();
            let got = open(id.as_bytes(), &mut room);
            assert_eq!(got, expected.as_bytes(), "{id}");
        }
    }

    #[test]
    fn an_endless_id_stays_in_its_envelope() {
        let id = format!("aDox;UV:{}", "YWJj".repeat(MAX_ID));
        assert_eq!(open(id.as_bytes(), &mut Envelope::default()), id.as_bytes());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(id: Vec<u8>) {
            open(&id, &mut Envelope::default());
            open(&[b"x;UV:", &*id].concat(), &mut Envelope::default());
        }
    }
}
