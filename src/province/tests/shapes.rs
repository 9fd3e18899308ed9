//! Volumes, words and truths of what is said.

use super::*;

/// Fields of a dossier that hold personal data in reality.
const DROPPED: [&str; 12] = [
    "ChuHoSo",
    "SoGiayToChuHoSo",
    "DinhDanhCHS",
    "MaDoiTuong",
    "Email",
    "Fax",
    "SoDienThoai",
    "TrichYeuHoSo",
    "ThongTinKhac",
    "GhiChu",
    "NguoiXuLy",
    "NoiDungXuLy",
];

fn dossiers(said: &[Said]) -> impl Iterator<Item = &Dossier> {
    said.iter().filter_map(|said| match &said.fact {
        Fact::Dossier(dossier) => Some(&**dossier),
        _ => None,
    })
}

fn returns(said: &[Said]) -> impl Iterator<Item = (&Said, &Return)> {
    said.iter().filter_map(|said| match &said.fact {
        Fact::Return(one) => Some((said, one)),
        _ => None,
    })
}

#[test]
fn a_province_of_full_size_is_as_busy_as_the_real_one() {
    let settings = Settings { months: 1, ..Settings::new(5, Now::Standing(now())) };
    let province = Province::new(settings);
    let days = f64::from(now().day().0 - province.first_day().0);
    let said = everything(&province, &province.portal);
    let a_day = said.len() as f64 / days;
    assert!((1_350.0..1_650.0).contains(&a_day), "{a_day} dossiers a day");
    let share = |is: fn(&Dossier) -> bool| {
        dossiers(&said).filter(|dossier| is(dossier)).count() as f64 / said.len() as f64
    };
    let online = share(|dossier| dossier.channel == Some(2));
    assert!((0.65..0.9).contains(&online), "{online} online");
    let late = share(|dossier| dossier.finished_at > dossier.due_at && dossier.due_at.is_some());
    assert!((0.02..0.09).contains(&late), "{late} late");
    let pending = share(|dossier| dossier.received_at.is_some() && dossier.finished_at.is_none());
    assert!((0.03..0.4).contains(&pending), "{pending} pending");
    let overdue = share(|dossier| {
        dossier.finished_at.is_none() && dossier.due_at.is_some_and(|due| due < now())
    });
    assert!((0.002..0.06).contains(&overdue), "{overdue} overdue now");

    let facilities = everything(&province, &province.facilities_a).len()
        + everything(&province, &province.facilities_b).len();
    assert_eq!(facilities, 1_200);
    let lodged = everything(&province, &province.returns_a).len()
        + everything(&province, &province.returns_b).len();
    let coverage = lodged as f64 / days / 1_200.0;
    assert!((0.78..0.96).contains(&coverage), "{coverage} of facilities report a night");
    let sessions = everything(&province, &province.sessions).len() as f64 / days / 60.0;
    assert!((30.0..50.0).contains(&sessions), "{sessions} sessions a kiosk and day");
}

#[test]
fn every_status_of_a_dossier_and_every_channel_occurs() {
    let settings = Settings { scale: 0.3, ..small() };
    let province = Province::new(settings);
    let said = everything(&province, &province.portal);
    let statuses: std::collections::BTreeSet<u8> =
        dossiers(&said).map(|dossier| dossier.status).collect();
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let channels: std::collections::BTreeSet<_> =
        dossiers(&said).map(|dossier| dossier.channel).collect();
    assert_eq!(channels.into_iter().collect::<Vec<_>>(), [None, Some(1), Some(2), Some(3)]);
    for dossier in dossiers(&said) {
        let received = dossier.received_at;
        assert!(received.is_none_or(|received| received >= dossier.submitted_at), "{dossier:?}");
        assert!(dossier.finished_at.is_none() || dossier.finished_at >= received, "{dossier:?}");
        assert!(dossier.returned_at.is_none() || dossier.returned_at >= dossier.finished_at);
        assert_eq!(dossier.refused_at.is_some(), dossier.status == 3);
        assert_eq!(dossier.finished_at.is_some(), dossier.status >= 7, "{dossier:?}");
        assert_eq!(received.is_none(), matches!(dossier.status, 1 | 3));
    }
}

