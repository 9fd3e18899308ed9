//! The console's words for states: Vietnamese, English, and a tone.
//!
//! A tone is never shown as a colour alone: each has a word and a shape beside it, so a print, a
//! colour-blind reader and a screen reader learn the same.

use crate::indicator::reading::{FreshnessState, NoValue, Status, TargetStatus};
use crate::indicator::revisions::Change;
use crate::model::revision::Cause;
use crate::model::snapshot::Outcome;
use crate::model::time::Day;
use crate::serve::sources::Health;

/// Vietnamese and English.
pub(super) type Both = (&'static str, &'static str);

/// How good or bad a state is; also the name of its CSS class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Near,
    Bad,
    Plain,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Near => "near",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

pub(super) const NO_TARGET: (Tone, Both) = (Tone::Plain, ("Theo dõi", "no target"));
pub(super) const NO_VALUE: (Tone, Both) = (Tone::Plain, ("Chưa có số liệu", "no value"));

pub(super) const fn target(status: TargetStatus) -> (Tone, Both) {
    match status {
        TargetStatus::OnTrack => (Tone::Good, ("Đạt", "on track")),
        TargetStatus::AtRisk => (Tone::Near, ("Cận kề", "at risk")),
        TargetStatus::OffTrack => (Tone::Bad, ("Chưa đạt", "off track")),
        TargetStatus::Done => (Tone::Good, ("Hoàn thành", "done")),
        TargetStatus::NoTarget => NO_TARGET,
        TargetStatus::Unknown => NO_VALUE,
    }
}

pub(super) const fn freshness(state: FreshnessState) -> (Tone, Both) {
    match state {
        FreshnessState::Fresh => (Tone::Good, ("Mới", "fresh")),
        FreshnessState::Stale => (Tone::Near, ("Cũ", "stale")),
        FreshnessState::NeverReported => (Tone::Plain, ("Chưa có dữ liệu", "no data yet")),
    }
}

pub(super) const fn health(health: Health) -> (Tone, Both) {
    match health {
        Health::Healthy => (Tone::Good, ("Tốt", "healthy")),
        Health::Warning => (Tone::Near, ("Cần theo dõi", "warning")),
        Health::Degraded => (Tone::Bad, ("Số liệu cũ", "degraded")),
        Health::Unknown => (Tone::Plain, ("Chưa có dữ liệu", "unknown")),
    }
}

pub(super) const fn status(status: Status) -> Both {
    match status {
        Status::Final => ("Chính thức", "final"),
        Status::Provisional => ("Tạm tính", "provisional"),
        Status::Missing => ("Chưa có", "missing"),
    }
}

pub(super) const fn no_value(reason: Option<NoValue>) -> Both {
    match reason {
        Some(NoValue::NotReported) => ("Nguồn chưa báo cáo kỳ này", "not reported for this period"),
        Some(NoValue::NoEvents) => ("Kỳ này không phát sinh", "nothing happened in this period"),
        Some(NoValue::NoBase) => ("Không có mẫu số", "nothing to divide by"),
        Some(NoValue::MissingComponent) => ("Thiếu chỉ số thành phần", "a component has no value"),
        Some(NoValue::NotInForce) => {
            ("Đơn vị hành chính đã thay đổi trong kỳ", "the boundaries changed in this period")
        }
        Some(NoValue::Suppressed) => ("Không công bố vì số quá nhỏ", "withheld: too few people"),
        Some(NoValue::NotPublic) => {
            ("Không công bố dưới dạng này", "not told to the public like this")
        }
        Some(NoValue::OutOfReach) => ("Ngoài phạm vi được xem", "beyond what the key reaches"),
        Some(NoValue::Rebuilding) => ("Đang tính lại từ hồ sơ gốc", "being rebuilt"),
        None => ("Chưa có số liệu", "no value"),
    }
}

/// How a figure changed.
pub(super) const fn change(change: Change) -> Both {
    match change {
        Change::Added => ("mới có", "added"),
        Change::Removed => ("không còn", "removed"),
        Change::Revised => ("sửa số", "revised"),
        Change::Reflagged => ("đổi tình trạng", "reflagged"),
    }
}

