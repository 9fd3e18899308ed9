//! What `access:` opens has to exist: communes of today, units of `units.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{Files, Read};
use super::written::{Gateway, Unit};
use crate::model::access::Scope;
use crate::model::area::Areas;
use crate::model::nearest::nearest;
use crate::serve::{AccessSettings, Opens, check_origin};

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
    if files.is_of_the_past() {
        return settings;
    }
    if let Some(anonymous) = &settings.anonymous {
        let at = "access.anonymous";
        reachable(files, read, (at, anonymous), (areas, units));
        if anonymous.scopes.contains(&Scope::Webhooks) {
            let problem =
                "a webhook belongs to a key: 'webhooks' cannot be opened to those without one";
            files.problem(read, &format!("{at}.scopes"), problem);
        }
    }
    for (i, provider) in read.value.token_providers.iter().enumerate() {
        for (j, rule) in provider.rules.iter().enumerate() {
            let at = format!("token_providers.{i}.rules.{j}.opens");
            reachable(files, read, (&at, &rule.opens), (areas, units));
        }
    }
    settings
}

/// Tells of communes and units that there are not.
fn reachable(
    files: &mut Files<'_>,
    read: &Read<Gateway>,
    (at, opened): (&str, &Opens),
    (areas, units): (Option<&Areas>, &BTreeMap<String, Unit>),
) {
    if let Err(error) = opened.grant().check() {
        files.problem(read, at, &error.to_string());
    }
    let known = |code: &&str| areas.is_none_or(|areas| areas.current_by_code(code).is_some());
    let codes = areas.map(Areas::current_codes).unwrap_or_default();
    for code in unknown(opened.areas.as_ref(), known) {
        let near = near(&code, codes.iter().copied());
        files.problem(
            read,
            &format!("{at}.areas"),
            &format!("no commune of today is '{code}'{near}"),
        );
    }
    for id in unknown(opened.units.as_ref(), |id| units.contains_key(*id)) {
        let near = near(&id, units.keys().map(String::as_str));
        files.problem(read, &format!("{at}.units"), &format!("there is no unit '{id}'{near}"));
    }
}

fn unknown(named: Option<&BTreeSet<String>>, is_known: impl Fn(&&str) -> bool) -> Vec<String> {
    let named = named.into_iter().flatten().map(String::as_str);
    named.filter(|name| !is_known(name)).map(str::to_owned).collect()
}

fn near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}
