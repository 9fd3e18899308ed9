//! Date formats and texts in them: the first line is the format, the rest the text.
#![no_main]

use ioc_gateway::model::row::{EARLIEST, LATEST};
use ioc_gateway::normalise::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (format, text) = input.split_once('\n').unwrap_or(("yyyyMMddHHmmss", input));
    let Ok(format) = Format::parse(format) else { return };
    let (moment, day) = (format.moment(text), format.day(text));
    assert_eq!(moment.is_some(), day.is_some());
    if let Some(moment) = moment.filter(|moment| (EARLIEST..=LATEST).contains(moment)) {
        // What is written again may have lost what the format does not show, and nothing else.
        let written = format.write(moment);
        let again = format.moment(&written).expect("what is written is read");
        assert_eq!(format.write(again), written);
        assert!((moment - again).abs() < 24 * 3600);
    }
});