/// Why a figure changed.
pub(super) const fn cause(cause: Cause) -> Both {
    match cause {
        Cause::Arrived => ("hồ sơ mới trong ngày", "arrived"),
        Cause::Late => ("hồ sơ đến muộn", "late"),
        Cause::Corrected => ("nguồn sửa hồ sơ", "corrected"),
        Cause::Retracted => ("nguồn rút hồ sơ", "retracted"),
        Cause::Rebased => ("đổi địa giới hành chính", "rebased"),
        Cause::Redefined => ("đổi cách tính", "redefined"),
    }
}

/// Why a source is not healthy, from the closed list of [`crate::serve::sources`].
pub(super) fn reason(reason: &str) -> Both {
    match reason {
        "never_reported" => ("chưa từng có dữ liệu", "has never reported"),
        "stale" => ("dữ liệu quá hạn", "data too old"),
        "records_do_not_balance" => ("số bản ghi không khớp", "records do not balance"),
        "paused" => ("đang tạm dừng", "paused"),
        "failing" => ("lượt gần nhất lỗi", "last run failed"),
        "circuit_open" => ("đang tạm ngừng hỏi nguồn", "left alone for now"),
        "contract_breach" => ("sai lệch so với hợp đồng dữ liệu", "breaks its contract"),
        "silent_targets" => ("có thiết bị không trả lời", "some targets are silent"),
        _ => ("có bản ghi bị cách ly", "records in quarantine"),
    }
}

/// What keeps a stream from getting through, in plain words.
pub(super) fn trouble(reason: &str) -> Both {
    match reason {
        "timeout" => ("Nguồn không trả lời kịp", "no answer in time"),
        "connect" => ("Không kết nối được tới nguồn", "cannot connect"),
        "tls" => ("Lỗi kết nối bảo mật", "TLS failure"),
        "circuit_open" => ("Tạm ngừng hỏi vì nguồn không trả lời", "left alone, it did not answer"),
        "address" => ("Địa chỉ nguồn không được phép", "address not allowed"),
        "auth" => ("Nguồn từ chối thông tin đăng nhập", "credentials refused"),
        "http_4xx" => ("Nguồn từ chối yêu cầu", "request refused"),
        "http_5xx" => ("Nguồn đang lỗi", "the source itself fails"),
        "throttled" => ("Nguồn yêu cầu giảm tần suất", "asked to slow down"),
        "decode" => ("Không đọc được câu trả lời", "unreadable answer"),
        "contract" => ("Dữ liệu không đúng hợp đồng", "records break the contract"),
        "truncated" => ("Lượt lấy bị cắt ở giới hạn trang", "stopped at the page cap"),
        "loop_detected" => ("Nguồn lặp lại trang cũ", "pages go in a circle"),
        "reconcile_refused" => {
            ("Danh sách đầy đủ hụt quá nhiều bản ghi", "far too many records vanished")
        }
        "store" => ("Không ghi được vào kho", "cannot write to the store"),
        _ => ("Lỗi khác", "other failure"),
    }
}

pub(super) const fn outcome(outcome: Outcome) -> (Tone, Both) {
    match outcome {
        Outcome::Ok => (Tone::Good, ("tốt", "ok")),
        Outcome::SkippedUnchanged => (Tone::Good, ("không đổi", "unchanged")),
        Outcome::Truncated => (Tone::Near, ("dở dang", "truncated")),
        Outcome::LoopDetected => (Tone::Bad, ("lặp trang", "loop")),
        Outcome::ReconcileRefused => (Tone::Near, ("hụt bản ghi", "reconcile refused")),
        Outcome::Failed => (Tone::Bad, ("lỗi", "failed")),
        Outcome::RejectedByGate => (Tone::Bad, ("bị chặn", "rejected by the gate")),
        Outcome::Paused => (Tone::Near, ("tạm dừng", "paused")),
        Outcome::Unbalanced => (Tone::Bad, ("không khớp", "unbalanced")),
    }
}

