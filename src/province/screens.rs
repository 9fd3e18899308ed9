//! LED screens, billboards and loudspeakers that carry what the province has to say: what each was to
//! play on a day, and what it played.
//!
//! The system asks nobody who they are, pages follow a token, and its times are sortable local ones.

use std::sync::Arc;

use super::areas::Areas;
use super::calendar::at;
use super::draw::{Draw, mix};
use super::ledger::{Bad, System};
use super::offices::{Book, Flaws, Guard, Host, Office, Opened, Paging, Told};
use super::page::World;
use super::wording::{Column, Shape, Wire};
use super::write::Moment;
use crate::model::time::{DAY, Day};

const TOPIC: u64 = 0x1ED0;
const SCREENS: f64 = 90.0;
const KINDS: [&str; 5] = ["led", "billboard", "lcd", "loudspeaker", "online"];

const HOST: Host =
    Host { variable: "SCREENS_URL", path: "screens", guard: Guard::Open, secret_file: "" };

static DAYS: Office = Office {
    system: System::Screens,
    contract: "screen_days",
    host: &HOST,
    path: "/nhat-ky-phat",
    paging: Paging::Tokens("con_tro"),
    since: ("tu_luc", Moment::Sortable),
    size: "so_dong",
    wire: Wire::Json { open: r#"{"nhat_ky":["#, close: r#"],"con_tro_tiep":{next}}"# },
    columns: &[
        Column("ma_man_hinh", "screen_id", Shape::Plain),
        Column("ngay", "day", Shape::At(Moment::IsoDay)),
        Column("ma_xa", "commune", Shape::Plain),
        Column(
            "loai",
            "kind",
            Shape::Words(&[
                ("led", "LED"),
                ("billboard", "PANO"),
                ("lcd", "LCD"),
                ("loudspeaker", "LOA"),
                ("online", "TRUC_TUYEN"),
            ]),
        ),
        Column("chien_dich", "campaign_code", Shape::Plain),
        Column("luot_ke_hoach", "scheduled_spots", Shape::Plain),
        Column("luot_da_phat", "played_spots", Shape::Plain),
        Column("giay_ke_hoach", "scheduled_s", Shape::Plain),
        Column("giay_hoat_dong", "online_s", Shape::Plain),
        Column("so_loi", "errors", Shape::Plain),
        Column("nguoi_quan_ly", "", Shape::Canary("NAME-SCREENS")),
        Column("cap_nhat", "updated_at", Shape::At(Moment::Sortable)),
    ],
    key: &["screen_id", "day"],
    code_day: Some("day"),
    flaws: Flaws {
        ways: &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate],
        number: "played_spots",
        code: "kind",
        day: "day",
    },
};

/// The streams of the system.
pub(super) fn open(world: &World, areas: &Arc<Areas>) -> Vec<Opened> {
    vec![(&DAYS, Box::new(Days { world: world.clone(), areas: Arc::clone(areas) }))]
}

#[derive(Debug)]
struct Days {
    world: World,
    areas: Arc<Areas>,
}

impl Days {
    fn history(&self, key: u64) -> (Draw, [i64; 2], usize) {
        let mut draw = Draw::new(self.world.seed, TOPIC, key);
        let sent = at(Day((key & 0xFFFF) as i32).plus(1), draw.between(300, 5_400));
        let count = 1 + usize::from(draw.chance(0.02 + self.world.correct));
        let corrected = sent + draw.between(3_600, DAY);
        (draw, [sent, corrected], count)
    }
}

impl Book for Days {
    fn begins(&self, day: Day, emit: &mut dyn FnMut(u64, &[i64])) {
        for screen in 0..(SCREENS * self.world.scale).round().max(5.0) as u64 {
            let key = screen << 16 | day.0 as u64;
            let (mut draw, stamps, count) = self.history(key);
            if draw.chance(0.95) {
                emit(key, &stamps[..count]);
            }
        }
    }

    fn tell(&self, key: u64, version: usize) -> Told {
        let (screen, day) = (key >> 16, Day((key & 0xFFFF) as i32));
        let (mut draw, stamps, count) = self.history(key);
        let version = version.min(count - 1);
        let mut home = Draw::new(self.world.seed, TOPIC + 1, screen);
        let kind = KINDS[screen as usize % KINDS.len()];
        let scheduled = home.between(20, 120) as u64;
        let missed = if draw.chance(0.3) { draw.below(scheduled / 3 + 1) } else { draw.below(3) };
        let hours = home.between(10, 17) * 3_600;
        let dark = if draw.chance(0.2) { draw.between(60, hours / 3) } else { 0 };
        Told {
            commune: self.areas.pick(&mut home),
            thing: screen,
            at: stamps[version],
            withdrawn: false,
            cells: vec![
                ("screen_id", format!("MH-{:03}", screen + 1).into()),
                ("day", day.into()),
                ("kind", kind.into()),
                // A campaign lasts a month.
                (
                    "campaign_code",
                    format!("CD{:02}", mix(day.date().month() as u64, 3) % 12).into(),
                ),
                ("scheduled_spots", scheduled.into()),
                ("played_spots", (scheduled - missed + (version as u64).min(missed)).into()),
                ("scheduled_s", hours.into()),
                ("online_s", (hours - dark).into()),
                ("errors", draw.below(1 + missed).into()),
            ],
        }
    }
}
