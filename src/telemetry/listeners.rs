//! Families about those who listen to `/v1/events`.

use prometheus::{IntCounterVec, IntGauge};

use super::maker::Maker;

/// Names of events.
const EVENTS: [&str; 4] = ["indicator", "source", "snapshot", "resync"];

/// Why the server ends or refuses a stream.
const DROPPED: [&str; 4] = ["slow", "shutdown", "limit", "key"];

/// The families, every label set at zero from the start.
pub struct Listeners {
    clients: IntGauge,
    events: IntCounterVec,
    dropped: IntCounterVec,
}

impl Listeners {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        let clients = make.gauge("stream_clients", "Open event-stream connections.");
        let events = make.counters("stream_events_total", "Events sent to streams.", &["event"]);
        let dropped = make.counters(
            "stream_clients_dropped_total",
            "Streams ended or refused by the server: slow, shutdown, limit, key.",
            &["reason"],
        );
        for event in EVENTS {
            events.with_label_values(&[event]);
        }
        for reason in DROPPED {
            dropped.with_label_values(&[reason]);
        }
        Self { clients, events, dropped }
    }

    /// Somebody listens.
    pub fn opened(&self) {
        self.clients.inc();
    }

    /// Somebody no longer does.
    pub fn closed(&self) {
        self.clients.dec();
    }

    /// An event was handed to a listener; an unknown name does not count.
    pub fn sent(&self, event: &str) {
        if let Some(event) = EVENTS.iter().find(|known| **known == event) {
            self.events.with_label_values(&[event]).inc();
        }
    }

    /// The server ended or refused a stream; an unknown reason does not count.
    pub fn dropped(&self, reason: &str) {
        if let Some(reason) = DROPPED.iter().find(|known| **known == reason) {
            self.dropped.with_label_values(&[reason]).inc();
        }
    }
}
