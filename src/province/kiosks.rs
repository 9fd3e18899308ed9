//! Sixty kiosks in hospitals, clinics and one-stop desks, each of which answers for itself.
//!
//! Where they stand is fixed and shipped as a target list (`config/targets/kiosks.json`); how they
//! are is a function of the seed, the kiosk and the quarter of an hour. A silent kiosk accepts a
//! connection and says nothing until the client goes away; nobody gets an event that it is down.

use super::areas::Areas;
use super::calendar::{at, weekday};
use super::draw::{Draw, mix};
use super::ledger::{Fact, Heartbeat, Note};
use super::write::{Moment, Object};
use crate::model::time::{DAY, LOCAL_OFFSET, Stamp};

/// How many kiosks there are, whatever the scale.
pub const KIOSKS: usize = 60;

const QUARTER: i64 = 900;
const TOPIC: u64 = 0xC105;

/// Where a kiosk stands, and when it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    Hospital,
    Clinic,
    HealthStation,
    OneStop,
    Notary,
    Police,
}

impl Site {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Hospital => "hospital",
            Self::Clinic => "clinic",
            Self::HealthStation => "health_station",
            Self::OneStop => "one_stop",
            Self::Notary => "notary",
            Self::Police => "police",
        }
    }

    /// Opening hours, in seconds of the day.
    pub(super) fn hours(self) -> (i64, i64) {
        match self {
            Self::Hospital => (6 * 3600, 20 * 3600),
            Self::Clinic | Self::HealthStation => (6 * 3600 + 1800, 17 * 3600),
            Self::OneStop | Self::Notary | Self::Police => (7 * 3600 + 1800, 17 * 3600),
        }
    }

    fn is_medical(self) -> bool {
        matches!(self, Self::Hospital | Self::Clinic | Self::HealthStation)
    }
}

/// One kiosk.
#[derive(Clone, Debug)]
pub(super) struct Kiosk {
    pub(super) id: String,
    pub(super) commune_code: u32,
    pub(super) site: Site,
}

impl Kiosk {
    pub(super) fn is_medical(&self) -> bool {
        self.site.is_medical()
    }
}

/// Shares of kiosks that are silent or slow at any time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet {
    /// Never answer.
    pub silent: f64,
    /// Answer after two to four seconds.
    pub slow: f64,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { silent: 4.0 / 60.0, slow: 3.0 / 60.0 }
    }
}

/// All kiosks: the biggest communes have them, the wards several.
pub(super) fn kiosks(areas: &Areas) -> Vec<Kiosk> {
    let mut order: Vec<usize> = (0..areas.all.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(areas.all[index].population));
    let first = [Site::Hospital, Site::OneStop, Site::Hospital, Site::Police];
    let second = [Site::OneStop, Site::HealthStation, Site::Clinic, Site::Notary];
    let site = |place: usize| if place < 40 { first[place % 4] } else { second[place % 4] };
    let kiosk = |place: usize| Kiosk {
        id: format!("KSK-{:03}", place + 1),
        commune_code: areas.all[order[place % 40]].code,
        site: site(place),
    };
    (0..KIOSKS).map(kiosk).collect()
}

/// The target list in the form that Prometheus reads as `file_sd`.
pub fn targets() -> String {
    let lines: Vec<String> = kiosks(&Areas::load())
        .iter()
        .map(|kiosk| {
            format!(
                "  {{\"targets\": [\"{}\"], \"labels\": {{\"commune_code\": \"{:05}\", \"site_type\": \"{}\"}}}}",
                kiosk.id,
                kiosk.commune_code,
                kiosk.site.word()
            )
        })
        .collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// What a kiosk does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Answers,
    /// After this many milliseconds.
    Slow(u64),
    Silent,
}

/// The kiosk's mood in the quarter of an hour of `now`.
pub(super) fn mood(seed: u64, fleet: Fleet, kiosk: usize, now: Stamp) -> Mood {
    let quarter = now.0.div_euclid(QUARTER);
    let key = |slot: i64| (slot as u64) << 8 | kiosk as u64;
    // Most silence lasts for hours (a cable, a power cut), some only for a quarter of one.
    let outage = Draw::new(seed, TOPIC, key(quarter / 24)).chance(fleet.silent * 0.75);
    let mut draw = Draw::new(seed, TOPIC + 1, key(quarter));
    if outage || draw.chance(fleet.silent * 0.25) {
        Mood::Silent
    } else if draw.chance(fleet.slow) {
        Mood::Slow(draw.between(2_000, 4_000) as u64)
    } else {
        Mood::Answers
    }
}

