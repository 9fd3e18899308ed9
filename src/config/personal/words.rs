//! The words by which the linter knows personal data: lower case, without marks, phrases parted by
//! commas. They are data, so that a reviewer can read them in one glance.

use super::Kind;

/// Phrases that speak of a person, wherever they stand in a name.
pub(super) const REFUSED: &[(Kind, &str)] = &[
    (
        Kind::Name,
        "ho ten, ho va ten, ho dem, ten dem, ten goi, ten day du, ten cong dan, ten nguoi, \
         ten chu, ten khach, ten benh nhan, ten hoc vien, ten hoc sinh, ten sinh vien, \
         ten can bo, ten nhan vien, ten ca nhan, ten cha, ten me, ten vo, ten chong, \
         ten con, ten giam doc, ten tai khoan, ten dang nhap, chu ho so, chu ho, \
         chu tai khoan, full name, first name, last name, middle name, family name, \
         given name, surname, username, user name, login name, applicant name, \
         citizen name, owner name, guest name, patient name, person name, student name, \
         customer name, contact name, holder name, father name, mother name, spouse name, \
         director name",
    ),
    (
        Kind::Contact,
        "dien thoai, sdt, so dt, dtdd, di dong, phone, telephone, mobile, tel, \
         hotline ca nhan, email, e mail, mail, thu dien tu, hop thu, zalo, facebook, \
         telegram, viber, fax ca nhan",
    ),
    (
        Kind::Address,
        "dia chi, noi o, noi cu tru, cho o, thuong tru, tam tru, que quan, so nha, address, \
         street, residence place, place of residence, home town, hometown",
    ),
    (
        Kind::Biometric,
        "anh, hinh anh, chan dung, khuon mat, van tay, mong mat, sinh trac, giong noi, \
         chu ky, image, images, photo, photos, picture, portrait, selfie, avatar, face, \
         fingerprint, fingerprints, iris, biometric, biometrics, voice, signature, \
         template, dna, adn",
    ),
    (
        Kind::IdNumber,
        "cccd, cmnd, cmt, cmtnd, gttt, so dinh danh, dinh danh, can cuoc, \
         chung minh nhan dan, chung minh thu, giay to tuy than, passport, ho chieu, bhxh, \
         bhyt, so bao hiem, so the, ma the, so ho khau, ma so thue, mst, tax code, tax id, \
         tax number, gplx, giay phep lai xe, bien so, plate number, national id, \
         citizen id, identity number, identity card, id number, id card, id no, \
         card number, card no, social security, ssn, insurance number, insurance id, \
         insurance card, driving licence, driver license, eid",
    ),
    (
        Kind::Birth,
        "ngay sinh, nam sinh, thang sinh, noi sinh, sinh ngay, ngay thang nam sinh, \
         birth date, birthdate, date of birth, dob, birthday, birth day, birth year, \
         year of birth, birth place, birthplace, place of birth",
    ),
    (
        Kind::Bank,
        "so tai khoan, stk, tai khoan ngan hang, bank account, account number, account no, \
         iban, so vi dien tu, wallet number",
    ),
];

/// Names that speak of a person only when they are all there is.
pub(super) const REFUSED_ALONE: &[(Kind, &str)] = &[
    (
        Kind::Name,
        "ten, name, nguoi nop, nguoi nop ho so, nguoi dai dien, nguoi lien he, \
         nguoi yeu cau, nguoi ky, nguoi nhan, cong dan, chu so huu, chu co so, applicant, \
         citizen, owner, guest, patient, person, contact",
    ),
    (Kind::Contact, "lien he"),
];

/// Phrases that contain a refused one and are harmless.
pub(super) const ACCEPTED: &str = "khach san, chu de, chu truong, chu quan, anh huong, tieng anh, phan anh, \
     ma dinh danh don vi, ma dinh danh co quan, dinh danh dien tu, ten con dau, email sent, \
     emails sent, mail merge, message template, report template";

/// What may follow a biometric and make it a fact about an act: "did it match?".
pub(super) const ABOUT_AN_ACT: &str = "result, ket qua, method, phuong thuc, status, trang thai, state, checked, matched, \
     verified, auth, xac thuc, reader, count, so luong, rate, ty le, ok, kind, type, loai, \
     required, available";

/// What may begin a name and make it a number of people or things.
pub(super) const COUNTS: &str =
    "so luong, so luot, so nguoi, so khach, tong so, tong, count, number of, total";

/// Field names that say nothing without the name above them.
pub(super) const GENERIC: &str =
    "name, ten, so, number, no, id, value, gia tri, data, noi dung, content, text";
