//! Names that look like personal data: the linter that stands before the first decoded byte.
//!
//! What no contract names is never decoded, so the one way in for personal data is a contract or a
//! map that asks for it. Every property and every mapped place is therefore read as words (camelCase,
//! snake_case, with and without Vietnamese marks, run together) and refused if they speak of a
//! person, unless the property is an `identifier` and so kept only as a keyed hash. Images and
//! biometrics are refused even then. A steward who knows better says so with `personal_data: none`
//! and a reason, and the reason is printed wherever the contract is.

use crate::model::contract::{PersonalData, Property, PropertyType};

/// What a name seems to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The name of a person.
    Name,
    /// A telephone number, an e-mail address, an account of a messenger.
    Contact,
    /// Where somebody lives.
    Address,
    /// A picture, or a measurement of a body.
    Biometric,
    /// A number that the state or an insurance gave to a person.
    IdNumber,
    /// A date or place of birth.
    Birth,
    /// A bank account.
    Bank,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Name => "the name of a person",
            Self::Contact => "a telephone number or e-mail address",
            Self::Address => "an address",
            Self::Biometric => "an image or a biometric",
            Self::IdNumber => "a number that identifies a person",
            Self::Birth => "a date or place of birth",
            Self::Bank => "a bank account",
        }
    }
}

/// Word sequences that speak of a person, wherever they stand in a name.
const REFUSED: &[(Kind, &[&str])] = &[
    (
        Kind::Name,
        &[
            "ho ten",
            "ho va ten",
            "ho dem",
            "ten dem",
            "ten goi",
            "ten day du",
            "ten cong dan",
            "ten nguoi",
            "ten chu",
            "ten khach",
            "ten benh nhan",
            "ten hoc vien",
            "ten hoc sinh",
            "ten sinh vien",
            "ten can bo",
            "ten nhan vien",
            "ten ca nhan",
            "ten cha",
            "ten me",
            "ten vo",
            "ten chong",
            "ten con",
            "ten giam doc",
            "ten tai khoan",
            "ten dang nhap",
            "chu ho so",
            "chu ho",
            "chu tai khoan",
            "full name",
            "first name",
            "last name",
            "middle name",
            "family name",
            "given name",
            "surname",
            "username",
            "user name",
            "login name",
            "applicant name",
            "citizen name",
            "owner name",
            "guest name",
            "patient name",
            "person name",
            "student name",
            "customer name",
            "contact name",
            "holder name",
            "father name",
            "mother name",
            "spouse name",
            "director name",
        ],
    ),
    (
        Kind::Contact,
        &[
            "dien thoai",
            "sdt",
            "so dt",
            "dtdd",
            "di dong",
            "phone",
            "telephone",
            "mobile",
            "tel",
            "hotline ca nhan",
            "email",
            "e mail",
            "mail",
            "thu dien tu",
            "hop thu",
            "zalo",
            "facebook",
            "telegram",
            "viber",
            "fax ca nhan",
        ],
    ),
    (
        Kind::Address,
        &[
            "dia chi",
            "noi o",
            "noi cu tru",
            "cho o",
            "thuong tru",
            "tam tru",
            "que quan",
            "so nha",
            "address",
            "street",
            "residence place",
            "place of residence",
            "home town",
            "hometown",
        ],
    ),
    (
        Kind::Biometric,
        &[
            "anh",
            "hinh anh",
            "chan dung",
            "khuon mat",
            "van tay",
            "mong mat",
            "sinh trac",
            "giong noi",
            "chu ky",
            "image",
            "images",
            "photo",
            "photos",
            "picture",
            "portrait",
            "selfie",
            "avatar",
            "face",
            "fingerprint",
            "fingerprints",
            "iris",
            "biometric",
            "biometrics",
            "voice",
            "signature",
            "template",
            "dna",
            "adn",
        ],
    ),
    (
        Kind::IdNumber,
        &[
            "cccd",
            "cmnd",
            "cmt",
            "cmtnd",
            "gttt",
            "so dinh danh",
            "dinh danh",
            "can cuoc",
            "chung minh nhan dan",
            "chung minh thu",
            "giay to tuy than",
            "passport",
            "ho chieu",
            "bhxh",
            "bhyt",
            "so bao hiem",
            "so the",
            "ma the",
            "so ho khau",
            "ma so thue",
            "mst",
            "tax code",
            "tax id",
            "tax number",
            "gplx",
            "giay phep lai xe",
            "bien so",
            "plate number",
            "national id",
            "citizen id",
            "identity number",
            "identity card",
            "id number",
            "id card",
            "id no",
            "card number",
            "card no",
            "social security",
            "ssn",
            "insurance number",
            "insurance id",
            "insurance card",
            "driving licence",
            "driver license",
            "eid",
        ],
    ),
    (
        Kind::Birth,
        &[
            "ngay sinh",
            "nam sinh",
            "thang sinh",
            "noi sinh",
            "sinh ngay",
            "ngay thang nam sinh",
            "birth date",
            "birthdate",
            "date of birth",
            "dob",
            "birthday",
            "birth day",
            "birth year",
            "year of birth",
            "birth place",
            "birthplace",
            "place of birth",
        ],
    ),
    (
        Kind::Bank,
        &[
            "so tai khoan",
            "stk",
            "tai khoan ngan hang",
            "bank account",
            "account number",
            "account no",
            "iban",
            "so vi dien tu",
            "wallet number",
        ],
    ),
];

