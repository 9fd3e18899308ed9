//! Cursors as a source wants them written: every format, every moment that a store can hold.
#![no_main]

use ioc_gateway::model::row::{EARLIEST, LATEST};
use ioc_gateway::normalise::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &str)| {
    let (offset, format) = input;
    let Ok(format) = Format::parse(format) else { return };
    let moment = (EARLIEST + i64::from(offset)).min(LATEST);
    // A lookback may lead to a moment before everything.
    for moment in [moment, moment - 10 * 365 * 24 * 3600, 0] {
        let written = format.write(moment);
        let again = format.moment(&written).expect("what is written is read");
        assert!(again <= moment, "a cursor may ask for too much, never for too little");
        assert_eq!(format.write(again), written);
    }
});