/// The heading of a group; a group without words of its own stands under its name.
pub(super) fn group(name: &str) -> (&str, &str) {
    match name {
        "portal" => ("Dịch vụ công", "Public services"),
        "lodging" => ("Cơ sở lưu trú", "Accommodation"),
        "kiosk" => ("Kiốt phục vụ", "Kiosks"),
        "reports" => ("Chế độ báo cáo", "Punctuality of reports"),
        "combined" => ("Tổng hợp liên hệ thống", "Combined across systems"),
        "decision_766" => ("Bộ chỉ số theo Quyết định 766", "The index of Decision 766"),
        "programme" => ("Mô hình và nhiệm vụ Đề án 06", "Pilot models and tasks of Project 06"),
        "certification" => ("Chứng thực, công chứng", "Certification and notary"),
        "citizens" => ("Công dân số", "Digital citizenship"),
        "courses" => ("Học trực tuyến mở", "Open online training"),
        "exams" => ("Giám sát thi và sát hạch lái xe", "Exams and driving tests"),
        "loans" => ("Cho vay tín chấp", "Unsecured loans"),
        "medical" => ("Lưu trú tại cơ sở y tế", "Lodging in medical facilities"),
        "petitions" => ("Phản ánh, kiến nghị và hài lòng", "Petitions and satisfaction"),
        "screens" => ("Truyền thông trên màn hình, loa", "Screens and loudspeakers"),
        other => (other, ""),
    }
}

/// What a value counts; a word that is not known stands as it is.
pub(super) fn unit(name: &str) -> (&str, &str) {
    match name {
        "percent" => ("", ""),
        "dossiers" => ("hồ sơ", "dossiers"),
        "days" => ("ngày", "days"),
        "hours" => ("giờ", "hours"),
        "minutes" => ("phút", "minutes"),
        "seconds" => ("giây", "seconds"),
        "rooms" => ("phòng", "rooms"),
        "guests" => ("lượt khách", "guests"),
        "nights" | "guest_nights" | "guest nights" => ("đêm khách", "guest nights"),
        "sessions" => ("phiên", "sessions"),
        "points" => ("điểm", "points"),
        "kiosks" => ("kiốt", "kiosks"),
        "facilities" => ("cơ sở", "facilities"),
        "communes" => ("xã, phường", "communes"),
        "reports" => ("báo cáo", "reports"),
        "acts" => ("việc", "acts"),
        "copies" => ("bản", "copies"),
        "models" => ("mô hình", "models"),
        "tasks" => ("nhiệm vụ", "tasks"),
        "items" => ("hạng mục", "items"),
        "people" => ("người", "people"),
        "petitions" => ("kiến nghị", "petitions"),
        "contacts" => ("lượt liên hệ", "contacts"),
        "alerts" => ("cảnh báo", "alerts"),
        "errors" => ("lỗi", "errors"),
        "spots" => ("lượt phát", "spots"),
        "VND" => ("đồng", "VND"),
        "dossiers per facility" => ("hồ sơ mỗi cơ sở", "dossiers per facility"),
        "percent of target" => ("% mục tiêu", "of the target"),
        "percent of progress" => ("% tiến độ", "of progress"),
        other => (other, other),
    }
}

/// A period as people say it: `Tháng 03/2024`, `Tuần 13/2024`, `31/03/2024`.
pub(super) fn period(id: &str, first: Day) -> (String, String) {
    let vi = match id.split_once('-') {
        None => format!("Năm {id}"),
        Some((year, rest)) => match (rest.as_bytes().first(), rest.len()) {
            (Some(b'Q'), _) => format!("Quý {}/{year}", &rest[1..]),
            (Some(b'W'), _) => format!("Tuần {}/{year}", &rest[1..]),
            (_, 2) => format!("Tháng {rest}/{year}"),
            _ => format!("Ngày {}", super::format::day(first)),
        },
    };
    (vi, id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the shipped indicators are grouped by and counted in is said in Vietnamese.
    #[test]
    fn shipped_groups_and_units_have_words() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/indicators");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            for line in std::fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
                let Some((key, value)) = line.trim().split_once(": ") else { continue };
                let (vi, en) = match key {
                    "group" => group(value),
                    "unit_measure" => unit(value),
                    _ => continue,
                };
                assert!(vi != value && en != vi || value == "percent", "{key} '{value}'");
                seen += 1;
            }
        }
        assert!(seen > 200, "{seen}");
    }

    #[test]
    fn periods_are_said_in_vietnamese() {
        let day = Day::parse("2024-03-31").unwrap();
        let said =
            ["2024", "2024-Q1", "2024-W13", "2024-03", "2024-03-31"].map(|id| period(id, day).0);
        assert_eq!(
            said,
            ["Năm 2024", "Quý 1/2024", "Tuần 13/2024", "Tháng 03/2024", "Ngày 31/03/2024"]
        );
    }
}