/// Names that speak of a person only when they are all there is.
const REFUSED_ALONE: &[(Kind, &[&str])] = &[
    (
        Kind::Name,
        &[
            "ten",
            "name",
            "nguoi nop",
            "nguoi nop ho so",
            "nguoi dai dien",
            "nguoi lien he",
            "nguoi yeu cau",
            "nguoi ky",
            "nguoi nhan",
            "cong dan",
            "chu so huu",
            "chu co so",
            "applicant",
            "citizen",
            "owner",
            "guest",
            "patient",
            "person",
            "contact",
        ],
    ),
    (Kind::Contact, &["lien he"]),
];

/// Word sequences that contain a refused one and are harmless.
const ACCEPTED: &[&str] = &[
    "khach san",
    "chu de",
    "chu truong",
    "chu quan",
    "anh huong",
    "tieng anh",
    "phan anh",
    "ma dinh danh don vi",
    "ma dinh danh co quan",
    "dinh danh dien tu",
    "ten con dau",
    "email sent",
    "emails sent",
    "mail merge",
    "message template",
    "report template",
];

/// What may follow a biometric or an address and make it a fact about an act: "did it match?".
const ABOUT_AN_ACT: &[&str] = &[
    "result",
    "ket qua",
    "method",
    "phuong thuc",
    "status",
    "trang thai",
    "state",
    "checked",
    "matched",
    "verified",
    "auth",
    "xac thuc",
    "reader",
    "count",
    "so luong",
    "rate",
    "ty le",
    "ok",
    "kind",
    "type",
    "loai",
    "required",
    "available",
];

/// What may begin a name and make it a number of people or things.
const COUNTS: &[&str] = &[
    "so luong",
    "so luot",
    "so nguoi",
    "so khach",
    "tong so",
    "tong",
    "count",
    "number of",
    "total",
];

/// Field names that say nothing without the name above them.
const GENERIC: &[&str] = &[
    "name", "ten", "so", "number", "no", "id", "value", "gia tri", "data", "noi dung", "content",
    "text",
];

/// Checks one property and the place that a source gives it; the message says what to do.
pub fn refusal(name: &str, property: &Property) -> Option<String> {
    told(name, property, look(name)?)
}

/// The same for a place in a source's records: a pointer, a column or a label.
pub fn refusal_at(place: &str, property: &Property) -> Option<String> {
    told(place, property, look_at(place)?)
}

