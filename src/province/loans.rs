//! Unsecured loans to poor, near-poor and meritorious households, and how many such households there
//! are. A loan is known by a hash alone; the bank sends it again whenever something about it changes.
//!
//! The bank exports lines of JSON, dates its changes by the day, and issues tokens.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::{at, is_working};
use super::draw::{Draw, mix};
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Monthly, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::Day;

const TOPIC: u64 = 0x10A4;
const A_DAY: f64 = 14.0;
const CLASSES: [&str; 3] = ["poor", "near_poor", "meritorious"];
const BANKS: [&str; 3] = ["policy_bank", "bank_a", "bank_b"];

const HOST: Host = Host {
    variable: "LOANS_URL",
    path: "loans",
    guard: Guard::Token("/oauth2/token"),
    secret_file: "loans_secret",
};

const CLASS_WORDS: Shape =
    Shape::Words(&[("poor", "NGHEO"), ("near_poor", "CAN_NGHEO"), ("meritorious", "CO_CONG")]);

static LOANS: Office = Office {
    system: System::Loans,
    contract: "loans",
    host: &HOST,
    path: "/export/loans.ndjson",
    paging: Paging::Numbers("page"),
    since: ("changed_from", Moment::IsoDay),
    size: "lines",
    wire: Wire::Ndjson,
    columns: &[
        Column("loanHash", "loan", Shape::Plain),
        Column("branchCommune", "commune", Shape::Plain),
        Column("bank", "bank_code", Shape::Plain),
        Column("householdClass", "household_class", CLASS_WORDS),
        Column("applied", "applied_on", Shape::At(Moment::IsoDay)),
        Column("decision/date", "decided_on", Shape::At(Moment::IsoDay)),
        Column("decision/outcome", "decision", Shape::Plain),
        Column("disbursed/date", "disbursed_on", Shape::At(Moment::IsoDay)),
        Column("disbursed/vnd", "disbursed_vnd", Shape::Plain),
        Column("outstandingVnd", "outstanding_vnd", Shape::Plain),
        Column("debtGroup", "debt_group", Shape::Plain),
        Column("closed", "closed_on", Shape::At(Moment::IsoDay)),
        Column("scoredByVneid", "vneid_scored", Shape::Plain),
        Column("borrower/fullName", "", Shape::Canary("NAME-LOANS")),
        Column("borrower/idNumber", "", Shape::Canary("ID-LOANS")),
        Column("changedAt", "updated_at", Shape::At(Moment::Rfc3339)),
    ],
    key: &["loan"],
    code_day: Some("applied_on"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate],
        number: "vneid_scored",
        code: "bank_code",
        day: "applied_on",
    },
};

static HOUSEHOLDS: Office = Office {
    system: System::Households,
    contract: "eligible_households",
    host: &HOST,
    path: "/export/eligible-households.ndjson",
    paging: Paging::Numbers("page"),
    since: ("changed_from", Moment::IsoDay),
    size: "lines",
    wire: Wire::Ndjson,
    columns: &[
        Column("commune", "commune", Shape::Plain),
        Column("householdClass", "household_class", CLASS_WORDS),
        Column("monthBegins", "month", Shape::At(Moment::IsoDay)),
        Column("monthEnds", "period_end", Shape::At(Moment::IsoDay)),
        Column("households", "households", Shape::Plain),
        Column("changedAt", "updated_at", Shape::At(Moment::Rfc3339)),
    ],
    key: &["commune", "household_class", "month"],
    code_day: Some("month"),
    // A record without a key of its own can only lie in another time: in a place that is none, many would
    // share one key.
    flaws: Flaws { ways: &[Bad::FutureDate], number: "", code: "", day: "month" },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    vec![
        (&LOANS, Box::new(Loans { world: world.clone(), areas: Arc::clone(areas) })),
        (
            &HOUSEHOLDS,
            Box::new(Households { monthly: Monthly::new(world), areas: Arc::clone(areas) }),
        ),
    ]
}

#[derive(Debug)]
struct Loans {
    world: World,
    areas: Arc<Areas>,
}

struct Life {
    draw: Draw,
    applied: Day,
    decided: Day,
    disbursed: Option<Day>,
    closed: Option<Day>,
    /// When each version appears: applied, decided, disbursed, two repayments, closed.
    stamps: Vec<i64>,
}

