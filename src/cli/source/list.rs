//! `iocgw source list`: what is configured, as a table for people or as JSON.

use serde_json::json;

use crate::cli::{Place, terminal};

/// How the list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Output {
    /// Columns for people.
    #[default]
    Table,
    /// A JSON array of one object a stream.
    Json,
}

const HEADING: [&str; 6] = ["SOURCE", "STREAM", "CONTRACT", "INTERVAL", "UNIT", "TITLE"];

pub(super) fn run(output: Output, place: &Place) -> anyhow::Result<u8> {
    let config = place.settings("unused".into()).check()?;
    let mut rows: Vec<[String; 6]> = Vec::new();
    for source in &config.sources {
        let written = &source.written;
        rows.extend(written.streams.iter().map(|(name, stream)| {
            [
                written.source.clone(),
                name.clone(),
                stream.contract.clone(),
                stream.interval.to_string(),
                written.accountable_unit.clone(),
                written.title.vi.clone(),
            ]
        }));
    }
    match output {
        Output::Json => {
            let items: Vec<_> = rows
                .iter()
                .map(|[source, stream, contract, interval, unit, title]| {
                    json!({"source": source, "stream": stream, "contract": contract, "interval": interval, "accountable_unit": unit, "title": title})
                })
                .collect();
            terminal::data(&serde_json::to_string_pretty(&items)?);
        }
        Output::Table => {
            // Whoever stops reading has seen enough.
            let _ = table(&rows).iter().all(|line| terminal::data(line));
        }
    }
    Ok(0)
}

/// Lines whose columns are as wide as their widest cell; the last column ends where it ends.
fn table(rows: &[[String; 6]]) -> Vec<String> {
    let heading = HEADING.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let widths: Vec<usize> =
        (0..5).map(|i| all().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    all()
        .map(|row| {
            let cells = row.iter().enumerate().map(|(i, cell)| match widths.get(i) {
                Some(width) => format!("{cell:width$}"),
                None => cell.clone(),
            });
            cells.collect::<Vec<_>>().join("  ")
        })
        .collect()
}