fn told(name: &str, property: &Property, kind: Kind) -> Option<String> {
    let is_hashed = property.kind == PropertyType::Identifier && kind != Kind::Biometric;
    if is_hashed || property.personal_data == Some(PersonalData::None) {
        return None;
    }
    let instead = if kind == Kind::Biometric {
        "leave it out; such data are never read, not even as an identifier"
    } else {
        "leave it out, or make it an identifier, which is kept only as a keyed hash"
    };
    Some(format!(
        "'{name}' looks like {} – {instead}; if it is none, say so with 'personal_data: none' and a 'reason'",
        kind.words()
    ))
}

/// What a place in a record seems to hold: its last name, with the one above if it says too little.
fn look_at(place: &str) -> Option<Kind> {
    let mut names = place.rsplit('/').filter(|name| !name.is_empty());
    let last = names.next()?;
    let words = words(last).join(" ");
    match names.next() {
        Some(above) if GENERIC.contains(&words.as_str()) => look(&format!("{above} {last}")),
        _ => look(last),
    }
}

/// What a name seems to hold.
pub fn look(name: &str) -> Option<Kind> {
    let words = words(name);
    let all: Vec<&str> = words.iter().map(String::as_str).collect();
    let alone = all.join(" ");
    if let Some((kind, _)) = REFUSED_ALONE.iter().find(|(_, names)| names.contains(&alone.as_str()))
    {
        return Some(*kind);
    }
    if COUNTS.iter().any(|count| starts(&all, count)) && !starts(&all, "so the") {
        return None;
    }
    let rest = without_accepted(&all);
    REFUSED.iter().find_map(|(kind, phrases)| {
        phrases.iter().any(|phrase| speaks(*kind, &rest, phrase)).then_some(*kind)
    })
}

/// Whether a phrase stands in the words, apart or run together, and is not only about an act.
fn speaks(kind: Kind, words: &[&str], phrase: &str) -> bool {
    let parts: Vec<&str> = phrase.split(' ').collect();
    let run_together = parts.concat();
    let apart =
        words.windows(parts.len()).position(|window| window == parts).map(|at| at + parts.len());
    let joined = || words.iter().position(|word| *word == run_together).map(|at| at + 1);
    let Some(after) = apart.or_else(|| (run_together.len() > 4).then(joined).flatten()) else {
        return false;
    };
    let is_of_act =
        kind == Kind::Biometric && ABOUT_AN_ACT.iter().any(|act| starts(&words[after..], act));
    !is_of_act
}

fn starts(words: &[&str], phrase: &str) -> bool {
    let parts: Vec<&str> = phrase.split(' ').collect();
    words.starts_with(&parts)
}

/// The words with harmless sequences blanked out.
fn without_accepted<'w>(words: &[&'w str]) -> Vec<&'w str> {
    let mut rest = words.to_vec();
    for phrase in ACCEPTED {
        let length = phrase.split(' ').count();
        for at in 0..(rest.len() + 1).saturating_sub(length) {
            if starts(&rest[at..], phrase) {
                rest[at..at + length].fill("");
            }
        }
    }
    rest
}

