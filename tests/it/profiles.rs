//! The shipped profiles by the real program, against simulated exchanges that share no code with it:
//! what comes out is recounted from what the province said.

use std::collections::BTreeMap;

use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::Stamp;
use ioc_gateway::province::{
    Dossier, Fact, Faults, Fleet, Now, Province, Return, Settings, System,
};

use crate::support::{Overlay, Systems, copy, run_in, shipped};

/// A small province, standing still, and a configuration that holds one profile and nothing else.
struct World {
    systems: Systems,
    overlay: Overlay,
}

impl World {
    fn new(profile: &str, faults: Faults) -> Self {
        let mut settings = Settings::new(11, Now::Standing(Clock::System.now()));
        (settings.months, settings.scale, settings.ledger) = (2, 0.02, true);
        (settings.fleet, settings.faults) = (Fleet { silent: 0.0, slow: 0.0 }, faults);
        let systems = Systems::start(settings);
        let overlay = Overlay::new();
        for folder in ["sources", "indicators", "trackers", "boards"] {
            overlay.clear(folder);
        }
        copy(&shipped().join("profiles").join(profile), &overlay.config());
        systems.write_secrets(&overlay.folder().join("secrets"));
        Self { systems, overlay }
    }

    fn province(&self) -> &Province {
        &self.systems.province
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let done = run_in(self.overlay.folder(), words, &self.systems.variables);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
    }

