//! `Retry-After` headers: honoured within the cap, or not at all.
#![no_main]

use std::time::Duration;

use ioc_gateway::model::time::Stamp;
use ioc_gateway::pull::Retry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &str)| {
    let (answered, header) = input;
    let retry = Retry::default();
    if let Some(wait) = retry.asked(header, Stamp(i64::from(answered))) {
        assert!(wait >= Duration::from_secs(1) && wait <= retry.retry_after_cap.0);
    }
});
