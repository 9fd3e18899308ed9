//! The administrative procedures that the simulated portal offers.
//!
//! The eleven codes of `1.` and `2.` are national ones. Those that begin with `9.` are ours: the
//! services are real, their national codes were not found. Weights follow monthly figures that
//! another province published.

/// One procedure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Procedure {
    /// National code without the province's suffix.
    pub code: &'static str,
    /// Vietnamese name.
    pub name: &'static str,
    /// Code of its field.
    pub field: &'static str,
    /// Vietnamese name of its field.
    pub field_name: &'static str,
    /// Handled by this provincial body; empty if by the commune.
    pub(super) body: &'static str,
    /// How often it is asked for.
    pub(super) weight: u32,
    /// Working days until the result is due; 0 is the same day.
    pub(super) days: u32,
    /// Fee in VND.
    pub(super) fee: u32,
    /// Added to the province's share of online filing.
    pub(super) online: f64,
}

/// All procedures, most of them essential public services.
pub const PROCEDURES: [Procedure; 34] = [
    row("2.001159", "Thông báo lưu trú", RESIDENCE, "", 210, 1, 0, 0.16),
    row("1.004222", "Đăng ký thường trú", RESIDENCE, "", 150, 7, 20_000, 0.02),
    row("1.004194", "Đăng ký tạm trú", RESIDENCE, "", 60, 3, 15_000, 0.06),
    row("1.002755", "Gia hạn tạm trú", RESIDENCE, "", 22, 3, 10_000, 0.08),
    row("1.003677", "Khai báo tạm vắng", RESIDENCE, "", 8, 1, 0, 0.05),
    row("2.000815", "Chứng thực bản sao từ bản chính", CERTIFICATION, "", 150, 0, 2_000, -0.38),
    row("2.000884", "Chứng thực chữ ký", CERTIFICATION, "", 60, 0, 10_000, -0.42),
    row("1.001193", "Đăng ký khai sinh", CIVIL, "", 36, 1, 0, 0.05),
    row("1.000656", "Đăng ký khai tử", CIVIL, "", 17, 1, 0, 0.02),
    row("1.000894", "Đăng ký kết hôn", CIVIL, "", 15, 1, 0, -0.06),
    row("1.001612", "Đăng ký thành lập hộ kinh doanh", BUSINESS, "", 24, 3, 100_000, 0.1),
    row("9.000101", "Cấp lại, đổi thẻ căn cước công dân", IDENTITY, POLICE, 70, 7, 50_000, 0.0),
    row("9.000102", "Xác nhận số chứng minh nhân dân cũ", IDENTITY, POLICE, 4, 3, 0, 0.1),
    row("9.000103", "Cấp hộ chiếu phổ thông", EXIT, POLICE, 78, 8, 200_000, 0.1),
    row("9.000104", "Đăng ký, cấp biển số xe máy", TRAFFIC, POLICE, 42, 2, 100_000, 0.0),
    row("9.000105", "Nộp phạt vi phạm giao thông", TRAFFIC, POLICE, 46, 1, 300_000, 0.14),
    row("9.000106", "Làm con dấu mới", SEAL, POLICE, 2, 3, 0, 0.1),
    row("9.000107", "Cấp phiếu lý lịch tư pháp", JUSTICE, POLICE, 40, 10, 200_000, 0.08),
    row("9.000108", "Liên thông khai sinh, thường trú, thẻ BHYT", CIVIL, "", 30, 4, 0, 0.2),
    row("9.000109", "Liên thông khai tử, trợ cấp mai táng", CIVIL, "", 4, 10, 0, 0.2),
    row("9.000110", "Gia hạn thẻ BHYT hộ gia đình", INSURANCE, INSURER, 36, 2, 0, 0.1),
    row(
        "9.000111",
        "Đăng ký biến động quyền sử dụng đất",
        LAND,
        LAND_OFFICE,
        64,
        10,
        80_000,
        -0.16,
    ),
    row(
        "9.000112",
        "Thay đổi thông tin người được cấp GCN",
        LAND,
        LAND_OFFICE,
        30,
        5,
        28_000,
        -0.12,
    ),
    row("9.000113", "Cấp đổi, cấp lại giấy phép lái xe", TRANSPORT, POLICE, 44, 5, 115_000, 0.12),
    row("9.000114", "Giải quyết hưởng trợ cấp thất nghiệp", LABOUR, HOME_AFFAIRS, 30, 15, 0, 0.06),
    row("9.000115", "Cấp điện mới từ lưới điện hạ áp", POWER, UTILITY, 18, 3, 0, 0.2),
    row("9.000116", "Thay đổi chủ thể hợp đồng mua bán điện", POWER, UTILITY, 8, 2, 0, 0.2),
    row("9.000117", "Cấp bản sao trích lục hộ tịch", CIVIL, "", 62, 0, 8_000, 0.04),
    row("9.000118", "Xác nhận tình trạng hôn nhân", CIVIL, "", 40, 3, 10_000, 0.02),
    row("9.000119", "Chứng thực hợp đồng, giao dịch", CERTIFICATION, "", 28, 2, 50_000, -0.5),
    row("9.000120", "Trợ cấp xã hội hằng tháng", WELFARE, "", 34, 20, 0, -0.02),
    row("9.000121", "Xác nhận hộ nghèo, hộ cận nghèo", WELFARE, "", 12, 15, 0, -0.05),
    row("9.000122", "Cấp giấy phép xây dựng nhà ở", BUILDING, "", 16, 15, 75_000, 0.0),
    row("9.000123", "Xét hưởng chế độ người có công", WELFARE, "", 14, 12, 0, -0.08),
];

