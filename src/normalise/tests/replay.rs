//! Refused records that go again: what they yield is what they would have yielded.

use serde_json::json;

use super::*;

/// 2024-04-02, a day after the records came.
fn later() -> Stamp {
    Stamp::parse("2024-04-03T12:00:00+07:00").unwrap()
}

/// The contract, map and list as they would be after a steward had corrected everything.
fn corrected() -> Normaliser {
    let contract = CONTRACT
        .replace("max: 100", "max: 1000")
        .replace("decimals: 1", "decimals: 2")
        .replace("finished_at >= received_at", "finished_at > due_at || due_at != null");
    let map = MAP.replace("format: yyyyMMddHHmmss", "format: [yyyyMMddHHmmss, yyyy-MM-dd]");
    let channels = format!("{CHANNELS}kiosk,7,c,c\n");
    normaliser_of(&contract, &map, &channels)
}

#[test]
fn a_replayed_record_yields_what_it_would_have_yielded_under_the_corrected_contract() {
    let bad = [
        json!({"kenh": "7"}),
        json!({"kenh": 7}),
        json!({"phi": 100.1}),
        json!({"phi": "12.55"}),
        json!({"nhan": "2024-04-01"}),
        json!({"capnhat": "2024-04-02", "xong": ""}),
        json!({"xong": "20240331000000"}),
        json!({"kenh": "7", "tthc": "9.9.H41", "han": "01/05/2030"}),
        json!({"kenh": "7", "xoa": "0"}),
        json!({"kenh": "8"}),
        json!({"xa": "99999"}),
        json!({"id": ""}),
        json!({"nhan": {"a": 1}}),
        json!({"capnhat": "20240402121001"}),
    ];
    let (fixed, mut passed) = (corrected(), 0);
    let replayer = Replayer::new(&fixed);
    for changes in bad {
        let text = record(&changes);
        let refused = normalise(&text).rejects.pop().unwrap();
        let again = replayer.record(&refused.held, later()).unwrap();
        let picks = Picks::new(Some(""), fixed.pointers(), &[]).unwrap();
        let decoded = decode(text.as_bytes(), &picks).unwrap();
        let around = Surroundings { now: later(), target: None };
        let straight = fixed.page(&decoded.records, around);
        assert_eq!(again.observations, straight.observations, "{changes}");
        let said = |out: &Normalised| {
            let said =
                |reject: &Reject| (reject.reason, reject.rule.clone(), reject.key, reject.version);
            out.rejects.iter().map(said).collect::<Vec<_>>()
        };
        assert_eq!(said(&again), said(&straight), "{changes}");
        passed += again.observations.len();
    }
    assert_eq!(passed, 10);
}

#[test]
fn a_field_that_was_not_read_then_is_not_made_up_now() {
    let refused = normalise(&record(&json!({"kenh": "7"}))).rejects.pop().unwrap();
    let elsewhere = normaliser_of(CONTRACT, &MAP.replace("/phi", "/lePhi"), CHANNELS);
    let told = Replayer::new(&elsewhere).record(&refused.held, later()).unwrap_err();
    assert_eq!(told, Unreplayable::NotHeld("fee".to_owned()));
    // Under another suffix the identifier is another one, and only its hash is there.
    let cut = normaliser_of(
        CONTRACT,
        &MAP.replace("dossier: /id", "dossier: {at: /id, strip_suffix: x}"),
        CHANNELS,
    );
    let told = Replayer::new(&cut).record(&refused.held, later()).unwrap_err();
    assert_eq!(told, Unreplayable::NotHeld("dossier".to_owned()));
}

#[test]
fn a_value_too_long_to_be_kept_is_not_cut_into_another_one() {
    let long = "7".repeat(129);
    let refused = normalise(&record(&json!({"kenh": long}))).rejects.pop().unwrap();
    assert!(!refused.held.contains(&"7".repeat(20)));
    let told = Replayer::new(&corrected()).record(&refused.held, later()).unwrap_err();
    assert_eq!(told, Unreplayable::TooLong("channel".to_owned()));
    let whole = "7".repeat(128);
    let refused = normalise(&record(&json!({"kenh": whole}))).rejects.pop().unwrap();
    let channels = format!("{CHANNELS}kiosk,{whole},c,c\n");
    let fixed = normaliser_of(CONTRACT, MAP, &channels);
    assert_eq!(Replayer::new(&fixed).record(&refused.held, later()).unwrap().observations.len(), 1);
}

#[test]
fn words_where_a_number_or_a_moment_belongs_are_not_kept() {
    for (field, property) in [("phi", "fee"), ("nhan", "received_at")] {
        let refused = |word: &str| normalise(&record(&json!({field: word}))).rejects.pop().unwrap();
        for words in ["CANARY A B", "CANARY", "A B"] {
            let reject = refused(words);
            assert!(!reject.held.contains(&format!("{words:?}")), "{}", reject.held);
            let told = Replayer::new(&corrected()).record(&reject.held, later()).unwrap_err();
            assert_eq!(told, Unreplayable::Words(property.to_owned()));
        }
        assert_ne!(refused("CANARY A").fingerprint, refused("CANARY B").fingerprint);
        for kept in ["null", "N/A", "2024-04-01T00:00:00Z"] {
            assert!(refused(kept).held.contains(&format!("{kept:?}")), "{kept}");
        }
    }
    // A property of another kind that reads the same field keeps it.
    let map = MAP.replace("at: /kenh", "at: /phi");
    let both = normaliser_of(CONTRACT, &map, CHANNELS);
    let refused = normalise_by(&both, &record(&json!({"phi": "CANARY"}))).rejects.pop().unwrap();
    assert!(refused.held.contains("CANARY"));
}

#[test]
fn a_record_hashed_under_a_replaced_key_is_not_taken_for_another_one() {
    let refused = normalise(&record(&json!({"kenh": "7"}))).rejects.pop().unwrap();
    let mut renewed = corrected();
    renewed.hasher = KeyHasher::new(b"another key", "dossiers");
    let told = Replayer::new(&renewed).record(&refused.held, later()).unwrap_err();
    assert_eq!(told, Unreplayable::OtherKey);
}

#[test]
fn what_could_not_be_read_at_all_stays() {
    let refused = normalise("[5]").rejects.pop().unwrap();
    let replayer = Replayer::new(&corrected());
    assert_eq!(replayer.record(&refused.held, later()).unwrap_err(), Unreplayable::Malformed);
    assert_eq!(replayer.record("{", later()).unwrap_err(), Unreplayable::Damaged);
}

#[test]
fn a_key_of_several_parts_can_be_made_when_its_broken_part_can_be_read() {
    let contract = CONTRACT.replace("key: [dossier]", "key: [dossier, received_at]");
    let before = normaliser_of(&contract, MAP, CHANNELS);
    let text = record(&json!({"nhan": "2024-04-01"}));
    let refused = normalise_by(&before, &text).rejects.pop().unwrap();
    assert_eq!((refused.key, refused.reason), (None, Reason::WrongType));
    let map = MAP.replace("format: yyyyMMddHHmmss", "format: [yyyyMMddHHmmss, yyyy-MM-dd]");
    let after = normaliser_of(&contract, &map, CHANNELS);
    let again = Replayer::new(&after).record(&refused.held, later()).unwrap();
    assert_eq!(again.observations, normalise_by(&after, &text).observations);
    assert_eq!(again.observations.len(), 1);
}