    fn pull(&self, name: &str) -> String {
        let (code, said) = self.run(&["source", "pull", name]);
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// All that a measure holds.
    fn total(&self, measure: &str) -> u64 {
        let (code, said) = self.run(&["measure", "export", measure]);
        assert_eq!(code, Some(0), "{said}");
        let amounts = said.lines().skip(1).filter_map(|line| line.rsplit(',').next());
        amounts.map(|amount| amount.parse::<u64>().unwrap()).sum()
    }

    /// The latest version of each dossier that was said whole.
    fn dossiers(&self) -> Vec<Dossier> {
        let mut latest: BTreeMap<String, (Stamp, Dossier)> = BTreeMap::new();
        for said in self.province().ledger().said() {
            let Fact::Dossier(dossier) = said.fact else { continue };
            let known = latest.get(&dossier.dossier).is_some_and(|(at, _)| *at > said.version);
            if said.whole && said.bad.is_none() && !known {
                latest.insert(dossier.dossier.clone(), (said.version, *dossier));
            }
        }
        latest.into_values().map(|(_, dossier)| dossier).collect()
    }
}

/// Sessions and tokens end in mid-run.
fn expiring() -> Faults {
    Faults { expire: 0.4, in_a_row: 1, ..Faults::default() }
}

fn received(dossiers: &[Dossier]) -> u64 {
    dossiers.iter().filter(|dossier| dossier.received_at.is_some()).count() as u64
}

/// Small pages, so that a run has many.
fn with_pages_of(world: &World, file: &str, from: &str, to: &str) {
    let path = world.overlay.config().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no '{from}'");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

#[test]
fn lgsp_is_asked_with_a_token_and_its_own_header_and_tokens_that_expire_cost_nothing() {
    let world = World::new("lgsp", expiring());
    with_pages_of(&world, "sources/lgsp.yaml", "limit: 2000", "limit: 100");
    let (code, said) = world.run(&["source", "test", "lgsp"]);
    assert_eq!(code, Some(0), "{said}");
    for step in
        ["DNS", "TCP", "TLS", "auth", "page", "decode", "contract", "cursor", "more", "volume"]
    {
        assert!(said.contains(step), "no {step} in {said}");
    }
    world.pull("lgsp");
    let dossiers = world.dossiers();
    assert!(dossiers.len() > 500, "{}", dossiers.len());
    assert_eq!(world.total("dossiers.received"), received(&dossiers));
    assert_eq!(world.total("office_statistics.received"), this_month(&world, &dossiers));

    // Without its header nobody gets in, whatever the token.
    std::fs::write(world.overlay.folder().join("secrets/lgsp_access"), "CANARY").unwrap();
    let (code, said) = world.run(&["source", "test", "lgsp"]);
    assert!(code == Some(69) && said.contains("FAILED") && !said.contains("CANARY"), "{said}");
}

fn this_month(world: &World, dossiers: &[Dossier]) -> u64 {
    let now = world.province().now().day().date();
    let in_month = |at: Stamp| {
        let day = at.day().date();
        (day.year(), day.month()) == (now.year(), now.month())
    };
    dossiers.iter().filter(|of| of.received_at.is_some_and(in_month)).count() as u64
}

#[test]
fn a_row_of_statistics_that_does_not_add_up_goes_to_quarantine() {
    let world = World::new("lgsp", Faults { bad: 0.01, ..Faults::default() });
    let said = world.pull("lgsp.statistics");
    assert!(
        said.contains("received 130 = accepted 129") && said.contains("quarantined 1"),
        "{said}"
    );
    let (_, said) = world.run(&["quarantine", "list", "--by-rule"]);
    assert!(said.contains("check_failed\ttotal == received + carried_over"), "{said}");
}

#[test]
fn the_national_portal_is_asked_through_its_adapter_and_sessions_that_expire_cost_nothing() {
    let world = World::new("vxp", expiring());
    with_pages_of(&world, "sources/vxp.yaml", "soluong: 500", "soluong: 100");
    world.pull("vxp");
    let dossiers = world.dossiers();
    // Each session is good for three calls, and the run has many more.
    assert!(dossiers.len() > 1000, "{}", dossiers.len());
    assert_eq!(world.total("dossiers.received"), received(&dossiers));

    std::fs::write(world.overlay.folder().join("secrets/vxp_password"), "CANARY").unwrap();
    let (code, said) = world.run(&["source", "test", "vxp"]);
    assert!(code == Some(69) && said.contains("vxp: auth     FAILED"), "{said}");
    assert!(!said.contains("CANARY"), "{said}");
}

#[test]
fn a_service_on_x_road_is_asked_by_its_path_and_a_refusal_of_the_security_server_is_told() {
    let world = World::new("x_road", Faults::default());
    world.pull("x_road");
    let mut latest: BTreeMap<(String, i32), (Stamp, Option<Return>)> = BTreeMap::new();
    for said in world.province().ledger().said() {
        let Fact::Return(of) = said.fact else { continue };
        assert_eq!(said.system, System::ReturnsA);
        let key = (of.facility.clone(), of.stay_date.0);
        if latest.get(&key).is_none_or(|(at, _)| *at <= said.version) {
            latest.insert(key, (said.version, (!said.withdrawn).then_some(of)));
        }
    }
    let counted = latest.values().filter_map(|(_, of)| of.as_ref());
    let arrivals: u64 = counted.map(|of| u64::from(of.arrivals)).sum();
    assert!(arrivals > 100);
    assert_eq!(world.total("lodging_returns.arrivals"), arrivals);

    with_pages_of(&world, "sources/x_road.yaml", "NGHEAN/IOC", "NGHEAN/CANARY");
    let (code, said) = world.run(&["source", "test", "x_road"]);
    assert!(code == Some(69) && said.contains("X-Road-Error"), "{said}");
}

#[test]
fn the_reporting_interface_is_read_in_both_its_shapes_although_it_throttles() {
    let world = World::new("reporting", Faults::default());
    let year = world.province().now().day().date().year();
    with_pages_of(&world, "sources/reporting.yaml", "year: 2026", &format!("year: {year}"));
    world.pull("reporting");
    // The dossiers themselves, from the system that has them.
    copy(&shipped().join("profiles/vxp"), &world.overlay.config());
    world.pull("vxp");
    let mut dossiers = world.dossiers();
    dossiers.retain(|of| of.received_at.is_some_and(|at| at.day().date().year() == year));
    let count = |holds: fn(&Dossier) -> bool| dossiers.iter().filter(|of| holds(of)).count() as u64;
    assert!(dossiers.len() > 500);
    for measure in [
        "service_evaluation.digitised_of",
        "service_evaluation.e_results_of",
        "service_progress.on_time_of",
    ] {
        assert_eq!(world.total(measure), dossiers.len() as u64, "{measure}");
    }
    assert_eq!(world.total("service_evaluation.digitised"), count(|of| of.digitised));
    assert_eq!(world.total("service_evaluation.e_results"), count(|of| of.has_result));
    let now = world.province().now();
    let on_time = |of: &&Dossier| of.due_at.is_none_or(|due| of.finished_at.unwrap_or(now) <= due);
    assert_eq!(
        world.total("service_progress.on_time"),
        dossiers.iter().filter(on_time).count() as u64
    );
}

#[test]
fn every_profile_is_a_configuration_that_is_in_order() {
    let entries = std::fs::read_dir(shipped().join("profiles")).unwrap();
    let names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let overlay = Overlay::new();
        for folder in ["sources", "indicators", "trackers", "boards", "tests"] {
            overlay.clear(folder);
        }
        copy(&shipped().join("profiles").join(&name), &overlay.config());
        let names = ["JSON_SERVER_URL", "TOKEN_URL", "DATASETTE_URL"];
        let names = names.into_iter().chain(["LGSP_URL", "VXP_URL", "XROAD_URL", "REPORTING_URL"]);
        let variables: BTreeMap<_, _> =
            names.map(|name| (name.to_owned(), "http://127.0.0.1:9".to_owned())).collect();
        let done = run_in(overlay.folder(), &["config", "check"], &variables);
        let why = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(0), "{name}: {why}");
    }
}

/// The map of dossiers is written once and copied: a change of one is a change of all.
#[test]
fn every_profile_reads_a_dossier_as_the_shipped_source_does() {
    let map = |path: &str| {
        let text = std::fs::read_to_string(shipped().join(path)).unwrap();
        let begin = text.find("    # Every value is a string here").unwrap();
        let end = text[begin..].find("\n  statistics:").map_or(text.len(), |end| begin + end + 1);
        text[begin..end].trim_end().to_owned()
    };
    let portal = map("sources/portal.yaml");
    for path in ["profiles/lgsp/sources/lgsp.yaml", "profiles/vxp/sources/vxp.yaml"] {
        assert_eq!(map(path), portal, "{path}");
    }
}