type Field = (&'static str, &'static str);

const RESIDENCE: Field = ("G01-CT01", "Đăng ký, quản lý cư trú");
const IDENTITY: Field = ("G01-CC01", "Cấp, quản lý căn cước");
const EXIT: Field = ("G01-XNC", "Quản lý xuất nhập cảnh");
const TRAFFIC: Field = ("G01-GT01", "Trật tự an toàn giao thông");
const SEAL: Field = ("G01-CD01", "Quản lý con dấu");
const CIVIL: Field = ("G15-HT01", "Hộ tịch");
const CERTIFICATION: Field = ("G15-CT01", "Chứng thực");
const JUSTICE: Field = ("G15-LLTP", "Lý lịch tư pháp");
const BUSINESS: Field = ("G05-HKD", "Thành lập hộ kinh doanh");
const INSURANCE: Field = ("G24-BHYT", "Bảo hiểm y tế");
const LAND: Field = ("G13-DD01", "Đất đai");
const TRANSPORT: Field = ("G06-SH01", "Sát hạch, cấp giấy phép lái xe");
const LABOUR: Field = ("G11-VL01", "Việc làm");
const WELFARE: Field = ("G11-BTXH", "Bảo trợ xã hội, người có công");
const POWER: Field = ("G02-DL01", "Điện lực");
const BUILDING: Field = ("G17-XD01", "Hoạt động xây dựng");

const POLICE: &str = "Công an tỉnh";
const INSURER: &str = "Bảo hiểm xã hội tỉnh";
const LAND_OFFICE: &str = "Văn phòng Đăng ký đất đai";
const HOME_AFFAIRS: &str = "Sở Nội vụ";
const UTILITY: &str = "Công ty Điện lực";

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn row(
    code: &'static str,
    name: &'static str,
    field: Field,
    body: &'static str,
    weight: u32,
    days: u32,
    fee: u32,
    online: f64,
) -> Procedure {
    Procedure { code, name, field: field.0, field_name: field.1, body, weight, days, fee, online }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_well_formed() {
        let mut codes: Vec<&str> = PROCEDURES.iter().map(|procedure| procedure.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), PROCEDURES.len());
        assert!(codes.iter().all(|code| code.len() == 8 && code.as_bytes()[1] == b'.'));
        assert_eq!(codes.iter().filter(|code| !code.starts_with('9')).count(), 11);
    }
}
