//! Records of three lists of communes: 460 until December 2024, 412 until July 2025, 130 since.

use super::calendar::{months, number};
use super::{Comparison, Edition, Places, Stage, local_day, moment, oracle, seed};

#[test]
fn what_happened_under_an_older_list_lies_where_it_lies_today() {
    // From late September 2024 on, so that both reforms lie within.
    let mut stage = Stage::awake(seed(), 10, 0.004, moment(27));
    stage.start();
    let calm_from = stage.systems.province.ledger().said().len();
    stage.systems.province.set_now(moment(28));
    stage.calm_down();
    let said = stage.systems.province.ledger().said();
    let places = Places::read();
    let oracle = oracle(&said, &said[calm_from..], &places, stage.slot_day(), Edition::Shipped);
    let (first, now) =
        (stage.systems.province.first_day().0, local_day(stage.systems.province.now().0));
    assert!(first < number(2024, 11, 1) && now > number(2025, 7, 2));
    let mut comparison = Comparison::new(stage.gateway(), &oracle, &places.codes);
    for id in oracle.ids() {
        // Around either reform by commune, in between by month.
        for (year, month) in [(2024, 12), (2025, 7)] {
            let reform = number(year, month, 1);
            comparison.days(id, (reform - 8, reform + 8), true);
        }
        for month in months(first, now) {
            comparison.breakdown(id, &month);
        }
        comparison.province(id, "day", (first, now));
    }
    println!("{} points, {} of them not zero", comparison.points, comparison.telling);
    assert!(comparison.telling > 20_000);
    comparison.conclude();
    stage.stop();
}