#[tokio::test]
async fn all_values_of_a_dossier_are_strings_and_people_are_canaries() {
    let town = Town::open(Settings { scale: 0.1, ..small() });
    town.log_in().await;
    let records = town.run("portal", Stamp(0), 5_000).await;
    let mut canaries = std::collections::HashSet::new();
    for record in &records {
        assert_strings(record);
        for name in DROPPED {
            let canary = record[name].as_str().unwrap();
            assert!(canary.starts_with("CANARY-"), "{name}");
            assert!(canaries.insert(canary.to_owned()), "{canary} stands twice");
        }
        for paper in record["TaiLieuNop"].as_array().unwrap() {
            assert!(paper["DuongDanTaiTepTin"].as_str().unwrap().starts_with("CANARY-"));
        }
        for (name, value) in record.as_object().unwrap() {
            if name.starts_with("Ngay") {
                let date = value.as_str().unwrap();
                assert!(date.is_empty() || is_compact(date), "{name} {date}");
            }
        }
        assert!(record["MaTTHC"].as_str().unwrap().ends_with(".000.00.00.H41"));
        assert_eq!(record["MaXa"].as_str().unwrap().len(), 5);
    }
    for list in [
        "TaiLieuNop",
        "DanhSachLePhi",
        "DanhSachHoSoBoSung",
        "DanhSachGiayToKetQua",
        "DSKetNoiCSDL",
    ] {
        let filled = records.iter().any(|record| !record[list].as_array().unwrap().is_empty());
        assert!(filled, "{list}");
    }
}

fn is_compact(date: &str) -> bool {
    date.len() == 14 && date.bytes().all(|byte| byte.is_ascii_digit())
}

fn assert_strings(value: &Value) {
    match value {
        Value::String(_) => {}
        Value::Array(items) => items.iter().for_each(assert_strings),
        Value::Object(fields) => fields.values().for_each(assert_strings),
        other => panic!("{other} is no string"),
    }
}

#[tokio::test]
async fn the_two_lodging_platforms_speak_differently_of_the_same_things() {
    let town = Town::open(small());
    let a = town.run("returns", Stamp(0), 5_000).await.remove(0);
    assert!(a["rooms_available"].is_u64() && a["deleted"].is_boolean());
    assert!(Stamp::parse(a["reported_at"].as_str().unwrap()).is_some());
    assert!(a["facility_id"].as_str().unwrap().starts_with("CSLT-40-"));
    let b = town.run("luu-tru", Stamp(0), 5_000).await.remove(0);
    assert_strings(&b);
    assert_eq!(&b["ngayLuuTru"].as_str().unwrap()[2..3], "/");
    assert!(["HIEU_LUC", "HUY"].contains(&b["trangThai"].as_str().unwrap()));
    let register = town.run("facilities", Stamp(0), 5_000).await;
    assert_eq!(register.len(), 16);
    assert!(register.iter().all(|entry| entry["phone"].as_str().unwrap().starts_with("CANARY-")));
}

#[test]
fn rooms_occupied_never_exceed_rooms_available() {
    let faults = Faults { correct: 0.5, ..Faults::default() };
    let province = Province::new(Settings { faults, scale: 0.1, ..small() });
    let said =
        [everything(&province, &province.returns_a), everything(&province, &province.returns_b)]
            .concat();
    assert!(returns(&said).count() > 2_000);
    for (_, one) in returns(&said) {
        assert!(one.rooms_occupied <= one.rooms_available, "{one:?}");
        assert!(one.notices_late <= one.notices_sent, "{one:?}");
        assert!(one.stay_date <= now().day());
    }
}

#[test]
fn platform_b_never_learned_all_of_the_new_commune_codes() {
    let province = Province::new(Settings { scale: 0.2, ..small() });
    let of = |said: Vec<Said>| {
        let outdated = returns(&said).filter(|(_, one)| one.commune_code != one.commune_today);
        outdated.count() as f64 / said.len() as f64
    };
    assert!(of(everything(&province, &province.returns_a)).abs() < f64::EPSILON);
    let share = of(everything(&province, &province.returns_b));
    assert!((0.15..0.55).contains(&share), "{share}");
}

