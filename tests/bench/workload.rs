//! The workload: pages of dossiers as a portal would send them, and the true answer to them.
//!
//! Seeded, so that every run and every machine pulls the same bytes. Of the 17 fields 8 are never
//! mapped and hold canary strings. About 4.75 % of the records are newer versions of an earlier one
//! (a fifth of them in another commune, a tenth through another channel) and 0.25 % stale replays
//! that must change nothing. The truth is kept while writing, from the values and not from the
//! text, so it shares no code with what is measured.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use fastrand::Rng;
use jiff::ToSpan;

/// Cells of the one measure as `day,area,channel,status`, with their amounts.
pub(crate) type Cells = HashMap<String, i64>;

/// Seconds in a day.
const DAY: i64 = 86_400;

/// Days of the calendar before the first record arrives.
const LEAD: i64 = 31;

/// Days over which records arrive.
const DAYS: i64 = 365;

const COMMUNES: usize = 130;
const PROCEDURES: usize = 64;
const CHANNELS: [&str; 3] = ["counter", "online", "post"];
const STATUSES: [&str; 10] = [
    "received",
    "received",
    "processing",
    "processing",
    "supplement",
    "supplement",
    "rejected",
    "withdrawn",
    "done",
    "done",
];
const TITLES: [&str; 8] = [
    "Đăng ký khai sinh",
    "Đăng ký thường trú",
    "Chứng thực bản sao từ bản chính",
    "Cấp đổi giấy phép lái xe",
    "Đăng ký biến động đất đai",
    "Cấp giấy phép xây dựng nhà ở riêng lẻ",
    "Liên thông khai sinh, cư trú, thẻ bảo hiểm y tế",
    "Cấp bản sao trích lục hộ tịch",
];
const NOTES: [&str; 6] = [
    "CANARY",
    "CANARY Hồ sơ đủ thành phần theo quy định",
    "CANARY Đã gửi thông báo thu phí trực tuyến",
    "CANARY Đề nghị nhận kết quả qua bưu chính công ích",
    "CANARY Bổ sung bản sao có chứng thực",
    "CANARY Hồ sơ liên thông ba cấp",
];

/// How much of what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) records: usize,
    pub(crate) page: usize,
    pub(crate) seed: u64,
    /// Tells the identifiers of one workload from those of another.
    pub(crate) series: u32,
}

/// What was written, and what a correct gateway makes of it.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) pages: usize,
    pub(crate) bytes: u64,
    pub(crate) entities: usize,
    pub(crate) corrections: usize,
    pub(crate) stale: usize,
    pub(crate) cells: Cells,
}

/// The official code of the commune with this number, as in `config/areas/communes.csv`.
fn commune(number: usize) -> String {
    format!("{:05}", 16_681 + 3 * number + number % 7 * 120)
}

/// One dossier in one version.
#[derive(Clone, Copy)]
struct Dossier {
    number: usize,
    received: i64,
    updated: i64,
    commune: usize,
    channel: usize,
    status: usize,
    procedure: usize,
}

/// Numbers drawn with weights, by a table.
struct Weighted(Vec<u8>);

impl Weighted {
    fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let shares = weights.iter().map(|weight| (weight / total * 65_536.0).round() as usize);
        let mut table: Vec<u8> =
            shares.enumerate().flat_map(|(i, share)| vec![i as u8; share]).collect();
        table.resize(65_536, 0);
        Self(table)
    }

    fn draw(&self, random: &mut Rng) -> usize {
        usize::from(self.0[random.usize(..65_536)])
    }
}

/// The texts of all days and seconds that can occur.
struct Calendar {
    iso: Vec<String>,
    slashed: Vec<String>,
}

impl Calendar {
    fn new() -> Self {
        let first = jiff::civil::date(2023, 12, 1);
        let dates = (0..DAYS + 2 * LEAD + 60).map(|day| first + day.days());
        let dates: Vec<_> = dates.collect();
        Self {
            iso: dates.iter().map(|date| date.strftime("%Y-%m-%d").to_string()).collect(),
            slashed: dates.iter().map(|date| date.strftime("%d/%m/%Y").to_string()).collect(),
        }
    }

    fn slashed(&self, moment: i64) -> String {
        format!("{} {}", self.slashed[(moment / DAY) as usize], clock(moment))
    }

    fn rfc3339(&self, moment: i64) -> String {
        format!("{}T{}+07:00", self.iso[(moment / DAY) as usize], clock(moment))
    }
}

