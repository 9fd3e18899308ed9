//! What `access:` opens has to exist: communes of today, units of `units.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{Files, Read};
use super::written::{Gateway, Unit};
use crate::model::access::Scope;
use crate::model::area::Areas;
use crate::model::nearest::nearest;
use crate::serve::{AccessSettings, check_origin};

/// The settings, after their slips were told.
pub(super) fn checked(
    files: &mut Files<'_>,
    gateway: Option<&Read<Gateway>>,
    (areas, units): (Option<&Areas>, &BTreeMap<String, Unit>),
) -> AccessSettings {
    let Some(read) = gateway else { return AccessSettings::default() };
    let settings = read.value.access.clone();
    let limits = [("key", settings.rate_limits.key), ("address", settings.rate_limits.address)];
    for (name, rate) in limits {
        if let Err(error) = rate.check() {
            files.problem(read, &format!("access.rate_limits.{name}"), error);
        }
    }
    for error in settings.origins.iter().filter_map(|origin| check_origin(origin).err()) {
        files.problem(read, "access.origins", &error);
    }
    // What a configuration of the past opened to whom is nobody's matter any more.
    let Some(anonymous) = settings.anonymous.as_ref().filter(|_| !files.is_of_the_past()) else {
        return settings;
    };
    let at = "access.anonymous";
    if let Err(error) = anonymous.grant().check() {
        files.problem(read, at, &error.to_string());
    }
    if anonymous.scopes.contains(&Scope::Webhooks) {
        let problem =
            "a webhook belongs to a key: 'webhooks' cannot be opened to those without one";
        files.problem(read, &format!("{at}.scopes"), problem);
    }
    let known = |code: &&str| areas.is_none_or(|areas| areas.current_by_code(code).is_some());
    let codes = areas.map(codes).unwrap_or_default();
    for code in unknown(anonymous.areas.as_ref(), known) {
        let near = near(&code, codes.iter().map(String::as_str));
        files.problem(
            read,
            &format!("{at}.areas"),
            &format!("no commune of today is '{code}'{near}"),
        );
    }
    for id in unknown(anonymous.units.as_ref(), |id| units.contains_key(*id)) {
        let near = near(&id, units.keys().map(String::as_str));
        files.problem(read, &format!("{at}.units"), &format!("there is no unit '{id}'{near}"));
    }
    settings
}

fn codes(areas: &Areas) -> Vec<String> {
    areas.current().iter().filter_map(|number| Some(areas.get(*number)?.code.clone())).collect()
}

fn unknown(named: Option<&BTreeSet<String>>, is_known: impl Fn(&&str) -> bool) -> Vec<String> {
    let named = named.into_iter().flatten().map(String::as_str);
    named.filter(|name| !is_known(name)).map(str::to_owned).collect()
}

fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}
