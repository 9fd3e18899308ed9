//! A dossier as the row that the portal sends: every value a string, empty where there is none.
//!
//! Field names are those of the national `DongBoHoSoMC` service, except `MaXa` and `NgayCapNhat`:
//! these two are ours, because that service carries neither a commune code nor an update stamp.
//! Fields that hold personal data in reality hold `CANARY` strings here.

use super::areas::Areas;
use super::draw::mix;
use super::ledger::{self, Bad, Fact, Note};
use super::page::Line;
use super::portal::{Dossier, Stage};
use super::procedures::{PROCEDURES, Procedure};
use super::write::{Moment, Object, padded};
use crate::model::time::Stamp;

/// The suffix that the province puts after national procedure codes.
pub(super) const SUFFIX: &str = ".000.00.00.H41";

const TEN_YEARS: i64 = 3_650 * 86_400;

/// What is known of a dossier in one of its versions.
#[derive(Debug)]
pub(super) struct Row<'a> {
    dossier: &'a Dossier,
    procedure: &'static Procedure,
    stage: Stage,
    unit: u64,
    serial: u64,
    status: u8,
    channel: Option<u8>,
    commune_code: u32,
    commune_today: u32,
    body: &'static str,
    received: Option<i64>,
    bad: Option<Bad>,
}

impl<'a> Row<'a> {
    pub(super) fn at(dossier: &'a Dossier, line: Line, areas: &Areas) -> Self {
        let stages = dossier.stages();
        let last = stages.len() - 1;
        let version = usize::from(line.version).min(last);
        let stage = stages[version];
        let is_corrected = dossier.is_corrected && version == last;
        let moves = is_corrected && dossier.detail(2, 0.5);
        let commune = if moves { (dossier.commune + 1) % areas.all.len() } else { dossier.commune };
        let procedure = &PROCEDURES[dossier.procedure];
        let channel =
            if is_corrected && !moves { 3 - dossier.channel % 3 } else { dossier.channel };
        let known = |when: i64| (when > 0 && when <= stage.when).then_some(when);
        let mut row = Self {
            dossier,
            procedure,
            stage,
            unit: 100 + dossier.commune as u64,
            serial: u64::from(dossier.serial),
            status: stage.status,
            channel: (!dossier.is_channel_silent || is_corrected).then_some(channel),
            commune_code: areas.code_on(commune, dossier.day, dossier.details),
            commune_today: areas.all[commune].code,
            body: if procedure.body.is_empty() { areas.all[commune].name } else { procedure.body },
            received: known(dossier.accepted),
            bad: line.bad,
        };
        row.spoil();
        row
    }

    /// Turns the row into a stranger with a serial number of its own and one fault.
    fn spoil(&mut self) {
        let Some(bad) = self.bad else { return };
        self.serial += 50_000 + 10_000 * bad as u64;
        match bad {
            Bad::WrongType => {}
            Bad::UnknownCode => self.status = 42,
            Bad::UnknownCommune => self.commune_code = 99_999,
            Bad::FutureDate => self.received = Some(self.stage.when + TEN_YEARS),
        }
    }

    fn known(&self, when: i64) -> Option<i64> {
        (when > 0 && when <= self.stage.when).then_some(when)
    }

    fn due(&self) -> Option<i64> {
        let accepted = self.known(self.dossier.accepted)?;
        let again = self.known(self.dossier.answered).map(|_| self.dossier.due_again);
        Some(again.unwrap_or(self.dossier.due)).filter(|_| accepted > 0)
    }

    fn fee(&self) -> u32 {
        self.procedure.fee
    }

    fn paid_online(&self) -> u64 {
        let is_paid = self.dossier.channel == 2 && self.dossier.detail(3, 0.78);
        match (self.fee(), is_paid) {
            (0, _) => 0,
            (_, true) => 1 + u64::from(self.dossier.detail(4, 0.35)),
            (_, false) => 3,
        }
    }

    fn papers(&self) -> usize {
        1 + (mix(self.dossier.details, 5) % 3) as usize
    }

    fn is_digitised(&self) -> bool {
        self.dossier.detail(6, if self.dossier.channel == 2 { 0.9 } else { 0.68 })
    }

    fn is_reused(&self) -> bool {
        self.is_digitised() && self.dossier.detail(7, 0.42)
    }