impl Loans {
    fn life(&self, key: u64) -> Life {
        let mut draw = Draw::new(self.world.seed, TOPIC, key);
        let applied = Day((key >> 16) as i32);
        let decided = applied.plus(draw.between(2, 24) as i32);
        let disbursed = draw.chance(0.82).then(|| decided.plus(draw.between(1, 6) as i32));
        let closed = disbursed
            .filter(|_| draw.chance(0.15))
            .map(|from| from.plus(draw.between(95, 130) as i32));
        let days = [Some(applied), Some(decided)].into_iter().chain([
            disbursed,
            disbursed.map(|day| day.plus(30)),
            disbursed.map(|day| day.plus(60)),
            closed,
        ]);
        let second = 17 * 3600 + (mix(key, 1) % 3_600) as i64;
        let stamps = days.flatten().map(|day| at(day, second)).collect();
        Life { draw, applied, decided, disbursed, closed, stamps }
    }
}

impl Book for Loans {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        if !is_working(day) {
            return;
        }
        let mut draw = Draw::new(self.world.seed, TOPIC + 1, day.0 as u64);
        for serial in 0..u64::from(draw.round(A_DAY * self.world.scale)).max(1) {
            let key = (day.0 as u64) << 16 | serial;
            emit(key, &self.life(key).stamps);
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let Life { mut draw, applied, decided, disbursed, closed, stamps } = self.life(key);
        let version = version.min(stamps.len() - 1);
        let amount = draw.between(10, 100) * 1_000_000;
        let is_bad = draw.chance(0.04);
        let is_decided = version >= 1;
        let paid_out = disbursed.filter(|_| version >= 2);
        let is_closed = closed.is_some() && version == stamps.len() - 1;
        let owed = match version {
            _ if is_closed => 0,
            3 => amount * 9 / 10,
            4.. => amount * 8 / 10,
            _ => amount,
        };
        let group = if is_bad && version >= 4 && !is_closed { draw.between(3, 5) } else { 1 };
        let decision = if disbursed.is_some() { "approved" } else { "rejected" };
        Told {
            commune: self.areas.pick(&mut draw),
            thing: key,
            at: stamps[version],
            withdrawn: false,
            cells: vec![
                ("loan", format!("{:016x}", mix(self.world.seed, key)).into()),
                ("bank_code", BANKS[draw.below(3) as usize].into()),
                ("household_class", CLASSES[draw.below(3) as usize].into()),
                ("applied_on", applied.into()),
                ("decided_on", is_decided.then_some(decided).into()),
                ("decision", if is_decided { decision } else { "pending" }.into()),
                ("disbursed_on", paid_out.into()),
                ("disbursed_vnd", paid_out.map(|_| amount).into()),
                ("outstanding_vnd", paid_out.map(|_| owed).into()),
                ("debt_group", paid_out.map(|_| group.to_string()).into()),
                ("closed_on", closed.filter(|_| is_closed).into()),
                ("vneid_scored", draw.chance(0.6).into()),
            ],
        }
    }
}

#[derive(Debug)]
struct Households {
    monthly: Monthly,
    areas: Arc<Areas>,
}

impl Book for Households {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        let Some(month) = self.monthly.beginning(day) else { return };
        for place in 0..self.areas.all.len() as u64 * 3 {
            emit((month.0 as u64) << 16 | place, &[at(day, 6 * 3600 + place as i64)]);
        }
    }

    fn tell(&self, key: u64, _: usize) -> Told {
        let (month, place) = (Day((key >> 16) as i32), key & 0xFFFF);
        let (commune, class) = ((place / 3) as usize, (place % 3) as usize);
        let people = u64::from(self.areas.all[commune].population);
        let share = [28, 45, 20][class];
        let fewer = mix(month.0 as u64, place) % 5;
        Told {
            commune,
            thing: place,
            at: at(self.monthly.told_on(month), 6 * 3600 + place as i64),
            withdrawn: false,
            cells: vec![
                ("household_class", CLASSES[class].into()),
                ("month", month.into()),
                ("period_end", Monthly::last(month).into()),
                ("households", (people * share / 4_000 - fewer.min(people / 4_000)).into()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::feed::Lost;
    use super::*;
    use crate::model::time::{DAY, Stamp};

    #[test]
    fn a_loan_is_sent_again_at_each_turn_of_its_life() {
        let world = World {
            seed: 3,
            first: Day(20_000),
            scale: 1.0,
            correct: 0.0,
            retract: 0.0,
            lost: Lost::default(),
        };
        let book = Loans { world, areas: Arc::new(Areas::load()) };
        let mut lives = 0;
        book.begins(Day(20_004), &mut |key, stamps| {
            lives += 1;
            assert!(
                stamps.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] < 200 * DAY)
            );
            assert_eq!(book.tell(key, 0).at, stamps[0]);
            assert_eq!(Stamp(stamps[0]).day(), Day(20_004));
        });
        assert!(lives > 5, "{lives}");
    }
}
