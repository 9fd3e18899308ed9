//! Digital citizenship: how many people of a commune have what a digital citizen needs, by month.
//!
//! English REST with nested objects, the next page behind a link, a key in a header, seconds since 1970.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::at;
use super::draw::{Draw, mix};
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Monthly, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day};

const TOPIC: u64 = 0xC171;

const HOST: Host = Host {
    variable: "CITIZENS_URL",
    path: "citizens",
    guard: Guard::Key("x-client-key"),
    secret_file: "citizens_key",
};

static MONTHS: Office = Office {
    system: System::Citizens,
    contract: "digital_citizenship",
    host: &HOST,
    path: "/rest/v2/communes/monthly",
    paging: Paging::Links,
    since: ("updatedSince", Moment::Unix),
    size: "pageSize",
    wire: Wire::Json { open: r#"{"results":["#, close: r#"],"links":{"next":{next}}}"# },
    columns: &[
        Column("commune/code", "commune", Shape::Plain),
        Column("period/from", "month", Shape::At(Moment::IsoDay)),
        Column("period/to", "period_end", Shape::At(Moment::IsoDay)),
        Column("counts/aged14AndOver", "population_14plus", Shape::Plain),
        Column("counts/idCards", "id_cards", Shape::Plain),
        Column("counts/eidLevel2", "eid_level2_activated", Shape::Plain),
        Column("counts/portalAccounts", "portal_accounts", Shape::Plain),
        Column("counts/digitalSignatures", "digital_signatures", Shape::Plain),
        Column("counts/communityTeam", "community_team_members", Shape::Plain),
        Column("payments/social", "social_payments", Shape::Plain),
        Column("payments/socialCashless", "cashless_social_payments", Shape::Plain),
        Column("contact/email", "", Shape::Canary("EMAIL-CITIZENS")),
        Column("updated", "updated_at", Shape::At(Moment::Unix)),
    ],
    key: &["commune", "month"],
    code_day: Some("month"),
    // A record without a key of its own can only lie in another time: in a place that is none, many would
    // share one key.
    flaws: Flaws { ways: &[Bad::FutureDate], number: "", code: "", day: "month" },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    let book = Months { monthly: Monthly::new(world), seed: world.seed, areas: Arc::clone(areas) };
    vec![(&MONTHS, Box::new(book))]
}

#[derive(Debug)]
struct Months {
    monthly: Monthly,
    seed: u64,
    areas: Arc<Areas>,
}

impl Months {
    /// A month's figures stand from its first morning, and are counted again in its middle.
    fn stamps(&self, month: Day, commune: u64) -> [i64; 2] {
        let first = at(self.monthly.told_on(month), 5 * 3600 + commune as i64);
        [first, first + 14 * DAY]
    }
}

impl Book for Months {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        let Some(month) = self.monthly.beginning(day) else { return };
        for commune in 0..self.areas.all.len() as u64 {
            emit((month.0 as u64) << 16 | commune, &self.stamps(month, commune));
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let (month, commune) = (Day((key >> 16) as i32), key & 0xFFFF);
        let mut draw = Draw::new(self.seed, TOPIC, commune);
        // A thousandth of the people a month learn something new.
        let grown = (mix(month.0 as u64, 7) % 20) as i64 + i64::from(version.min(1) as u8) * 3;
        let people = i64::from(self.areas.all[commune as usize].population) * 3 / 4;
        let share = |draw: &mut Draw, low: i64, high: i64| {
            (people * (draw.between(low, high) + grown) / 1_000).min(people)
        };
        let payments = people / 20 + 5;
        Told {
            commune: commune as usize,
            thing: commune,
            at: self.stamps(month, commune)[version.min(1)],
            withdrawn: false,
            cells: vec![
                ("month", month.into()),
                ("period_end", Monthly::last(month).into()),
                ("population_14plus", people.into()),
                ("id_cards", share(&mut draw, 900, 970).into()),
                ("eid_level2_activated", share(&mut draw, 480, 780).into()),
                ("portal_accounts", share(&mut draw, 200, 520).into()),
                ("digital_signatures", share(&mut draw, 20, 160).into()),
                ("community_team_members", draw.between(12, 60).into()),
                ("social_payments", payments.into()),
                ("cashless_social_payments", (payments * draw.between(300, 900) / 1_000).into()),
            ],
        }
    }
}
