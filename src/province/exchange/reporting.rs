//! The national portal's reporting interface: what is asked stands in the body of a POST, the answer
//! has one of two shapes, and whoever asks too often is turned away with 429, or with 403.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{FIRST, standing};
use crate::model::time::{Day, Stamp};
use crate::province::Province;
use crate::province::answer::{Answer, Here, Wanted, answer};
use crate::province::ledger::{Dossier, System};

/// Every so many requests one is turned away.
const PATIENCE: u32 = 4;

/// The most departments on a page.
const PAGE: usize = 100;

/// A share that is scored: its code, name, best score, and the share that earns it.
struct Metric {
    code: &'static str,
    name: &'static str,
    best: f64,
    full_at: f64,
    counts: fn(&Dossier, Stamp) -> bool,
}

const DIGITISED: [Metric; 2] = [
    Metric {
        code: "DIGITISED",
        name: "Tỷ lệ hồ sơ có thành phần số hóa",
        best: 4.0,
        full_at: 1.0,
        counts: |dossier, _| dossier.digitised,
    },
    Metric {
        code: "E_RESULT",
        name: "Tỷ lệ cấp kết quả điện tử",
        best: 6.0,
        full_at: 1.0,
        counts: |dossier, _| dossier.has_result,
    },
];

const PROGRESS: [Metric; 1] = [Metric {
    code: "ON_TIME",
    name: "Tỷ lệ hồ sơ giải quyết đúng hạn",
    best: 20.0,
    full_at: 1.0,
    // Pending and not yet due is on time.
    counts: |dossier, now| {
        let until = dossier.finished_at.unwrap_or(now);
        dossier.due_at.is_none_or(|due| until <= due)
    },
}];

pub(super) async fn evaluation(
    here: Here,
    name: web::Path<String>,
    body: web::Json<Value>,
) -> HttpResponse {
    let asked = here.exchange.reports.fetch_add(1, Ordering::Relaxed) + 1;
    if asked.is_multiple_of(2 * PATIENCE) {
        return HttpResponse::Forbidden().body("forbidden");
    }
    if asked.is_multiple_of(PATIENCE) {
        return HttpResponse::TooManyRequests().insert_header((header::RETRY_AFTER, "0")).finish();
    }
    let is_tree = match name.as_str() {
        "dossier-digitized" => false,
        "dvc-progress-tree" => true,
        _ => return HttpResponse::NotFound().finish(),
    };
    let wanted = Wanted { endpoint: FIRST + 4, system: System::Portal, token: None };
    answer(&here, wanted, move |province, _, _| {
        let number = |name: &str| body[name].as_u64().filter(|number| *number > 0);
        if body["timeType"] != "year" || body["rootDepartmentId"] != "H41" {
            return Err("timeType, rootDepartmentId".to_owned());
        }
        let year = number("year").ok_or("year")?;
        let (page, size) = (number("currentPage").ok_or("currentPage")?, number("pageSize"));
        let metrics: &[Metric] = if is_tree { &PROGRESS } else { &DIGITISED };
        let departments = departments(province, year, metrics);
        let size = size.map_or(PAGE, |size| (size as usize).min(PAGE));
        let page: Vec<_> =
            departments.iter().skip((page as usize - 1) * size).take(size).cloned().collect();
        let whole = sums(&departments, metrics.len());
        let whole: Vec<_> = metrics.iter().zip(whole).map(|(metric, share)| scored(metric, share)).collect();
        let rows: Vec<_> = page.iter().map(|department| row(department, metrics)).collect();
        let data = if is_tree {
            json!({"parent": {"departmentId": "H41", "departmentLevel": "PROVINCE", "metrics": whole}, "children": rows})
        } else {
            json!({"overview": {"metrics": whole}, "evaluation": rows})
        };
        let body = json!({"code": "OK", "data": data});
        Ok(Answer { body: body.to_string().into_bytes(), notes: Vec::new() })
    })
    .await
}

/// A commune's numerators and denominators.
#[derive(Clone)]
struct Department {
    code: u32,
    name: &'static str,
    shares: Vec<(u64, u64)>,
}

/// All communes, by what they received in the year.
fn departments(province: &Province, year: u64, metrics: &[Metric]) -> Vec<Department> {
    let now = province.now();
    let mut shares: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for dossier in standing(province, now) {
        let received = dossier.received_at.map(Stamp::day).map(Day::date);
        if received.is_none_or(|received| received.year() as u64 != year) {
            continue;
        }
        let shares =
            shares.entry(dossier.commune_today).or_insert_with(|| vec![(0, 0); metrics.len()]);
        for (share, metric) in shares.iter_mut().zip(metrics) {
            share.0 += u64::from((metric.counts)(&dossier, now));
            share.1 += 1;
        }
    }
    let of = |code: u32| shares.get(&code).cloned().unwrap_or_else(|| vec![(0, 0); metrics.len()]);
    let areas = province.portal.records.areas.all.iter();
    areas
        .map(|area| Department { code: area.code, name: area.name, shares: of(area.code) })
        .collect()
}

fn sums(departments: &[Department], metrics: usize) -> Vec<(u64, u64)> {
    let mut sums = vec![(0, 0); metrics];
    for department in departments {
        for (sum, share) in sums.iter_mut().zip(&department.shares) {
            *sum = (sum.0 + share.0, sum.1 + share.1);
        }
    }
    sums
}

fn row(department: &Department, metrics: &[Metric]) -> Value {
    let metrics =
        metrics.iter().zip(&department.shares).map(|(metric, share)| scored(metric, *share));
    json!({
        "departmentId": format!("{:05}-id", department.code), "departmentName": department.name,
        "departmentCode": format!("{:05}", department.code), "departmentLevel": "COMMUNE",
        "metrics": metrics.collect::<Vec<_>>(),
    })
}

/// A metric as the portal words it; without anything to judge there is neither ratio nor score.
fn scored(metric: &Metric, (part, whole): (u64, u64)) -> Value {
    let ratio = (whole > 0).then(|| part as f64 / whole as f64);
    let score = ratio.map(|ratio| (metric.best * ratio / metric.full_at).min(metric.best));
    json!({
        "code": metric.code, "name": metric.name, "numerator": part, "denominator": whole,
        "ratio": ratio, "score": score, "maxScore": metric.best,
    })
}
