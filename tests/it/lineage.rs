//! Where a number comes from and what is processed for it, printed from the configuration alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Overlay, run_in};

/// What a command prints; it must end well.
fn printed(overlay: &Overlay, arguments: &[&str]) -> String {
    let output = run_in(overlay.folder(), arguments, &BTreeMap::new());
    let why = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {why}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_indicator_explains_what_it_is_made_of_down_to_its_sources() {
    let overlay = Overlay::new();
    let text = printed(&overlay, &["indicator", "explain", "digital_citizen_index"]);
    for part in [
        "Chỉ số công dân số / Digital citizen index",
        "Sở Khoa học và Công nghệ, Giám đốc Sở",
        "Mục tiêu / target: 75 từ / from 2024-01-01",
        "  eid_activation_rate (chỉ tiêu / indicator, ",
        "    digital_citizenship.eid_level2 (đại lượng / measure, ",
        "      digital_citizenship (hợp đồng dữ liệu / contract, version 1)",
        "        citizens.months (luồng / stream, ",
        "          Hệ thống công dân số (nguồn / source, congan-tinh)",
        "portal.dossiers (luồng / stream, ",
        "kiosk_platform.sessions (luồng / stream, ",
        "certification_points.days (luồng / stream, ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let chart =
        printed(&overlay, &["indicator", "explain", "room_occupancy", "--format", "mermaid"]);
    let mut lines = chart.lines();
    assert_eq!(lines.next(), Some("flowchart LR"));
    let (arrows, nodes): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.contains(" --> "));
    assert!(nodes.iter().any(|line| line.contains("Nền tảng lưu trú A")), "{chart}");
    // Every arrow joins two nodes that are drawn.
    for arrow in arrows {
        for end in arrow.trim().split(" --> ") {
            let drawn = format!("  {end}[\"");
            assert!(nodes.iter().any(|line| line.starts_with(&drawn)), "{arrow}\n{chart}");
        }
    }
}

#[test]
fn an_indicator_that_is_not_there_is_told_with_the_nearest_one() {
    let overlay = Overlay::new();
    let output =
        run_in(overlay.folder(), &["indicator", "explain", "models_don"], &BTreeMap::new());
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("did you mean 'models_done'?"), "{why}");
    let listed = printed(&overlay, &["indicator", "list"]);
    assert!(listed.lines().count() >= 80, "{listed}");
    assert!(listed.contains("models_done\tprogramme\tvp-ubnd\tMô hình đã hoàn thành"), "{listed}");
}

#[test]
fn the_register_names_every_field_that_is_decoded_and_no_other() {
    let overlay = Overlay::new();
    let json: Value =
        serde_json::from_str(&printed(&overlay, &["register", "--format", "json"])).unwrap();
    let sources = json["sources"].as_array().unwrap();
    let files = std::fs::read_dir(overlay.config().join("sources")).unwrap().count();
    assert_eq!(sources.len(), files);
    for source in sources {
        assert!(!source["role"].as_str().unwrap().is_empty(), "{source}");
        for stream in source["streams"].as_array().unwrap() {
            for key in ["purpose", "legal_basis", "retention", "body", "role"] {
                assert!(!stream[key].as_str().unwrap().is_empty(), "{key}: {stream}");
            }
            assert!(!stream["fields"].as_array().unwrap().is_empty(), "{stream}");
        }
    }
    let portal = sources.iter().find(|source| source["source"] == "portal").unwrap();
    let fields = portal["streams"][0]["fields"].as_array().unwrap();
    let key = fields.iter().find(|field| field["at"] == "/MaHoSo").unwrap();
    assert_eq!(key["kept"], "keyed hash, as part of the key");
    // What the portal sends of people is in no map, so it is in no register.
    let text = printed(&overlay, &["register"]);
    for person in ["ChuHoSo", "SoDienThoai", "Email", "SoGiayToChuHoSo"] {
        assert!(!json.to_string().contains(person) && !text.contains(person), "{person}");
    }
    assert!(
        text.starts_with("# Sổ ghi hoạt động xử lý dữ liệu / Record of processing – Nghệ An\n")
    );
    assert_eq!(text.matches("\n## ").count(), files);
    let reason = "How many people of the commune have a card, never a card's number";
    assert!(text.contains(reason), "why a name that sounds like a person's is none");
}
