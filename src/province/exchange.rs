//! The same province behind the exchanges of the state: LGSP, the national portal's adapter on a
//! security server, X-Road, and the national portal's reporting interface.
//!
//! What is said is what the systems themselves say (the portal's dossiers, platform A's returns) or
//! is counted from it, so one ledger is the truth of all of them. Only the way to ask is another:
//! headers, sessions in bodies, errors in answers with status 200, throttling. What is known of the
//! real ones and what is our own guess stands in the shipped profiles, `config/profiles`.
//!
//! `/lgsp/token`, `/lgsp/hoso?updated_from=&limit=&trang=`, `/lgsp/thongke?month=&year=` ·
//! `/vxp/XrdAdapter/RestService/forward/mapi/{login,g}?dstcode=&providerurl=` ·
//! `/xroad/r1/VN-TEST/GOV/NGHEAN/LODGING/returns?changed_since=&page=&size=` ·
//! `/reporting/api/v1/reporting/evaluation/{dossier-digitized,dvc-progress-tree}`

mod lgsp;
mod reporting;
mod statistics;
mod vxp;
mod xroad;

use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use actix_web::web;

use super::Province;
use super::ledger::{Dossier, Fact};
use super::page::Records as _;
use super::token::portal_secret;
use crate::model::time::Stamp;

/// The gate numbers of these endpoints begin here.
const FIRST: u32 = 60;

/// What the exchanges remember.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    sessions: Mutex<Vec<vxp::Session>>,
    /// Requests to the reporting interface.
    reports: AtomicU32,
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.route("/lgsp/token", web::post().to(lgsp::token))
        .route("/lgsp/hoso", web::get().to(lgsp::dossiers))
        .route("/lgsp/thongke", web::get().to(statistics::of_month))
        .route("/vxp/XrdAdapter/RestService/forward/mapi/login", web::post().to(vxp::login))
        .route("/vxp/XrdAdapter/RestService/forward/mapi/g", web::post().to(vxp::service))
        .route("/xroad/r1/{service:.*}", web::get().to(xroad::returns))
        .route(
            "/reporting/api/v1/reporting/evaluation/{name}",
            web::post().to(reporting::evaluation),
        );
}

/// The addresses that the profiles need, by variable name and path.
pub(super) const URLS: [(&str, &str); 4] = [
    ("LGSP_URL", "lgsp"),
    ("VXP_URL", "vxp"),
    ("XROAD_URL", "xroad"),
    ("REPORTING_URL", "reporting"),
];

/// The secrets that the profiles need, by file name.
pub(super) fn secrets(seed: u64) -> Vec<(&'static str, String)> {
    vec![
        ("lgsp_client_secret", portal_secret(seed)),
        ("lgsp_access", lgsp::access(seed)),
        ("vxp_password", vxp::password(seed)),
    ]
}

/// Every dossier as it stands at `now`.
fn standing(province: &Province, now: Stamp) -> Vec<Dossier> {
    let mut unheard = Vec::new();
    let lines = province.portal.standing(now);
    let notes = lines.into_iter().filter_map(|line| {
        unheard.clear();
        province.portal.records.say(line, &mut unheard, true)
    });
    notes
        .filter_map(|note| match note.fact {
            Fact::Dossier(dossier) => Some(*dossier),
            _ => None,
        })
        .collect()
}
