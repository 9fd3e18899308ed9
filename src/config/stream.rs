//! What is checked of one stream: its settings by themselves, and its cursor against its contract and
//! its request.

use super::compile::Compiler;
use super::files::Read;
use super::written::{Source, Stream};
use crate::fold::Plan;
use crate::normalise::Format;
use crate::pipeline::{Cursor, CursorSettings, Order, Slices};
use crate::pull;

const START: &str = "slice_start";
const END: &str = "slice_end";

/// The requests of a stream, and those that its turn walks through: for a child, its parent's.
type Requests<'a> = (&'a pull::Stream, &'a pull::Stream);

fn uses((own, listing): Requests<'_>, name: &str) -> bool {
    own.uses(name) || listing.uses(name)
}

impl Compiler<'_> {
    /// What makes no sense in a stream by itself.
    pub(super) fn stream_settings(
        &mut self,
        read: &Read<Source>,
        at: &str,
        stream: &Stream,
        request: &pull::Stream,
    ) {
        let mut problems = Vec::new();
        request.check(at, &mut problems);
        let authenticator = read.value.authenticator.as_ref();
        if authenticator.is_some_and(pull::Authenticator::writes_body) && request.body.is_none() {
            let message = "the authenticator puts its token into the body, and there is none";
            problems.push((at.to_owned(), message.to_owned()));
        }
        stream.gate.check(&format!("{at}.gate"), &mut problems);
        stream.drift.check(&format!("{at}.drift"), &mut problems);
        for (key, message) in stream.limits.check() {
            problems.push((format!("{at}.limits.{key}"), message.to_owned()));
        }
        problems.iter().for_each(|(at, message)| self.files.problem(read, at, message));
        self.ways_of(read, at, stream);
        if read.value.fleet.is_some() && (stream.records.is_some() || stream.cursor.is_some()) {
            self.files.problem(read, at, "a stream of a fleet has neither 'records' nor 'cursor': each target's answer is one record");
        }
        if let Some(reconcile) = &stream.reconcile {
            for (key, message) in reconcile.check() {
                self.files.problem(read, &format!("{at}.reconcile.{key}"), &message);
            }
            if read.value.fleet.is_some() {
                let message = "a fleet has no list to compare with: its targets are the list";
                self.files.problem(read, &format!("{at}.reconcile"), message);
            }
        }
    }

    /// The checked cursor of a stream; a request that needs one and has none is told too.
    pub(super) fn cursor(
        &mut self,
        read: &Read<Source>,
        at: &str,
        requests: Requests<'_>,
        cursor: Option<&CursorSettings>,
        plan: &Plan,
    ) -> Option<Cursor> {
        let mut problems = pull::Problems::new();
        if let Some(message) = no_reset(requests, cursor) {
            problems.push(("paginator.reset".to_owned(), message.to_owned()));
        }
        let Some(cursor) = cursor else {
            if let Some(name) = [START, END].into_iter().find(|name| uses(requests, name)) {
                let message = format!(
                    "{{{{ {name} }}}} is used, and nothing says how it is written: declare a cursor with its format"
                );
                problems.push(("cursor".to_owned(), message));
            }
            self.of_stream(read, at, &problems);
            return None;
        };
        goes_by(cursor, requests, plan, &mut problems);
        let format = Format::parse(&cursor.format)
            .map_err(|message| problems.push(("cursor.format".to_owned(), message)))
            .ok();
        let slices = slices(cursor, requests, &mut problems);
        self.of_stream(read, at, &problems);
        Some(Cursor {
            by_property: cursor.property.is_some(),
            format: format?,
            lookback: cursor.lookback,
            order: cursor.order,
            settle: cursor.settle,
            is_bounded: uses(requests, END),
            slices,
        })
    }

    fn of_stream(&mut self, read: &Read<Source>, at: &str, problems: &pull::Problems) {
        for (key, message) in problems {
            self.files.problem(read, &format!("{at}.{key}"), message);
        }
    }
}

/// Checks what the cursor goes by: the property that decides which version of a record is newer, or
/// the time that the request asks for.
fn goes_by(
    cursor: &CursorSettings,
    requests: Requests<'_>,
    plan: &Plan,
    problems: &mut pull::Problems,
) {
    let schema = &plan.schema;
    let Some(property) = &cursor.property else {
        if !uses(requests, START) && !uses(requests, "cursor") {
            let message = "a cursor without a property goes by the time that is asked for, and the request asks for none: use {{ slice_start }} and {{ slice_end }}, or name the contract's version_by";
            problems.push(("cursor".to_owned(), message.to_owned()));
        }
        if cursor.order == Order::Ascending {
            let message = "order is that of a property; a cursor without one has none";
            problems.push(("cursor.order".to_owned(), message.to_owned()));
        }
        return;
    };
    if schema.slot(property) != Some(schema.version_slot) {
        let needed = &schema.fields[schema.version_slot].name;
        let message = format!("the cursor goes by the contract's version_by, '{needed}'");
        problems.push(("cursor.property".to_owned(), message));
    }
}

fn slices(
    cursor: &CursorSettings,
    requests: Requests<'_>,
    problems: &mut pull::Problems,
) -> Option<Slices> {
    let slices = cursor.slices.as_ref()?;
    if !(uses(requests, START) && uses(requests, END)) {
        let message = "the request does not say which slice it asks for: it needs {{ slice_start }} and {{ slice_end }}";
        problems.push(("cursor.slices".to_owned(), message.to_owned()));
    }
    let told = |found: Vec<(&'static str, String)>| {
        for (key, message) in found {
            problems.push((format!("cursor.slices.{key}"), message));
        }
    };
    slices.check().map_err(told).ok()
}

/// Why paging cannot begin anew from the latest record, where it is to.
fn no_reset(requests: Requests<'_>, cursor: Option<&CursorSettings>) -> Option<&'static str> {
    requests.1.paginator.reset()?;
    let goes_on =
        |cursor: &CursorSettings| cursor.property.is_some() && cursor.order == Order::Ascending;
    if !cursor.is_some_and(goes_on) {
        return Some(
            "paging begins anew from the latest record, so the records must come in its order: it needs a cursor with a property and `order: ascending`",
        );
    }
    (!uses(requests, "cursor") && !uses(requests, START)).then_some(
        "paging begins anew from the latest record, and the request does not say from where: use {{ cursor }}",
    )
}
