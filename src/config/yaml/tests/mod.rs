//! The whole way of a file, on settings shaped like those of a source.

mod discretion;
mod problems;
mod reading;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::model::units::{Size, Span};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
struct Source {
    #[serde(rename = "source")]
    id: String,
    title: Title,
    #[serde(default)]
    authenticator: Option<Authenticator>,
    #[serde(default)]
    retries: u16,
    #[serde(default)]
    body_limit: Option<Size>,
    #[serde(default)]
    error_handler: Vec<Action>,
    streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
struct Title {
    vi: String,
    en: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
struct Stream {
    contract: String,
    path: String,
    interval: Span,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    paginator: Option<Paginator>,
    #[serde(default)]
    map: BTreeMap<String, From>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
enum Paginator {
    None {},
    NextLink {
        at: String,
        #[serde(default)]
        max_pages: Option<u32>,
        #[serde(default)]
        stop: Vec<Stop>,
    },
    PageNumber {
        parameter: String,
        size: u32,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
struct Stop {
    at: String,
    #[serde(default)]
    when: Option<When>,
    #[serde(default)]
    after: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Empty,
    Missing,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
enum Authenticator {
    Basic { user: String, password_file: String },
    ApiKey { header: String, key_file: String },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
enum Action {
    Retry,
    Status { from: u16, to: u16 },
    Body(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only decoded")]
enum From {
    Pointer(String),
    Rule(Rule),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only decoded")]
struct Rule {
    at: String,
    #[serde(default)]
    format: Option<String>,
}

const GOOD: &str = "\
source: portal
title: {vi: Cổng dịch vụ công, en: Portal}
authenticator: {kind: basic, user: ioc, password_file: portal_password}
retries: 5
body_limit: 32MiB
error_handler: [retry, status: {from: 500, to: 599}, body: /error]
streams:
  dossiers:
    contract: dossiers
    path: /api/hoso
    interval: 1m
    paginator: {kind: next_link, at: /next, max_pages: 500}
    map:
      dossier: /MaHoSo
      received_at: {at: /NgayTiepNhan, format: yyyyMMddHHmmss}
";

fn tree(text: &str) -> Node {
    let mut problems = Vec::new();
    let node = parse(text, "f.yaml", &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");
    node.expect("a tree")
}

fn shown(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// Every problem of a text, in the order in which they are told.
fn problems<T: serde::de::DeserializeOwned>(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let node = parse(text, "f.yaml", &mut problems);
    let before = problems.len();
    if let Some(node) = node {
        let settings = decode::<T>(&node, "f.yaml", &mut problems);
        assert_eq!(settings.is_none(), problems.len() > before, "{problems:#?}");
    }
    shown(&problems)
}

fn places(text: &str) -> Vec<(String, u32, u32)> {
    let node = tree(text);
    node.entries()
        .flat_map(|(key, value)| [key.place("f"), value.place("f")].map(|at| (key.text(), at)))
        .map(|(key, at)| (key.to_owned(), at.line, at.column))
        .collect()
}