fn clock(moment: i64) -> String {
    let second = moment % DAY;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

struct Generator {
    shape: Shape,
    random: Rng,
    calendar: Calendar,
    communes: Weighted,
    channels: Weighted,
    statuses: Weighted,
    originals: Vec<Dossier>,
    newest: Vec<Dossier>,
    corrections: usize,
    stale: usize,
}

/// Writes the pages below `dir` and yields the truth about them.
pub(crate) fn write(dir: &Path, shape: Shape) -> io::Result<Written> {
    fs::create_dir_all(dir)?;
    let mut generator = Generator::new(shape);
    let pages = shape.records.div_ceil(shape.page);
    let (mut bytes, mut number, mut body) = (0, 0, Vec::new());
    for page in 1..=pages {
        body.clear();
        body.extend_from_slice(b"{\"data\":[");
        for i in 0..shape.page.min(shape.records - number) {
            if i > 0 {
                body.push(b',');
            }
            generator.record(number, &mut body)?;
            number += 1;
        }
        let next = match page {
            last if last == pages => "null".to_owned(),
            _ => format!("\"page-{:05}.json\"", page + 1),
        };
        write!(body, "],\"page\":{page},\"total\":{},\"next\":{next}}}", shape.records)?;
        fs::write(dir.join(format!("page-{page:05}.json")), &body)?;
        bytes += body.len() as u64;
    }
    Ok(Written {
        pages,
        bytes,
        entities: generator.newest.len(),
        corrections: generator.corrections,
        stale: generator.stale,
        cells: generator.cells(),
    })
}

impl Generator {
    fn new(shape: Shape) -> Self {
        let mut random = Rng::with_seed(shape.seed);
        let mut weights: Vec<f64> = (0..COMMUNES).map(|k| (k as f64 + 6.0).powf(-0.6)).collect();
        random.shuffle(&mut weights);
        Self {
            shape,
            random,
            calendar: Calendar::new(),
            communes: Weighted::new(&weights),
            channels: Weighted::new(&[30.0, 62.0, 8.0]),
            statuses: Weighted::new(&[4.0, 6.0, 8.0, 12.0, 2.0, 3.0, 2.0, 1.0, 10.0, 52.0]),
            originals: Vec::new(),
            newest: Vec::new(),
            corrections: 0,
            stale: 0,
        }
    }

    /// Appends the record that arrives as number `number`.
    fn record(&mut self, number: usize, body: &mut Vec<u8>) -> io::Result<()> {
        let now = LEAD * DAY + (number as i64 * DAYS * DAY) / self.shape.records as i64;
        let chance = self.random.f64();
        let dossier = if number > 100 && chance < 0.05 {
            self.again(now, chance < 0.0025)
        } else {
            self.fresh(number, now)
        };
        self.render(&dossier, body)
    }

    fn fresh(&mut self, number: usize, now: i64) -> Dossier {
        let random = &mut self.random;
        let dossier = Dossier {
            number,
            received: now - random.i64(0..10 * DAY),
            updated: now,
            commune: self.communes.draw(random),
            channel: self.channels.draw(random),
            status: self.statuses.draw(random),
            procedure: random.usize(..PROCEDURES),
        };
        self.originals.push(dossier);
        self.newest.push(dossier);
        dossier
    }

    /// A later version of an earlier dossier, or one that is older than what is known.
    fn again(&mut self, now: i64, is_stale: bool) -> Dossier {
        let random = &mut self.random;
        let index = random.usize(..self.originals.len());
        let mut dossier = self.originals[index];
        dossier.status = self.statuses.draw(random);
        if random.u8(..5) == 0 {
            dossier.commune = self.communes.draw(random);
        }
        if random.u8(..10) == 0 {
            dossier.channel = self.channels.draw(random);
        }
        if is_stale {
            dossier.updated -= 1 + random.i64(0..3600);
            self.stale += 1;
        } else {
            dossier.updated = now;
            self.corrections += 1;
        }
        if dossier.updated > self.newest[index].updated {
            self.newest[index] = dossier;
        }
        dossier
    }

    fn render(&mut self, dossier: &Dossier, body: &mut Vec<u8>) -> io::Result<()> {
        let canary = self.random.u32(..1_000_000_000);
        let calendar = &self.calendar;
        let due = dossier.received + (3 + dossier.procedure as i64 % 12) * DAY;
        let finished = (STATUSES[dossier.status] == "done").then(|| {
            let moment = (dossier.updated - i64::from(canary % 7200)).max(dossier.received);
            calendar.slashed(moment.min(dossier.updated))
        });
        let (short, long) = (canary % 10_000, canary % 10_000_000);
        write!(
            body,
            "{{\"ma_ho_so\":\"000.{:02}.{:02}.H41-{}-{:07}\",\"ma_tthc\":\"1.{:06}.000.00.00.H41\",\"ten_tthc\":\"{}\",",
            dossier.number % 30,
            dossier.number % 60,
            self.shape.series,
            dossier.number,
            1193 + 37 * dossier.procedure,
            TITLES[dossier.procedure % TITLES.len()],
        )?;
        write!(
            body,
            "\"ho_ten\":\"CANARY-NAME-{short:04}\",\"so_cccd\":\"CANARY{canary:09}\",\"so_dien_thoai\":\"CAN{:08}\",\"email\":\"canary{long:07}@example\",",
            canary / 7 % 100_000_000,
        )?;
        write!(
            body,
            "\"dia_chi\":\"CANARY-ADDR {short}\",\"can_bo_thu_ly\":\"CANARY-STAFF-{short:04}\",\"ghi_chu\":\"{}\",",
            NOTES[canary as usize % NOTES.len()],
        )?;
        write!(
            body,
            "\"ngay_tiep_nhan\":\"{}\",\"ngay_hen_tra\":\"{}\",\"ngay_tra\":",
            calendar.slashed(dossier.received),
            calendar.slashed(due),
        )?;
        match finished {
            Some(text) => write!(body, "\"{text}\"")?,
            None => body.extend_from_slice(b"null"),
        }
        write!(
            body,
            ",\"trang_thai\":{},\"hinh_thuc\":{},\"ma_xa\":\"{}\",\"ngay_cap_nhat\":\"{}\"}}",
            dossier.status + 1,
            dossier.channel,
            commune(dossier.commune),
            calendar.rfc3339(dossier.updated),
        )
    }

    fn cells(&self) -> Cells {
        let mut cells = Cells::new();
        for dossier in &self.newest {
            let day = &self.calendar.iso[(dossier.received / DAY) as usize];
            let (channel, status) = (CHANNELS[dossier.channel], STATUSES[dossier.status]);
            let cell = format!("{day},{},{channel},{status}", commune(dossier.commune));
            *cells.entry(cell).or_default() += 1;
        }
        cells
    }
}
