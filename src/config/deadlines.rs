//! Calendars, and the rules that say by when reports have to be in.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::Compiler;
use super::files::{Files, Read};
use super::written::{Source, Stream};
use crate::lateness::Promise;
use crate::model::calendar::{self, Calendar};
use crate::model::contract::Contract;
use crate::model::deadline::InBy;
use crate::model::time::{DAY, Day, Stamp, days};

/// The file; it may be left out where no rule needs it.
const FILE: &str = "calendars.yaml";

/// The year from which on moments of publication are known.
const FIRST_PUBLICATION: i32 = 2020;

/// How many years later a calendar may begin.
const YEARS: i64 = 20;

/// The most moments of publication of a contract: ten years of working days.
const PUBLICATIONS: usize = 2_600;

/// The checked calendars, by name.
pub(super) type Calendars = BTreeMap<String, Arc<Calendar>>;

/// Reads the calendars.
pub(super) fn calendars(files: &mut Files<'_>) -> Calendars {
    let mut calendars = Calendars::new();
    if !files.has(FILE) {
        return calendars;
    }
    let Some(read) = files.yaml::<calendar::Calendars>(FILE) else {
        files.follows("there is no calendar '");
        return calendars;
    };
    for (name, written) in &read.value.calendars {
        match Calendar::compile(written) {
            Ok(calendar) => _ = calendars.insert(name.clone(), Arc::new(calendar)),
            Err(problems) => {
                files.follows(&format!("there is no calendar '{name}'"));
                for (at, message) in problems {
                    files.problem(&read, &format!("calendars.{name}.{at}"), &message);
                }
            }
        }
    }
    calendars
}

impl Compiler<'_> {
    /// What makes no sense in a rule.
    pub(super) fn deadline<T>(&mut self, read: &Read<T>, at: &str, rule: Option<&InBy>) {
        let Some(rule) = rule else { return };
        let known: Vec<&str> = self.calendars.keys().map(String::as_str).collect();
        for (at, message) in rule.check(at, &known) {
            self.files.problem(read, &at, &message);
        }
    }

    /// By contract, the moments at which its figures are published, as far as the calendar goes.
    pub(super) fn publications(
        &self,
        contracts: &BTreeMap<String, Contract>,
    ) -> BTreeMap<String, Arc<[Stamp]>> {
        let moments = |contract: &Contract| {
            let rule = contract.publication.clone()?;
            let calendar =
                rule.calendar.as_ref().and_then(|name| self.calendars.get(name)).cloned();
            let unit = contract.accountable_unit.clone();
            let promise = Promise { rule, calendar, unit, is_pushed: false };
            let first = Day(days(FIRST_PUBLICATION, 1, 1)).start();
            let next = |after: &Stamp| promise.due_after(*after).map(|due| due.at);
            // A calendar may begin later than the first year.
            let begins = (0..YEARS * 12).find_map(|month| next(&Stamp(first.0 + month * 28 * DAY)));
            let all: Vec<Stamp> = std::iter::successors(begins, next).take(PUBLICATIONS).collect();
            Some((contract.contract.clone(), all.into()))
        };
        contracts.values().filter_map(moments).collect()
    }

    /// What a stream's source has promised: by the stream's own rule or by its contract's.
    pub(super) fn promise(
        &self,
        source: &Source,
        stream: &Stream,
        contract: &Contract,
    ) -> Option<Arc<Promise>> {
        let rule = stream.in_by.as_ref().or(contract.sla.in_by.as_ref())?.clone();
        let calendar = rule.calendar.as_ref().and_then(|name| self.calendars.get(name)).cloned();
        let (unit, is_pushed) = (source.accountable_unit.clone(), source.intake.is_some());
        Some(Arc::new(Promise { rule, calendar, unit, is_pushed }))
    }
}
