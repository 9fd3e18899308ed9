//! Names that must be refused, names that must be accepted, and what a steward can do about it.

use super::*;

#[test]
fn names_that_speak_of_a_person_are_refused() {
    let refused = [
        (
            Kind::Name,
            "ho_ten hoTen HoTen HOTEN hoten HoVaTen họ_tên HọVàTên full_name fullName \
             FullName fullname ten_cong_dan TenCongDan tenNguoiNop ten_khach TenKhachHang \
             chu_ho_so ChuHoSo chủ_hồ_sơ firstName last_name surname applicantName \
             guest_name ten Tên name NguoiNop nguoi_dai_dien tenChuHo username person \
             TenNguoiNopHoSo ho\u{302}_te\u{302}n",
        ),
        (
            Kind::Contact,
            "so_dien_thoai SoDienThoai sodienthoai sdt SDT phone phoneNumber mobile_no email \
             e_mail EmailNguoiNop thu_dien_tu di_dong số_điện_thoại phone1 zalo_id",
        ),
        (
            Kind::Address,
            "dia_chi DiaChi diachi địa_chỉ dia_chi_thuong_tru address homeAddress noi_o \
             que_quan",
        ),
        (
            Kind::Biometric,
            "anh hinh_anh anh_chan_dung image photo_url face faceImage van_tay VanTay vantay \
             fingerprint finger_template template khuon_mat chu_ky iris_scan Ảnh",
        ),
        (
            Kind::IdNumber,
            "cccd CCCD soCCCD SoCCCDNguoiNop cmnd so_dinh_danh SoDinhDanhCaNhan passport \
             passport_no ho_chieu SoHoChieu bhxh so_bhxh so_the soTheBHYT ma_so_thue \
             id_number national_id identity_number can_cuoc bien_so_xe card_number",
        ),
        (
            Kind::Birth,
            "ngay_sinh NgaySinh ngaysinh nam_sinh date_of_birth dob birthDate birthday \
             noi_sinh",
        ),
        (Kind::Bank, "so_tai_khoan SoTaiKhoan bank_account account_number iban stk"),
    ];
    for (kind, names) in refused {
        for name in names.split(' ') {
            assert_eq!(look(name), Some(kind), "{name} {:?}", words(name));
        }
    }
}

#[test]
fn names_of_things_and_counts_are_accepted() {
    let accepted = "auth_method auth_result face_auth_result fingerprint_reader face_matched \
        tenDonVi ten_don_vi TenThuTuc ten_thu_tuc unit_name kiosk_name facility_name \
        ten_khach_san tenChuDe MaHoSo MaTTHC ma_ho_so ho_so trang_thai NgayTiepNhan \
        NgayHenTra so_luong so_nguoi so_nguoi_nop so_luot_khach tong_so_khach \
        total_guests number_of_phones guest_nights_domestic arrivals notices_sent \
        commune_code MaXa maTinh applicant_kind LoaiDoiTuong \
        TaiKhoanDuocXacThucVoiVNeID DuocThanhToanTrucTuyen HoSoCoThanhPhanSoHoa \
        insurance_checked payment camera printer chip_reader network queue_len \
        anh_huong phan_anh tieng_anh surface interface facility session_id facility_id \
        kenh soPhong soThongBao luotDen demKhachTrongNuoc ma_dinh_danh_don_vi \
        updated_at finished_at age_group state kind up";
    for name in accepted.split(' ') {
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
