//! The two facts of a certificate that are needed beyond its verification: when it ends, and the key
//! that it speaks for. Read by hand, for a handful of nested lengths is no reason for a dependency.

use jiff::civil::DateTime;

use crate::model::time::{DAY, Day, Stamp};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What is read of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts<'a> {
    /// Its last moment.
    pub(super) ends: Stamp,
    /// Its key, as a whole `SubjectPublicKeyInfo`.
    pub(super) key: &'a [u8],
}

/// Reads a certificate in DER; nothing if it is none.
pub(super) fn facts(certificate: &[u8]) -> Option<Facts<'_>> {
    let signed = Element::first(certificate).filter(|found| found.tag == SEQUENCE)?;
    let mut rest = Element::first(signed.content).filter(|found| found.tag == SEQUENCE)?.content;
    let mut next = || -> Option<Element<'_>> {
        let element = Element::first(rest)?;
        rest = &rest[element.whole.len()..];
        Some(element)
    };
    // An explicit version may come first; then serial number, signature and issuer.
    let is_versioned = next()?.tag == 0xa0;
    for _ in 0..(if is_versioned { 3 } else { 2 }) {
        next()?;
    }
    let validity = next()?.content;
    let begins = Element::first(validity)?;
    let ends = moment(&Element::first(&validity[begins.whole.len()..])?)?;
    next()?;
    let key = next().filter(|found| found.tag == SEQUENCE)?.whole;
    Some(Facts { ends, key })
}

/// One element of DER.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Element<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let (tag, first) = (*bytes.first()?, *bytes.get(1)?);
        let (length, head) = match first {
            0..=0x7f => (usize::from(first), 2),
            // 0x80 would be an end that is found later, which DER does not know.
            0x81..=0x83 => {
                let size = usize::from(first & 0x7f);
                let digits = bytes.get(2..2 + size)?;
                let length = digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (length, 2 + size)
            }
            _ => return None,
        };
        let whole = bytes.get(..head + length)?;
        Some(Self { tag, content: &whole[head..], whole })
    }
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`; both in UTC.
fn moment(element: &Element<'_>) -> Option<Stamp> {
    let text = std::str::from_utf8(element.content).ok()?;
    let full = match element.tag {
        UTC_TIME => {
            let century = if *text.as_bytes().first()? >= b'5' { "19" } else { "20" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%SZ", &full).ok()?;
    let day = i64::from(Day::from_date(at.date()).0) * DAY;
    let second = i64::from(at.hour()) * 3600 + i64::from(at.minute()) * 60 + i64::from(at.second());
    Some(Stamp(day + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(until: (i32, u8, u8)) -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(["portal.example".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_spellings() {
        for (until, text) in
            [((2031, 2, 3), "2031-02-03T00:00:00Z"), ((2063, 12, 31), "2063-12-31T00:00:00Z")]
        {
            let made = certificate(until);
            assert_eq!(facts(&made).unwrap().ends, Stamp::parse(text).unwrap());
        }
    }

    #[test]
    fn a_certificate_that_is_cut_or_garbled_is_none_and_never_a_panic() {
        let made = certificate((2031, 2, 3));
        for cut in 0..made.len() {
            assert_eq!(facts(&made[..cut]), None, "cut at {cut}");
        }
        for at in 0..made.len() {
            for bit in 0..8 {
                let mut garbled = made.clone();
                garbled[at] ^= 1 << bit;
                let _ = facts(&garbled);
            }
        }
    }
}