/// Words a kiosk's status. It is taken once a minute.
pub(super) fn status(
    seed: u64,
    kiosk: &Kiosk,
    index: usize,
    now: Stamp,
    out: &mut Vec<u8>,
) -> Note {
    let taken = now.0 - now.0.rem_euclid(60);
    let quarter = taken.div_euclid(QUARTER) as u64;
    let mut slot = Draw::new(seed, TOPIC + 2, quarter << 8 | index as u64);
    let state = match slot.below(1000) {
        0..20 => "out_of_service",
        20..75 => "degraded",
        75..90 => "maintenance",
        _ => "online",
    };
    let weak = slot.below(6) as usize;
    let second = (taken + LOCAL_OFFSET).rem_euclid(DAY);
    let (open, close) = kiosk.site.hours();
    let day = Stamp(taken).day();
    // Paper is refilled in the morning and runs out over the day.
    let used = (second - open).clamp(0, close - open) * 70 / (close - open);
    let started = at(day, 4 * 3600 + (mix(seed, index as u64) % 3600) as i64);
    let uptime =
        (taken - started).rem_euclid(DAY) as u64 + DAY as u64 * (day.0.rem_euclid(9) as u64);
    let is_open = (open..close).contains(&second) && weekday(day) < 6;
    let busiest = if is_open { 1 + 6 * u64::from(second < open + 10_800) } else { 0 };
    let queue = Draw::new(seed, TOPIC + 3, (taken as u64) << 8 | index as u64).below(busiest + 1);
    let heartbeat = Heartbeat {
        kiosk: kiosk.id.clone(),
        state,
        paper_percent: (98 - used) as u32,
        uptime_s: uptime,
        queue_len: queue as u32,
    };
    write_status(&heartbeat, taken, weak, out);
    Note { version: Stamp(taken), withdrawn: false, bad: None, fact: Fact::Heartbeat(heartbeat) }
}

fn write_status(heartbeat: &Heartbeat, taken: i64, weak: usize, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.text("kiosk_id", &heartbeat.kiosk);
    object.moment("at", Some(taken), Moment::Rfc3339);
    object.text("state", heartbeat.state);
    object.text("app_version", "2.4.1");
    let mut components = Object::open(object.value("components"));
    let parts = ["chip_reader", "fingerprint", "camera", "printer", "network", "payment"];
    for (index, part) in parts.into_iter().enumerate() {
        let health = match heartbeat.state {
            "degraded" if index == weak => "warn",
            "out_of_service" if index == weak => "fail",
            _ => "ok",
        };
        components.text(part, health);
    }
    components.close();
    object.number("paper_percent", u64::from(heartbeat.paper_percent));
    object.number("uptime_s", heartbeat.uptime_s);
    object.number("queue_len", u64::from(heartbeat.queue_len));
    object.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_target_list_is_this_fleet() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/targets/kiosks.json");
        let shipped = std::fs::read_to_string(path).unwrap();
        assert_eq!(shipped, targets());
        let parsed: serde_json::Value = serde_json::from_str(&shipped).unwrap();
        assert_eq!(parsed.as_array().unwrap().len(), KIOSKS);
        assert_eq!(parsed[0]["targets"][0], "KSK-001");
    }

    #[test]
    fn about_four_kiosks_are_silent_and_three_slow() {
        let (mut silent, mut slow) = (0, 0);
        for slot in 0..1_000 {
            for kiosk in 0..KIOSKS {
                match mood(9, Fleet::default(), kiosk, Stamp(1_790_000_000 + slot * 21_600)) {
                    Mood::Silent => silent += 1,
                    Mood::Slow(millis) => {
                        assert!((2_000..=4_000).contains(&millis));
                        slow += 1;
                    }
                    Mood::Answers => {}
                }
            }
        }
        assert!((3_300..4_600).contains(&silent), "{silent}");
        assert!((2_300..3_400).contains(&slow), "{slow}");
    }

    #[test]
    fn a_status_is_the_same_all_minute_and_parses() {
        let fleet = kiosks(&Areas::load());
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let minute = Stamp(1_790_000_040);
        let note = status(1, &fleet[3], 3, minute, &mut one);
        status(1, &fleet[3], 3, Stamp(minute.0 + 59), &mut two);
        assert_eq!(one, two);
        let parsed: serde_json::Value = serde_json::from_slice(&one).unwrap();
        assert_eq!(parsed["kiosk_id"], "KSK-004");
        assert_eq!(parsed["at"], note.version.rfc3339());
        assert_eq!(parsed["components"].as_object().unwrap().len(), 6);
    }
}