    fn is_from_store(&self) -> bool {
        self.is_digitised() && self.dossier.detail(8, 0.18)
    }

    fn has_result(&self) -> bool {
        self.stage.status >= 9 && self.dossier.has_e_result()
    }

    fn vneid(&self) -> bool {
        self.dossier.detail(9, if self.dossier.channel == 2 { 0.94 } else { 0.35 })
    }

    fn databases(&self) -> usize {
        (mix(self.dossier.details, 10) % 3) as usize
    }

    fn applicant_kind(&self) -> u8 {
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4]
            [(mix(self.dossier.details, 11) % 20) as usize]
    }

    fn result_by_post(&self) -> bool {
        self.dossier.channel == 3 || self.dossier.detail(12, 0.06)
    }

    fn filed_via(&self) -> u64 {
        if self.dossier.channel == 2 && self.dossier.detail(13, 0.7) { 1 } else { 2 }
    }

    /// `H41.166-240402-00001`
    fn write_number(&self, out: &mut Vec<u8>) {
        let date = self.dossier.day.date();
        out.extend_from_slice(b"H41.");
        padded(out, self.unit, 3);
        out.push(b'-');
        padded(out, date.year() as u64 % 100, 2);
        padded(out, date.month() as u64, 2);
        padded(out, date.day() as u64, 2);
        out.push(b'-');
        padded(out, self.serial, 5);
    }

    /// A field that holds personal data in reality.
    fn canary(&self, object: &mut Object<'_>, name: &str, tag: &str) {
        object.quoted(name, |out| {
            out.extend_from_slice(b"CANARY-");
            out.extend_from_slice(tag.as_bytes());
            out.push(b'-');
            self.write_number(out);
        });
    }

    /// Writes the row.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::open(out);
        object.quoted("MaHoSo", |out| self.write_number(out));
        object.quoted("MaTTHC", |out| {
            out.extend_from_slice(self.procedure.code.as_bytes());
            out.extend_from_slice(SUFFIX.as_bytes());
        });
        object.text("TenTTHC", self.procedure.name);
        object.text("MaLinhVuc", self.procedure.field);
        object.text("TenLinhVuc", self.procedure.field_name);
        match self.channel {
            Some(channel) => object.digits("KenhThucHien", u64::from(channel)),
            None => object.text("KenhThucHien", ""),
        }
        object.digits("HinhThuc", u64::from(self.result_by_post()));
        self.write_person(&mut object);
        self.write_dates(&mut object);
        object.digits("TrangThaiHoSo", u64::from(self.status));
        object.quoted("DonViXuLy", |out| {
            if self.procedure.body.is_empty() {
                out.extend_from_slice("UBND ".as_bytes());
            }
            out.extend_from_slice(self.body.as_bytes());
        });
        object.digits("NoiNopHoSo", self.filed_via());
        object.digits("HoSoCoThanhPhanSoHoa", u64::from(self.is_digitised()));
        object.digits("TaiKhoanDuocXacThucVoiVNeID", u64::from(self.vneid()));
        object.digits("DuocThanhToanTrucTuyen", self.paid_online());
        object.quoted("MaXa", |out| padded(out, u64::from(self.commune_code), 5));
        self.write_lists(&mut object);
        object.text("isUpdating", if self.stage.status > 2 { "True" } else { "False" });
        object.moment("NgayCapNhat", Some(self.stage.known), Moment::Compact);
        object.close();
    }

    fn write_person(&self, object: &mut Object<'_>) {
        object.digits("LoaiDoiTuong", u64::from(self.applicant_kind()));
        let drops = [
            ("MaDoiTuong", "SUBJECT"),
            ("ChuHoSo", "NAME"),
            ("SoGiayToChuHoSo", "IDNO"),
            ("DinhDanhCHS", "PID"),
            ("Email", "MAIL"),
            ("Fax", "FAX"),
            ("SoDienThoai", "PHONE"),
            ("TrichYeuHoSo", "ABSTRACT"),
            ("ThongTinKhac", "OTHER"),
            ("GhiChu", "NOTE"),
            ("NguoiXuLy", "OFFICIAL"),
            ("NoiDungXuLy", "CONTENT"),
        ];
        for (name, tag) in drops {
            self.canary(object, name, tag);
        }
    }

    fn write_dates(&self, object: &mut Object<'_>) {
        let dossier = self.dossier;
        object.moment("NgayNopHoSo", Some(dossier.submitted), Moment::Compact);
        if self.bad == Some(Bad::WrongType) {
            object.wrong_type("NgayTiepNhan");
        } else {
            object.moment("NgayTiepNhan", self.received, Moment::Compact);
        }
        object.moment("NgayHenTra", self.due(), Moment::Compact);
        object.moment("NgayKetThucXuLy", self.known(dossier.finished), Moment::Compact);
        object.moment("NgayTra", self.known(dossier.returned), Moment::Compact);
        object.moment("NgayTuChoi", self.known(dossier.refused), Moment::Compact);
        object.moment("NgayYeuCauBoSung", self.known(dossier.asked), Moment::Compact);
    }

    fn write_lists(&self, object: &mut Object<'_>) {
        object.objects("TaiLieuNop", self.papers(), |index, paper| {
            let is_first = index == 0;
            self.canary(paper, "TenTepDinhKem", "FILE");
            self.canary(paper, "DuongDanTaiTepTin", "FILELINK");
            paper.digits("DuocSoHoa", u64::from(is_first && self.is_digitised()));
            paper.digits("DuocTaiSuDung", u64::from(is_first && self.is_reused()));
            paper.digits("DuocLayTuKhoDMQG", u64::from(is_first && self.is_from_store()));
            paper.text("IsDeleted", "0");
        });
        object.objects("DanhSachLePhi", usize::from(self.fee() > 0), |_, fee| {
            fee.text("MaPhiLePhi", "LP01");
            fee.text("HinhThucThu", "1");
            fee.digits("Gia", u64::from(self.fee()));
            fee.text("LoaiPhiLePhi", "2");
        });
        let dossier = self.dossier;
        let supplements = usize::from(self.known(dossier.asked).is_some());
        object.objects("DanhSachHoSoBoSung", supplements, |_, supplement| {
            let answered = self.known(dossier.answered);
            supplement.moment("NgayBoSung", Some(dossier.asked), Moment::Compact);
            supplement.moment("NgayTiepNhanBoSung", answered, Moment::Compact);
            supplement.moment("NgayHenTraTruoc", Some(dossier.due), Moment::Compact);
            let due_again = answered.map(|_| dossier.due_again);
            supplement.moment("NgayHenTraMoi", due_again, Moment::Compact);
        });
        object.objects("DanhSachGiayToKetQua", usize::from(self.has_result()), |_, paper| {
            paper.text("MaGiayToKetQua", "KQ01");
            self.canary(paper, "DuongDanTepTinKetQua", "RESULTLINK");
        });
        object.objects("DSKetNoiCSDL", self.databases(), |index, database| {
            database.digits("MaCSDL", index as u64 + 1);
        });
    }

    /// The row as a fact.
    pub(super) fn note(&self, line: Line) -> Note {
        let dossier = self.dossier;
        let stamp = |when: i64| self.known(when).map(Stamp);
        let mut number = Vec::new();
        self.write_number(&mut number);
        let fact = ledger::Dossier {
            dossier: String::from_utf8_lossy(&number).into_owned(),
            procedure: self.procedure.code,
            field: self.procedure.field,
            channel: self.channel,
            result_by_post: self.result_by_post(),
            applicant_kind: self.applicant_kind(),
            status: self.status,
            commune_code: self.commune_code,
            commune_today: self.commune_today,
            submitted_at: Stamp(dossier.submitted),
            received_at: self.received.map(Stamp),
            due_at: self.due().map(Stamp),
            finished_at: stamp(dossier.finished),
            returned_at: stamp(dossier.returned),
            refused_at: stamp(dossier.refused),
            supplement_asked_at: stamp(dossier.asked),
            supplement_given_at: stamp(dossier.answered),
            filed_via: self.filed_via() as u8,
            digitised: self.is_digitised(),
            vneid: self.vneid(),
            paid_online: self.paid_online() as u8,
            databases: self.databases() as u8,
            papers: self.papers() as u8,
            reused: self.is_reused(),
            from_store: self.is_from_store(),
            has_result: self.has_result(),
            fee: self.fee(),
        };
        Note {
            version: Stamp(self.stage.known),
            withdrawn: false,
            bad: line.bad,
            fact: Fact::Dossier(Box::new(fact)),
        }
    }
}
