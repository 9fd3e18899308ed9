//! Centralised certification points and notary offices: what each did on a day.
//!
//! Their system is an older Windows program: CSV with semicolons in windows-1258, numbered pages, a
//! key in the address, and a column for what the clerk had to say.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::{at, is_working};
use super::draw::{Draw, mix};
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day};

const TOPIC: u64 = 0xCE47;
/// One in every commune, and twenty notary offices.
const SITES: f64 = 150.0;
const COMMUNES: u64 = 130;

const HOST: Host = Host {
    variable: "CERTIFICATION_POINTS_URL",
    path: "certification",
    guard: Guard::Parameter("khoa"),
    secret_file: "certification_points_key",
};

// Tone marks stand apart from their letters, as the code page has them.
static ACTS: Office = Office {
    system: System::Certification,
    contract: "certification_days",
    host: &HOST,
    path: "/xuat/so-lieu-ngay.csv",
    paging: Paging::Numbers("trang"),
    since: ("tu", Moment::Compact),
    size: "dong",
    wire: Wire::Csv,
    columns: &[
        Column("Nga\u{300}y", "day", Shape::At(Moment::VietnameseDay)),
        Column("Ma\u{303} điê\u{309}m", "site", Shape::Plain),
        Column(
            "Loa\u{323}i điê\u{309}m",
            "site_type",
            Shape::Words(&[
                ("commune", "UBND xa\u{303}"),
                ("notary", "Pho\u{300}ng công chư\u{301}ng"),
                ("consular", "La\u{303}nh sư\u{323}"),
            ]),
        ),
        Column("Ma\u{303} xa\u{303}", "commune", Shape::Plain),
        Column("Ba\u{309}n sao giâ\u{301}y", "certified_copies", Shape::Digits),
        Column("Ba\u{309}n sao điê\u{323}n tư\u{309}", "e_certified_copies", Shape::Digits),
        Column("Chư\u{301}ng thư\u{323}c chư\u{303} ky\u{301}", "signatures", Shape::Digits),
        Column("Hơ\u{323}p đô\u{300}ng", "contracts", Shape::Digits),
        Column("Kiê\u{309}m tra chi\u{301}p đa\u{323}t", "chip_checks_ok", Shape::Digits),
        Column("Kiê\u{309}m tra chi\u{301}p lô\u{303}i", "chip_checks_failed", Shape::Digits),
        Column("Phu\u{301}t trung vi\u{323}", "median_minutes", Shape::Digits),
        Column("Phi\u{301} (đô\u{300}ng)", "fees_vnd", Shape::Digits),
        Column("Ca\u{301}n bô\u{323} lâ\u{323}p", "", Shape::Canary("OFFICIAL-CERTIFICATION")),
        Column("Câ\u{323}p nhâ\u{323}t", "updated_at", Shape::At(Moment::Compact)),
    ],
    key: &["site", "day"],
    code_day: Some("day"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate],
        number: "signatures",
        code: "site_type",
        day: "day",
    },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    vec![(&ACTS, Box::new(Acts { world: world.clone(), areas: Arc::clone(areas) }))]
}

#[derive(Debug)]
struct Acts {
    world: World,
    areas: Arc<Areas>,
}

impl Acts {
    fn count(&self) -> u64 {
        (SITES * self.world.scale).round().max(5.0) as u64
    }

    /// Every fifth site is a notary office when there are few; after the communes' otherwise.
    fn is_notary(&self, site: u64) -> bool {
        if self.count() < COMMUNES { site % 5 == 4 } else { site >= COMMUNES }
    }

    fn commune(&self, site: u64) -> usize {
        if site < COMMUNES {
            return site as usize;
        }
        self.areas.pick(&mut Draw::new(self.world.seed, TOPIC, site))
    }

    fn history(&self, site: u64, day: Day) -> (Draw, [i64; 2], usize) {
        let mut draw = Draw::new(self.world.seed, TOPIC + 1, site << 16 | day.0 as u64);
        let sent = at(day, draw.between(16 * 3600 + 1800, 18 * 3600));
        let corrected = sent + draw.between(DAY / 2, DAY);
        let count = 1 + usize::from(draw.chance(0.03 + self.world.correct));
        (draw, [sent, corrected], count)
    }
}

impl Book for Acts {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        if !is_working(day) {
            return;
        }
        for site in 0..self.count() {
            let (mut draw, stamps, count) = self.history(site, day);
            if draw.chance(0.97) {
                emit(site << 16 | day.0 as u64, &stamps[..count]);
            }
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let (site, day) = (key >> 16, Day((key & 0xFFFF) as i32));
        let (mut draw, stamps, count) = self.history(site, day);
        let version = version.min(count - 1);
        let is_notary = self.is_notary(site);
        // A third of the points do not offer electronic copies at all.
        let offers = !mix(self.world.seed, site).is_multiple_of(3);
        let paper = draw.between(8, 60) as u64 + version as u64;
        let electronic = if offers { draw.below(25) } else { 0 };
        let contracts = if is_notary { draw.between(2, 14) as u64 } else { draw.below(3) };
        let checks = contracts * 2 + draw.below(9);
        let failed = u64::from(draw.round(checks as f64 * 0.05)).min(checks);
        let signatures = draw.below(15);
        let site_type = match site {
            _ if is_notary => "notary",
            0 => "consular",
            _ => "commune",
        };
        Told {
            commune: self.commune(site),
            thing: site,
            at: stamps[version],
            withdrawn: false,
            cells: vec![
                ("site", format!("CT{:03}", site + 1).into()),
                ("day", day.into()),
                ("site_type", site_type.into()),
                ("certified_copies", paper.into()),
                ("e_certified_copies", electronic.into()),
                ("signatures", signatures.into()),
                ("contracts", contracts.into()),
                ("chip_checks_ok", (checks - failed).into()),
                ("chip_checks_failed", failed.into()),
                ("median_minutes", draw.between(6, 45).into()),
                ("fees_vnd", ((paper + electronic) * 2_000 + contracts * 50_000).into()),
            ],
        }
    }
}