#[test]
fn before_the_reform_everybody_sends_older_codes() {
    let spring = Stamp::parse("2025-04-02T12:00:00+07:00").unwrap();
    let province = Province::new(Settings { now: Now::Standing(spring), ..small() });
    let said = everything(&province, &province.portal);
    let communes = Areas::load();
    for dossier in dossiers(&said) {
        let index =
            communes.all.iter().position(|area| area.code == dossier.commune_today).unwrap();
        let day = areas::reform().plus(-1);
        let older: Vec<u32> = (0..200).map(|thing| communes.code_on(index, day, thing)).collect();
        assert!(older.contains(&dossier.commune_code), "{dossier:?}");
    }
}

#[test]
fn corrections_and_withdrawals_are_as_rare_as_they_should_be() {
    let province = Province::new(Settings { scale: 0.2, months: 3, ..small() });
    let said = everything(&province, &province.returns_a);
    let withdrawn = said.iter().filter(|said| said.withdrawn).count() as f64 / said.len() as f64;
    assert!((0.002..0.009).contains(&withdrawn), "{withdrawn}");
    let voided = everything(&province, &province.sessions);
    let share = voided.iter().filter(|said| said.withdrawn).count() as f64 / voided.len() as f64;
    assert!((0.001..0.006).contains(&share), "{share}");
}

#[test]
fn weekends_are_quiet_and_the_dead_of_night_silent() {
    let province = Province::new(Settings { scale: 0.3, ..small() });
    let said = everything(&province, &province.portal);
    let mut week = [0_u32; 7];
    let (mut at_counter, mut by_night) = (0_u32, 0_u32);
    for dossier in dossiers(&said) {
        week[calendar::weekday(dossier.submitted_at.day()) as usize] += 1;
        let hour = (dossier.submitted_at.0 + 7 * 3600).rem_euclid(86_400) / 3600;
        assert!(hour >= 5, "{dossier:?}");
        // Counters are open by day; a few evening ones are online dossiers corrected afterwards.
        if dossier.channel == Some(1) {
            at_counter += 1;
            by_night += u32::from(!(7..18).contains(&hour));
        }
    }
    assert!(at_counter > 1_000 && by_night * 50 < at_counter, "{by_night} of {at_counter}");
    assert!(week[0] > 2 * week[5] && week[0] > 3 * week[6], "{week:?}");
}

#[test]
fn the_same_seed_and_time_give_the_same_province() {
    let (one, two) = (Province::new(small()), Province::new(small()));
    let other = Province::new(Settings { seed: 12, ..small() });
    assert_eq!(everything(&one, &one.portal), everything(&two, &two.portal));
    assert_eq!(everything(&one, &one.sessions), everything(&two, &two.sessions));
    assert_eq!(everything(&one, &one.returns_b), everything(&two, &two.returns_b));
    assert_ne!(everything(&one, &one.portal), everything(&other, &other.portal));
}

#[test]
fn a_clock_that_moved_ends_where_a_clock_that_stands_there_began() {
    // The history begins on the same day; one province lived through the last ten days.
    let earlier = Stamp(now().0 - 10 * 86_400);
    let lived = Province::new(Settings { now: Now::Standing(earlier), ..small() });
    let first = lived.first_day();
    for step in 1..=10 {
        lived.set_now(Stamp(earlier.0 + step * 86_400));
        assert!(!everything(&lived, &lived.portal).is_empty());
    }
    let fresh = Province::new(small());
    let since = |said: &Said| said.version >= fresh.first_day().start();
    let young = |province: &Province| -> Vec<String> {
        let said = everything(province, &province.portal);
        let cut = fresh.first_day().start();
        let new = |dossier: &&Dossier| dossier.submitted_at >= cut;
        dossiers(&said).filter(new).map(|dossier| format!("{dossier:?}")).collect()
    };
    assert!(first < fresh.first_day());
    assert!(everything(&fresh, &fresh.portal).iter().all(since));
    assert_eq!(young(&lived), young(&fresh));
}