/// A name as lower-case words without marks: `soDienThoại` is `so dien thoai`, `SoCCCD` is `so cccd`.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().filter_map(plain).collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| letters[i]);
        let after = letters.get(i + 1);
        let begins = letter.is_ascii_uppercase()
            && (before.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
                || (before.is_some_and(|it| it.is_ascii_uppercase())
                    && after.is_some_and(char::is_ascii_lowercase)));
        let digits = before.is_some_and(|it| it.is_ascii_digit() != letter.is_ascii_digit());
        if (begins || digits || !letter.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A letter without its Vietnamese marks; nothing for a mark that stands by itself.
fn plain(letter: char) -> Option<char> {
    const MARKED: [(char, &str); 7] = [
        ('a', "àáảãạăằắẳẵặâầấẩẫậ"),
        ('e', "èéẻẽẹêềếểễệ"),
        ('i', "ìíỉĩị"),
        ('o', "òóỏõọôồốổỗộơờớởỡợ"),
        ('u', "ùúủũụưừứửữự"),
        ('y', "ỳýỷỹỵ"),
        ('d', "đ"),
    ];
    if ('\u{300}'..='\u{36f}').contains(&letter) {
        return None;
    }
    if letter.is_ascii() {
        return Some(letter);
    }
    let small = letter.to_lowercase().next().unwrap_or(letter);
    let plain =
        MARKED.iter().find(|(_, marked)| marked.contains(small)).map_or(' ', |(plain, _)| *plain);
    Some(if small == letter { plain } else { plain.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_speak_of_a_person_are_refused() {
        let refused: &[(Kind, &[&str])] = &[
            (
                Kind::Name,
                &[
                    "ho_ten",
                    "hoTen",
                    "HoTen",
                    "HOTEN",
                    "hoten",
                    "HoVaTen",
                    "họ_tên",
                    "HọVàTên",
                    "full_name",
                    "fullName",
                    "FullName",
                    "fullname",
                    "ten_cong_dan",
                    "TenCongDan",
                    "tenNguoiNop",
                    "ten_khach",
                    "TenKhachHang",
                    "chu_ho_so",
                    "ChuHoSo",
                    "chủ_hồ_sơ",
                    "firstName",
                    "last_name",
                    "surname",
                    "applicantName",
                    "guest_name",
                    "ten",
                    "Tên",
                    "name",
                    "NguoiNop",
                    "nguoi_dai_dien",
                    "tenChuHo",
                    "username",
                    "person",
                    "TenNguoiNopHoSo",
                    "ho\u{302}_te\u{302}n",
                ],
            ),
            (
                Kind::Contact,
                &[
                    "so_dien_thoai",
                    "SoDienThoai",
                    "sodienthoai",
                    "sdt",
                    "SDT",
                    "phone",
                    "phoneNumber",
                    "mobile_no",
                    "email",
                    "e_mail",
                    "EmailNguoiNop",
                    "thu_dien_tu",
                    "di_dong",
                    "số_điện_thoại",
                    "phone1",
                    "zalo_id",
                ],
            ),
            (
                Kind::Address,
                &[
                    "dia_chi",
                    "DiaChi",
                    "diachi",
                    "địa_chỉ",
                    "dia_chi_thuong_tru",
                    "address",
                    "homeAddress",
                    "noi_o",
                    "que_quan",
                ],
            ),
            (
                Kind::Biometric,
                &[
                    "anh",
                    "hinh_anh",
                    "anh_chan_dung",
                    "image",
                    "photo_url",
                    "face",
                    "faceImage",
                    "van_tay",
                    "VanTay",
                    "vantay",
                    "fingerprint",
                    "finger_template",
                    "template",
                    "khuon_mat",
                    "chu_ky",
                    "iris_scan",
                    "Ảnh",
                ],
            ),
            (
                Kind::IdNumber,
                &[
                    "cccd",
                    "CCCD",
                    "soCCCD",
                    "SoCCCDNguoiNop",
                    "cmnd",
                    "so_dinh_danh",
                    "SoDinhDanhCaNhan",
                    "passport",
                    "passport_no",
                    "ho_chieu",
                    "SoHoChieu",
                    "bhxh",
                    "so_bhxh",
                    "so_the",
                    "soTheBHYT",
                    "ma_so_thue",
                    "id_number",
                    "national_id",
                    "identity_number",
                    "can_cuoc",
                    "bien_so_xe",
                    "card_number",
                ],
            ),
            (
                Kind::Birth,
                &[
                    "ngay_sinh",
                    "NgaySinh",
                    "ngaysinh",
                    "nam_sinh",
                    "date_of_birth",
                    "dob",
                    "birthDate",
                    "birthday",
                    "noi_sinh",
                ],
            ),
            (
                Kind::Bank,
                &["so_tai_khoan", "SoTaiKhoan", "bank_account", "account_number", "iban", "stk"],
            ),
        ];
        for (kind, names) in refused {
            for name in *names {
                assert_eq!(look(name), Some(*kind), "{name} {:?}", words(name));
            }
        }
    }

    #[test]
    fn names_of_things_and_counts_are_accepted() {
        for name in [
            "auth_method",
            "auth_result",
            "face_auth_result",
            "fingerprint_reader",
            "face_matched",
            "tenDonVi",
            "ten_don_vi",
            "TenThuTuc",
            "ten_thu_tuc",
            "unit_name",
            "kiosk_name",
            "facility_name",
            "ten_khach_san",
            "tenChuDe",
            "MaHoSo",
            "MaTTHC",
            "ma_ho_so",
            "ho_so",
            "trang_thai",
            "NgayTiepNhan",
            "NgayHenTra",
            "so_luong",
            "so_nguoi",
            "so_nguoi_nop",
            "so_luot_khach",
            "tong_so_khach",
            "total_guests",
            "number_of_phones",
            "guest_nights_domestic",
            "arrivals",
            "notices_sent",
            "commune_code",
            "MaXa",
            "maTinh",
            "applicant_kind",
            "LoaiDoiTuong",
            "TaiKhoanDuocXacThucVoiVNeID",
            "DuocThanhToanTrucTuyen",
            "HoSoCoThanhPhanSoHoa",
            "insurance_checked",
            "payment",
            "camera",
            "printer",
            "chip_reader",
            "network",
            "queue_len",
            "anh_huong",
            "phan_anh",
            "tieng_anh",
            "surface",
            "interface",
            "facility",
            "session_id",
            "facility_id",
            "kenh",
            "soPhong",
            "soThongBao",
            "luotDen",
            "demKhachTrongNuoc",
            "ma_dinh_danh_don_vi",
            "updated_at",
            "finished_at",
            "age_group",
            "state",
            "kind",
            "up",
        ] {
            assert_eq!(look(name), None, "{name} {:?}", words(name));
        }
    }

    #[test]
    fn a_place_is_judged_by_its_last_name_and_by_the_one_above_if_that_says_too_little() {
        assert_eq!(look_at("/applicant/name"), Some(Kind::Name));
        assert_eq!(look_at("/nguoiNop/hoTen"), Some(Kind::Name));
        assert_eq!(look_at("/unit/name"), None);
        assert_eq!(look_at("/name"), Some(Kind::Name));
        assert_eq!(look_at("/diaChi/maXa"), None);
        assert_eq!(look_at("/data/diaChi"), Some(Kind::Address));
        assert_eq!(look_at("/Dossier/@SoCMND"), Some(Kind::IdNumber));
        assert_eq!(look_at("/passport/number"), Some(Kind::IdNumber));
        assert_eq!(look_at(""), None);
    }

    fn property(yaml: &str) -> Property {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn an_identifier_may_hold_a_number_and_never_an_image() {
        let identifier = property("{type: identifier}");
        assert_eq!(refusal("so_cccd", &identifier), None);
        assert!(refusal("van_tay", &identifier).unwrap().contains("never read"));
        assert!(refusal_at("/anh", &identifier).is_some());
        let code = property("{type: code, list: x}");
        assert!(refusal("so_cccd", &code).unwrap().contains("keyed hash"));
    }

    #[test]
    fn a_steward_who_knows_better_says_so() {
        let stated =
            property("{type: code, list: x, personal_data: none, reason: the state of a device}");
        assert_eq!(refusal("fingerprint", &stated), None);
        assert_eq!(refusal_at("/components/fingerprint", &stated), None);
    }
}
