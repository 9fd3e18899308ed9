//! JSON written straight into a byte buffer.
//!
//! Half a gigabyte of dossiers passes here in a demo, so records are never built as trees or
//! strings first. Values are ours and need no escaping; a test parses what comes out.

use crate::model::time::{DAY, LOCAL_OFFSET, Stamp};

/// How a system writes a moment in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// `20240402081500`
    Compact,
    /// `2024-04-02T08:15:00+07:00`
    Rfc3339,
    /// `02/04/2024 08:15:00`
    Vietnamese,
    /// `2024-04-02`
    IsoDay,
    /// `02/04/2024`
    VietnameseDay,
    /// `2024-04-02 08:15:00`
    Sortable,
    /// `1712020500`
    Unix,
}

/// Appends a number in decimal.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    padded(out, value, 1);
}

/// Appends a number in decimal with at least `width` digits.
pub(super) fn padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = 20;
    while value > 0 || 20 - start < width.min(20) {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a moment.
pub(super) fn moment(out: &mut Vec<u8>, at: i64, shape: Moment) {
    let date = Stamp(at).day().date();
    let second = (at + LOCAL_OFFSET).rem_euclid(DAY) as u64;
    let (year, month, day) = (date.year() as u64, date.month() as u64, date.day() as u64);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let parts = |out: &mut Vec<u8>, parts: [u64; 3], separator: &[u8]| {
        for (n, part) in parts.into_iter().enumerate() {
            if n > 0 {
                out.extend_from_slice(separator);
            }
            padded(out, part, 2);
        }
    };
    let ymd = |out: &mut Vec<u8>, separator| parts(out, [year, month, day], separator);
    let dmy = |out: &mut Vec<u8>, separator| parts(out, [day, month, year], separator);
    let time = |out: &mut Vec<u8>, separator| parts(out, [hour, minute, second], separator);
    match shape {
        Moment::Compact => {
            ymd(out, b"");
            time(out, b"");
        }
        Moment::Rfc3339 => {
            ymd(out, b"-");
            out.push(b'T');
            time(out, b":");
            out.extend_from_slice(b"+07:00");
        }
        Moment::Vietnamese => {
            dmy(out, b"/");
            out.push(b' ');
            time(out, b":");
        }
        Moment::IsoDay => ymd(out, b"-"),
        Moment::VietnameseDay => dmy(out, b"/"),
        Moment::Sortable => {
            ymd(out, b"-");
            out.push(b' ');
            time(out, b":");
        }
        Moment::Unix => number(out, at.max(0) as u64),
    }
}

/// A JSON object being written. Call [`Object::close`] at its end.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }

    /// Writes the name; the caller writes the value.
    pub(super) fn value(&mut self, name: &str) -> &mut Vec<u8> {
        self.out.extend_from_slice(if self.is_empty { b"\"" } else { b",\"" });
        self.is_empty = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Writes name and quotes; the caller writes what stands between them.
    pub(super) fn quoted(&mut self, name: &str, content: impl FnOnce(&mut Vec<u8>)) {
        let out = self.value(name);
        out.push(b'"');
        content(out);
        out.push(b'"');
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.quoted(name, |out| out.extend_from_slice(text.as_bytes()));
    }

    /// A bare JSON number.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        number(self.value(name), value);
    }

    /// A number as a string.
    pub(super) fn digits(&mut self, name: &str, value: u64) {
        self.quoted(name, |out| number(out, value));
    }

    /// A bare JSON boolean.
    pub(super) fn truth(&mut self, name: &str, value: bool) {
        self.value(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A moment as a string; empty when there is none.
    pub(super) fn moment(&mut self, name: &str, at: Option<i64>, shape: Moment) {
        self.quoted(name, |out| {
            if let Some(at) = at {
                moment(out, at, shape);
            }
        });
    }

    /// A value of a type that does not belong here.
    pub(super) fn wrong_type(&mut self, name: &str) {
        self.value(name).extend_from_slice(b"[\"CANARY-WRONG-TYPE\"]");
    }

    /// An array of `count` objects.
    pub(super) fn objects(
        &mut self,
        name: &str,
        count: usize,
        mut each: impl FnMut(usize, &mut Object<'_>),
    ) {
        let out = self.value(name);
        out.push(b'[');
        for index in 0..count {
            if index > 0 {
                out.push(b',');
            }
            let mut object = Object::open(out);
            each(index, &mut object);
            object.close();
        }
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_each_systems_way() {
        let at = Stamp::parse("2024-04-02T08:15:09+07:00").unwrap().0;
        let written = |shape| {
            let mut out = Vec::new();
            moment(&mut out, at, shape);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(Moment::Compact), "20240402081509");
        assert_eq!(written(Moment::Rfc3339), "2024-04-02T08:15:09+07:00");
        assert_eq!(written(Moment::Vietnamese), "02/04/2024 08:15:09");
        assert_eq!(written(Moment::IsoDay), "2024-04-02");
        assert_eq!(written(Moment::VietnameseDay), "02/04/2024");
        assert_eq!(written(Moment::Sortable), "2024-04-02 08:15:09");
        assert_eq!(written(Moment::Unix), "1712020509");
    }

    #[test]
    fn what_is_written_parses() {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.digits("a", 0);
        object.number("b", 1234);
        object.truth("c", true);
        object.moment("d", None, Moment::Compact);
        object.objects("e", 2, |index, item| item.number("n", index as u64));
        object.close();
        let parsed: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let wanted =
            serde_json::json!({"a": "0", "b": 1234, "c": true, "d": "", "e": [{"n": 0}, {"n": 1}]});
        assert_eq!(parsed, wanted);
    }
}
