//! Everything the province ever said, as typed facts.
//!
//! The ledger is the ground truth of the tests: an oracle recomputes every indicator from it and
//! compares. It therefore holds what was *meant*, taken from the drawn record and not from the
//! rendered bytes, and leaves every conclusion (latest version, sums) to its reader.

use std::sync::{Mutex, PoisonError};

use super::record::Record;
use crate::model::time::{Day, Stamp};

/// A stream of one of the simulated systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    /// The portal's dossiers.
    Portal,
    /// Daily returns on lodging platform A.
    ReturnsA,
    /// Facilities on lodging platform A.
    FacilitiesA,
    /// Daily returns on lodging platform B.
    ReturnsB,
    /// Facilities on lodging platform B.
    FacilitiesB,
    /// A kiosk's own status.
    Kiosk,
    /// Session events of the kiosk platform.
    Sessions,
    /// Daily returns of medical facilities.
    MedicalReturns,
    /// The register of medical facilities.
    MedicalFacilities,
    /// Daily acts of certification points.
    Certification,
    /// Exams and driving tests under cameras.
    Exams,
    /// Unsecured loans.
    Loans,
    /// Households that may have such a loan.
    Households,
    /// Digital citizenship by commune and month.
    Citizens,
    /// Screens, billboards and loudspeakers by day.
    Screens,
    /// Courses by unit and month.
    Courses,
    /// The register of models and tasks.
    Programme,
    /// Petitions.
    Petitions,
    /// Verdicts at one-stop desks by day.
    Votes,
    /// The rows of Decision 766 by unit and month.
    Evaluation,
}

/// Why a record deserves quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bad {
    /// A list stands where a plain value belongs.
    WrongType,
    /// A code that is in no list.
    UnknownCode,
    /// A commune code that never existed.
    UnknownCommune,
    /// Something that happened in the future.
    FutureDate,
}

/// One record, said once.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Rises with every record said.
    pub seq: u64,
    /// Who said it.
    pub system: System,
    /// Its update stamp: of two versions of a record the higher one counts.
    pub version: Stamp,
    /// The record was withdrawn in this version.
    pub withdrawn: bool,
    /// Set for extra records that break the contract; the fact then tells what they claim.
    pub bad: Option<Bad>,
    /// False if the answer was damaged on its way, so that nobody can have read it.
    pub whole: bool,
    /// What was said.
    pub fact: Fact,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A dossier of the portal.
    Dossier(Box<Dossier>),
    /// A facility's daily return.
    Return(Return),
    /// A facility.
    Facility(Facility),
    /// A session at a kiosk.
    Session(Session),
    /// A kiosk's status.
    Heartbeat(Heartbeat),
    /// A record of a smaller system.
    Record(Record),
    /// A kiosk was asked at `Said::version` and gave no status.
    Silence {
        /// `KSK-001`.
        kiosk: String,
    },
}

/// A dossier. Codes as on the wire.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the wire has as many flags")]
pub struct Dossier {
    /// The key, `MaHoSo`.
    pub dossier: String,
    /// `MaTTHC` without its suffix.
    pub procedure: &'static str,
    /// `MaLinhVuc`.
    pub field: &'static str,
    /// 1 counter, 2 online, 3 post; none if the portal sent nothing (it means counter).
    pub channel: Option<u8>,
    /// Result by post.
    pub result_by_post: bool,
    /// 1 citizen, 2 enterprise, 3 state body, 4 other.
    pub applicant_kind: u8,
    /// `TrangThaiHoSo`, 1 to 10.
    pub status: u8,
    /// `MaXa` as sent.
    pub commune_code: u32,
    /// The commune of today that the code belongs to.
    pub commune_today: u32,
    /// `NgayNopHoSo`.
    pub submitted_at: Stamp,
    /// `NgayTiepNhan`.
    pub received_at: Option<Stamp>,
    /// `NgayHenTra`.
    pub due_at: Option<Stamp>,
    /// `NgayKetThucXuLy`.
    pub finished_at: Option<Stamp>,
    /// `NgayTra`.
    pub returned_at: Option<Stamp>,
    /// `NgayTuChoi`.
    pub refused_at: Option<Stamp>,
    /// `NgayYeuCauBoSung`.
    pub supplement_asked_at: Option<Stamp>,
    /// `NgayTiepNhanBoSung` of the one supplement.
    pub supplement_given_at: Option<Stamp>,
    /// 1 via the national portal, 2 via the province's own.
    pub filed_via: u8,
    /// Has digitised components.
    pub digitised: bool,
    /// Account verified by VNeID.
    pub vneid: bool,
    /// 0 no fee, 1 or 2 paid online, 3 not paid online.
    pub paid_online: u8,
    /// Databases queried.
    pub databases: u8,
    /// Papers filed.
    pub papers: u8,
    /// A paper was reused.
    pub reused: bool,
    /// A paper came from the citizen's national store.
    pub from_store: bool,
    /// An electronic result is linked.
    pub has_result: bool,
    /// Fees due in VND.
    pub fee: u32,
}

