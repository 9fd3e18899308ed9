//! The reference: the same work by hand for this one shape, in memory, over the same HTTP.
//!
//! Typed structs borrowed from the page, dates by position, one map from key to version and cell,
//! one map of cells; nothing is configurable, checked, durable or queryable. What the gateway costs
//! above this is the price of being all of that, and the ratio of the two holds on any machine.

use std::collections::HashMap as Names;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_map::{Entry, HashMap};
use serde::Deserialize;

/// The status that a number on the wire stands for.
const STATUS: [u32; 11] = [0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 5];

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<Record<'a>>,
    next: Option<&'a str>,
}

#[derive(Deserialize)]
struct Record<'a> {
    ma_ho_so: &'a str,
    ma_tthc: &'a str,
    ngay_tiep_nhan: &'a str,
    ngay_hen_tra: &'a str,
    ngay_tra: Option<&'a str>,
    trang_thai: u8,
    hinh_thuc: u8,
    ma_xa: &'a str,
    ngay_cap_nhat: &'a str,
}

/// What is kept of a record.
#[derive(Clone, Copy)]
struct Row {
    updated: u32,
    cell: u32,
    due: u32,
    finished: u32,
    procedure: u32,
}

#[derive(Default)]
struct Probe {
    hasher: DefaultHashBuilder,
    communes: Names<String, u32>,
    state: HashMap<u64, Row>,
    cube: HashMap<u32, i64>,
    records: usize,
}

/// Pulls everything from `first` on and writes how many records and cells it came to.
pub(crate) async fn run(first: &str) -> Result<(), Box<dyn std::error::Error>> {
    // The client cannot be made without a provider, even where nothing is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build()?;
    let mut address = Some(url::Url::parse(first)?);
    let mut probe = Probe::default();
    while let Some(asked) = address {
        let body = client.get(asked.clone()).send().await?.error_for_status()?.bytes().await?;
        let page: Page<'_> = serde_json::from_slice(&body)?;
        for record in &page.data {
            probe.fold(record);
        }
        address = page.next.map(|next| asked.join(next)).transpose()?;
    }
    let cells = probe.cube.values().filter(|amount| **amount != 0).count();
    writeln!(io::stdout(), "{} {cells}", probe.records)?;
    Ok(())
}

impl Probe {
    fn fold(&mut self, record: &Record<'_>) {
        self.records += 1;
        let known = self.communes.len() as u32;
        let commune = match self.communes.get(record.ma_xa) {
            Some(commune) => *commune,
            None => *self.communes.entry(record.ma_xa.to_owned()).or_insert(known),
        };
        let (day, _) = slashed(record.ngay_tiep_nhan.as_bytes());
        let codes = u32::from(record.hinh_thuc) * 6 + STATUS[usize::from(record.trang_thai)];
        let row = Row {
            updated: iso(record.ngay_cap_nhat.as_bytes()),
            cell: (day * 256 + commune) * 32 + codes,
            due: slashed(record.ngay_hen_tra.as_bytes()).1,
            finished: record.ngay_tra.map_or(0, |text| slashed(text.as_bytes()).1),
            procedure: self.hasher.hash_one(record.ma_tthc) as u32,
        };
        match self.state.entry(self.hasher.hash_one(record.ma_ho_so)) {
            Entry::Vacant(entry) => _ = entry.insert(row),
            Entry::Occupied(mut entry) => {
                if row.updated <= entry.get().updated {
                    return;
                }
                *self.cube.entry(entry.get().cell).or_default() -= 1;
                entry.insert(row);
            }
        }
        *self.cube.entry(row.cell).or_default() += 1;
        // Kept only so that the compiler cannot leave the work out.
        std::hint::black_box((row.due, row.finished, row.procedure));
    }
}

/// Day and second of `dd/MM/yyyy HH:mm:ss`.
fn slashed(text: &[u8]) -> (u32, u32) {
    let day = day(number(&text[6..10]), number(&text[3..5]), number(&text[..2]));
    (day, day * 86_400 + second(&text[11..]))
}

/// Second of `yyyy-MM-ddTHH:mm:ss`.
fn iso(text: &[u8]) -> u32 {
    let day = day(number(&text[..4]), number(&text[5..7]), number(&text[8..10]));
    day * 86_400 + second(&text[11..])
}

fn second(text: &[u8]) -> u32 {
    number(&text[..2]) * 3600 + number(&text[3..5]) * 60 + number(&text[6..8])
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
}

/// Days since 2000-03-01, by the calendar's own arithmetic.
fn day(year: u32, month: u32, day: u32) -> u32 {
    let (year, month) = if month > 2 { (year - 2000, month - 3) } else { (year - 2001, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1
}
