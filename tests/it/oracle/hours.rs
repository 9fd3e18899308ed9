//! Hours: sessions at kiosks, counted a second time by the hour at which they began.

use std::collections::BTreeMap;

use ioc_gateway::province::Fact;
use serde_json::Value;

use super::amounts::PROVINCE;
use super::calendar::name;
use super::facts::{Places, Standing};
use super::stage::Stage;

/// Seconds by which local time is ahead.
const AHEAD: i64 = 7 * 3600;

/// Every hour of the days `first..end`, province-wide and by commune, against what stands.
pub(super) fn compare_hours(
    stage: &Stage,
    all: &[Standing],
    places: &Places,
    (first, end): (i32, i32),
) {
    let mut counted: BTreeMap<(i64, usize), u64> = BTreeMap::new();
    for Standing { fact, place } in all {
        if let Fact::Session(session) = fact {
            let hour = (session.started_at.0 + AHEAD).div_euclid(3600);
            for place in [*place, PROVINCE] {
                *counted.entry((hour, place)).or_default() += 1;
            }
        }
    }
    let mut told = 0;
    for day in first..end {
        for by in ["", "&by=commune"] {
            let path = format!(
                "/v1/indicators/kiosk_sessions/series?grain=hour&from={}&to={}{by}",
                name(day),
                name(day + 1)
            );
            let answer = stage.gateway().get(&path);
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            let answer = answer.json();
            let rows = answer["items"].as_array().unwrap();
            assert_eq!(rows.len(), if by.is_empty() { 24 } else { 24 * places.codes.len() });
            for row in rows {
                let place = match &row["commune"] {
                    Value::String(code) => places.codes.binary_search(code).unwrap(),
                    _ => PROVINCE,
                };
                let (on, hour) = row["period"].as_str().unwrap().split_once('T').unwrap();
                assert_eq!(on, name(day));
                let hour = i64::from(day) * 24 + hour.parse::<i64>().unwrap();
                let expected = counted.get(&(hour, place)).copied().unwrap_or(0);
                assert_eq!(row["value"], expected, "{path}: {row}");
                told += usize::from(expected > 0);
            }
        }
    }
    assert!(told > 50, "{told} hours in which there was a session");
}
