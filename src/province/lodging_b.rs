//! Lodging platform B: Vietnamese names, numbers as strings, local moments, cursors, basic
//! authentication; and for some facilities commune codes that the reform of July 2025 retired.

use super::draw::mix;
use super::facilities::Entry;
use super::ledger::Bad;
use super::returns::Stay;
use super::write::{Moment, Object, padded};
use crate::model::time::{Day, Stamp};

const KINDS: [&str; 7] =
    ["KHACH_SAN", "NHA_NGHI", "NHA_TRO", "HOMESTAY", "KY_TUC_XA", "CO_SO_Y_TE", "KHAC"];
const STATUSES: [&str; 3] = ["HOAT_DONG", "TAM_DUNG", "DONG_CUA"];

/// The user of the basic authentication.
pub(super) const USER: &str = "ioc";

/// `NA00123`
fn id(index: usize) -> String {
    format!("NA{:05}", index + 1)
}

/// Words a register entry; answers its key, kind and status as sent.
pub(super) fn facility(entry: &Entry, out: &mut Vec<u8>) -> (String, &'static str, &'static str) {
    let id = id(entry.index);
    let is_unknown = entry.bad == Some(Bad::UnknownCode);
    let kind = if is_unknown { "LAU_DAI" } else { KINDS[entry.kind as usize] };
    let status = STATUSES[entry.status];
    let mut object = Object::open(out);
    object.text("maCoSo", &id);
    object.quoted("maXa", |out| padded(out, u64::from(entry.commune_code), 5));
    object.text("loaiHinh", kind);
    object.digits("hangSao", u64::from(entry.stars));
    if entry.bad == Some(Bad::WrongType) {
        object.wrong_type("soPhong");
    } else {
        object.digits("soPhong", u64::from(entry.rooms));
    }
    object.digits("soGiuong", u64::from(entry.beds));
    object.text("tinhTrang", status);
    let connected = entry.connected.map(|day| day.start().0);
    object.moment("ngayKetNoi", connected, Moment::VietnameseDay);
    canary(&mut object, "nguoiQuanLy", "NAME", &id);
    canary(&mut object, "dienThoai", "PHONE", &id);
    object.moment("thoiDiemCapNhat", Some(entry.updated), Moment::Vietnamese);
    object.close();
    (id, kind, status)
}

/// Words a return; answers the facility's key.
pub(super) fn stay(stay: &Stay, out: &mut Vec<u8>) -> String {
    let id = id(stay.index);
    let mut object = Object::open(out);
    object.text("maCoSo", &id);
    object.moment("ngayLuuTru", Some(stay.day.start().0), Moment::VietnameseDay);
    object.quoted("maXa", |out| padded(out, u64::from(stay.commune_code), 5));
    object.digits("soPhongSanSang", u64::from(stay.rooms[0]));
    if stay.bad == Some(Bad::WrongType) {
        object.wrong_type("soPhongCoKhach");
    } else {
        object.digits("soPhongCoKhach", u64::from(stay.rooms[1]));
    }
    let columns = [
        ("khachTrongNuoc", stay.guests[0]),
        ("khachNuocNgoai", stay.guests[1]),
        ("demKhachTrongNuoc", stay.nights[0]),
        ("demKhachNuocNgoai", stay.nights[1]),
        ("luotDen", stay.moves[0]),
        ("luotDi", stay.moves[1]),
        ("soThongBao", stay.notices[0]),
        ("soThongBaoTre", stay.notices[1]),
    ];
    for (name, value) in columns {
        object.digits(name, u64::from(value));
    }
    canary(&mut object, "nguoiGui", "OFFICIAL", &id);
    object.moment("thoiDiemGui", Some(stay.reported), Moment::Vietnamese);
    let state = match (stay.bad, stay.is_withdrawn) {
        (Some(Bad::UnknownCode), _) => "KHONG_RO",
        (_, true) => "HUY",
        (_, false) => "HIEU_LUC",
    };
    object.text("trangThai", state);
    object.close();
    id
}

/// A field that holds personal data in reality.
fn canary(object: &mut Object<'_>, name: &str, tag: &str, id: &str) {
    object.quoted(name, |out| {
        for part in ["CANARY-", tag, "-", id] {
            out.extend_from_slice(part.as_bytes());
        }
    });
}

/// The envelope of a page; an empty cursor after the last one.
pub(super) fn envelope(records: &[u8], cursor: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() + 64);
    out.extend_from_slice(b"{\"result\":{\"rows\":[");
    out.extend_from_slice(records);
    out.extend_from_slice(format!("],\"cursor\":\"{cursor}\"}}}}").as_bytes());
    out
}

/// The password of a seed.
pub(super) fn password(seed: u64) -> String {
    format!("simulated-lodging-b-{:016x}", mix(seed, 0xB))
}

/// Reads `dd/MM/yyyy HH:mm:ss`; the beginning of time when absent.
pub(super) fn changed_since(text: Option<&String>) -> Option<Stamp> {
    let Some(text) = text else { return Some(Stamp(0)) };
    let (date, time) = text.split_once(' ')?;
    let parts: Vec<&str> = date.split('/').collect();
    let [day, month, year] = parts[..] else { return None };
    let day = Day::parse(&format!("{year}-{month}-{day}"))?;
    let parts: Vec<i64> = time.split(':').map_while(|part| part.parse().ok()).collect();
    let [hour, minute, second] = parts[..] else { return None };
    Some(Stamp(day.start().0 + hour * 3600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_moments() {
        let read = |text: &str| changed_since(Some(&text.to_owned()));
        assert_eq!(read("02/04/2024 08:15:09"), Stamp::parse("2024-04-02T08:15:09+07:00"));
        assert_eq!(read("2024-04-02T08:15:09"), None);
        assert_eq!(read("02/04/2024 08:15"), None);
        assert_eq!(changed_since(None), Some(Stamp(0)));
    }
}