/// A facility's daily return.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the return, whose names say it")]
pub struct Return {
    pub facility: String,
    pub stay_date: Day,
    /// As sent.
    pub commune_code: u32,
    /// The commune of today that the code belongs to.
    pub commune_today: u32,
    pub rooms_available: u32,
    pub rooms_occupied: u32,
    pub guests_domestic: u32,
    pub guests_foreign: u32,
    pub guest_nights_domestic: u32,
    pub guest_nights_foreign: u32,
    pub arrivals: u32,
    pub departures: u32,
    pub notices_sent: u32,
    pub notices_late: u32,
}

/// A facility in a platform's register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facility {
    /// The key.
    pub facility: String,
    /// As sent.
    pub commune_code: u32,
    /// The commune of today that the code belongs to.
    pub commune_today: u32,
    /// `hotel`, `guest_house`, … whatever the platform calls it.
    pub kind: &'static str,
    /// 0 to 5.
    pub stars: u8,
    /// Licensed rooms.
    pub rooms: u32,
    /// Licensed beds.
    pub beds: u32,
    /// `active`, `suspended` or `closed`, whatever the platform calls it.
    pub status: &'static str,
    /// None for a licensed facility that is not connected yet.
    pub connected_since: Option<Day>,
}

/// A session at a kiosk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the event, whose names say it")]
pub struct Session {
    pub session: String,
    pub kiosk: String,
    pub commune_code: u32,
    pub started_at: Stamp,
    pub ended_at: Stamp,
    pub service: &'static str,
    pub auth_method: &'static str,
    pub auth_result: &'static str,
    pub auth_attempts: u32,
    pub outcome: &'static str,
    pub failure_code: &'static str,
    pub insurance_checked: bool,
    pub printed: bool,
}

/// A kiosk's status at `Said::version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// `KSK-001`.
    pub kiosk: String,
    /// `online`, `degraded`, `out_of_service` or `maintenance`.
    pub state: &'static str,
    /// Paper left.
    pub paper_percent: u32,
    /// Seconds since its start.
    pub uptime_s: u64,
    /// People waiting.
    pub queue_len: u32,
}

/// A fact on its way into the ledger.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) version: Stamp,
    pub(super) withdrawn: bool,
    pub(super) bad: Option<Bad>,
    pub(super) fact: Fact,
}

/// The list itself. It grows without limit and is meant for tests.
#[derive(Debug, Default)]
pub struct Ledger {
    said: Mutex<Vec<Said>>,
}

impl Ledger {
    /// Everything said so far, in order.
    pub fn said(&self) -> Vec<Said> {
        self.read(<[Said]>::to_vec)
    }

    /// Looks at everything said so far without copying it; nothing can be said meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&[Said]) -> T) -> T {
        look(&self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Enters the records of one answer.
    pub(super) fn enter(&self, system: System, whole: bool, notes: Vec<Note>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for Note { version, withdrawn, bad, fact } in notes {
            let seq = said.len() as u64;
            said.push(Said { seq, system, version, withdrawn, bad, whole, fact });
        }
    }
}
