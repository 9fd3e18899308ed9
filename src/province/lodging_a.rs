//! Lodging platform A: English snake_case names, numbers as JSON numbers, RFC 3339 moments,
//! pages with numbers, an API key.

use super::draw::mix;
use super::facilities::Entry;
use super::ledger::Bad;
use super::returns::Stay;
use super::write::{Moment, Object, padded};
use crate::model::time::Stamp;

const KINDS: [&str; 7] =
    ["hotel", "guest_house", "rented_rooms", "homestay", "dormitory", "health_facility", "other"];
const STATUSES: [&str; 3] = ["active", "suspended", "closed"];

/// `CSLT-40-000123`
fn id(index: usize) -> String {
    format!("CSLT-40-{:06}", index + 1)
}

/// Words a register entry; answers its key, kind and status as sent.
pub(super) fn facility(entry: &Entry, out: &mut Vec<u8>) -> (String, &'static str, &'static str) {
    let id = id(entry.index);
    let is_unknown = entry.bad == Some(Bad::UnknownCode);
    let kind = if is_unknown { "castle" } else { KINDS[entry.kind as usize] };
    let status = STATUSES[entry.status];
    let mut object = Object::open(out);
    object.text("facility_id", &id);
    object.quoted("commune_code", |out| padded(out, u64::from(entry.commune_code), 5));
    object.text("facility_type", kind);
    object.number("star_rating", u64::from(entry.stars));
    if entry.bad == Some(Bad::WrongType) {
        object.wrong_type("rooms");
    } else {
        object.number("rooms", u64::from(entry.rooms));
    }
    object.number("beds", u64::from(entry.beds));
    object.text("status", status);
    match entry.connected {
        Some(day) => object.moment("connected_since", Some(day.start().0), Moment::IsoDay),
        None => object.value("connected_since").extend_from_slice(b"null"),
    }
    canary(&mut object, "manager_name", "NAME", &id);
    canary(&mut object, "phone", "PHONE", &id);
    object.moment("updated_at", Some(entry.updated), Moment::Rfc3339);
    object.close();
    (id, kind, status)
}

/// Words a return; answers the facility's key.
pub(super) fn stay(stay: &Stay, out: &mut Vec<u8>) -> String {
    let id = id(stay.index);
    let mut object = Object::open(out);
    object.text("facility_id", &id);
    object.moment("stay_date", Some(stay.day.start().0), Moment::IsoDay);
    object.quoted("commune_code", |out| padded(out, u64::from(stay.commune_code), 5));
    object.number("rooms_available", u64::from(stay.rooms[0]));
    if stay.bad == Some(Bad::WrongType) {
        object.wrong_type("rooms_occupied");
    } else {
        object.number("rooms_occupied", u64::from(stay.rooms[1]));
    }
    let columns = [
        ("guests_domestic", stay.guests[0]),
        ("guests_foreign", stay.guests[1]),
        ("guest_nights_domestic", stay.nights[0]),
        ("guest_nights_foreign", stay.nights[1]),
        ("arrivals", stay.moves[0]),
        ("departures", stay.moves[1]),
        ("notices_sent", stay.notices[0]),
        ("notices_late", stay.notices[1]),
    ];
    for (name, value) in columns {
        object.number(name, u64::from(value));
    }
    canary(&mut object, "reported_by", "OFFICIAL", &id);
    object.moment("reported_at", Some(stay.reported), Moment::Rfc3339);
    object.truth("deleted", stay.is_withdrawn);
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

/// The envelope of a page.
pub(super) fn envelope(records: &[u8], page: usize, pages: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() + 64);
    out.extend_from_slice(b"{\"items\":[");
    out.extend_from_slice(records);
    out.extend_from_slice(format!("],\"page\":{page},\"pages\":{pages}}}").as_bytes());
    out
}

/// The API key of a seed.
pub(super) fn key(seed: u64) -> String {
    format!("simulated-lodging-a-{:016x}", mix(seed, 0xA))
}

/// Reads `changed_since`; the beginning of time when absent.
pub(super) fn changed_since(text: Option<&String>) -> Option<Stamp> {
    text.map_or(Some(Stamp(0)), |text| Stamp::parse(text))
}
