//! Workbooks as small as the format allows: one sheet of texts and numbers, nothing packed.

/// An XLSX file whose sheet `name` has these rows; with `numbers`, a cell that is a number is written
/// as one, and otherwise as a text like the others.
pub(crate) fn workbook(name: &str, rows: &[Vec<String>], numbers: bool) -> Vec<u8> {
    let mut sheet = String::from("<worksheet><sheetData>");
    for row in rows {
        sheet.push_str("<row>");
        for cell in row {
            if numbers && cell.parse::<f64>().is_ok() {
                sheet.extend(["<c><v>", cell, "</v></c>"]);
            } else {
                sheet.extend(["<c t=\"inlineStr\"><is><t>", cell, "</t></is></c>"]);
            }
        }
        sheet.push_str("</row>");
    }
    sheet.push_str("</sheetData></worksheet>");
    let book = format!(
        "<workbook xmlns:r=\"r\"><sheets><sheet name=\"{name}\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>"
    );
    let links =
        "<Relationships><Relationship Id=\"a\" Target=\"worksheets/sheet1.xml\"/></Relationships>";
    archive(&[
        ("xl/workbook.xml", &book),
        ("xl/_rels/workbook.xml.rels", links),
        ("xl/worksheets/sheet1.xml", &sheet),
    ])
}

fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for (name, text) in parts {
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        let (at, length) = ((out.len() as u32).to_le_bytes(), (text.len() as u32).to_le_bytes());
        let mut common = vec![20, 0, 0, 8, 0, 0, 0, 0, 0, 0];
        common.extend([crc.sum().to_le_bytes(), length, length].concat());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), text.as_bytes()].concat());
        list.extend([&b"PK\x01\x02\x14\x00"[..], &common, &[0; 10], &at, name.as_bytes()].concat());
    }
    let count = (parts.len() as u16).to_le_bytes();
    let (at, length) = ((out.len() as u32).to_le_bytes(), (list.len() as u32).to_le_bytes());
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &at, &[0, 0]].concat();
    [out, list, end].concat()
}
