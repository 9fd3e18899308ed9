//! How the portal leaves its contract: the same facts, said in another way than agreed.
//!
//! Done to the finished body, so that the records are drawn and worded as ever and the ledger holds
//! the same truth: only what is sent has changed, as after an upgrade that nobody announced.

/// In which way the portal leaves its contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stray {
    /// It keeps it.
    #[default]
    Not,
    /// The update stamp has another name.
    RenamedField,
    /// The update stamp is written in another way.
    ChangedType,
    /// Dossiers in processing have a status that was never heard of.
    NewCode,
    /// Every dossier has one field more.
    NewField,
}

impl Stray {
    /// The body as it is sent.
    pub(super) fn say(self, body: Vec<u8>) -> Vec<u8> {
        let (from, to): (&[u8], &[u8]) = match self {
            Self::Not => return body,
            Self::RenamedField => (b"\"NgayCapNhat\":", b"\"ThoiDiemCapNhat\":"),
            Self::ChangedType => (b"\"NgayCapNhat\":\"", b"\"NgayCapNhat\":\"D"),
            Self::NewCode => (b"\"TrangThaiHoSo\":\"4\"", b"\"TrangThaiHoSo\":\"44\""),
            Self::NewField => (b"\"NgayCapNhat\":", b"\"PhienBan\":\"2\",\"NgayCapNhat\":"),
        };
        let (mut said, mut rest) = (Vec::with_capacity(body.len()), body.as_slice());
        while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
            said.extend_from_slice(&rest[..at]);
            said.extend_from_slice(to);
            rest = &rest[at + from.len()..];
        }
        said.extend_from_slice(rest);
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_strays_and_nothing_else_changes() {
        let body =
            r#"[{"TrangThaiHoSo":"4","NgayCapNhat":"1"},{"TrangThaiHoSo":"9","NgayCapNhat":"2"}]"#;
        let said = |stray: Stray| String::from_utf8(stray.say(body.into())).unwrap();
        assert_eq!(said(Stray::Not), body);
        assert_eq!(said(Stray::RenamedField).matches("ThoiDiemCapNhat").count(), 2);
        assert_eq!(
            said(Stray::ChangedType),
            body.replace("\"1\"", "\"D1\"").replace("\"2\"", "\"D2\"")
        );
        assert_eq!(said(Stray::NewCode), body.replace("\"4\"", "\"44\""));
        assert_eq!(said(Stray::NewField).matches("PhienBan").count(), 2);
    }
}
