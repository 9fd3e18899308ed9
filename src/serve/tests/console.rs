//! The first page: complete, readable without script, and never a silent old number.

use std::sync::Arc;

use super::world::{bare, context, now};
use super::{Reply, get};
use crate::model::text::Bilingual;
use crate::model::time::Stamp;

/// The tile of an indicator, as HTML.
fn tile<'p>(page: &'p Reply, id: &str) -> &'p str {
    let mark = format!("id=\"{id}\"");
    let mut tiles = page.text().split("<article").filter(|tile| tile.contains(&mark));
    let tile = tiles.next().expect("the indicator has a tile");
    assert!(tiles.next().is_none(), "one tile only");
    tile.split("</article>").next().unwrap()
}

#[actix_web::test]
async fn a_tile_says_value_target_freshness_completeness_and_whose_it_is() {
    let page = get(&context(), "/?period=2024-03").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let tile = tile(&page, "online_rate");
    for words in [
        "Tỷ lệ nộp trực tuyến",
        "Share filed online",
        "57,1\u{a0}%",
        "8 / 14",
        "Chưa đạt",
        "off track",
        "≥\u{a0}80,0\u{a0}%",
        "đạt 71\u{a0}%",
        "Tháng 03/2024",
        "Chính thức",
        "Mới",
        "02/04/2024 16:59",
        "100\u{a0}%",
        "Văn phòng UBND tỉnh",
        "Chánh Văn phòng",
        "<svg class=\"spark\" role=\"img\"",
    ] {
        assert!(tile.contains(words), "{words}\n{tile}");
    }
}

#[actix_web::test]
async fn the_page_is_for_this_month_and_in_its_first_days_for_the_last_one() {
    let context = context();
    assert!(get(&context, "/").await.text().contains("href=\"/?period=2024-03\" aria-current"));
    context.clock.set(Stamp(now().0 + 4 * 86_400));
    let page = get(&context, "/").await;
    assert!(page.text().contains("href=\"/?period=2024-04\" aria-current=\"page\""));
}

#[actix_web::test]
async fn an_open_month_is_provisional() {
    let page = get(&context(), "/?period=2024-04").await;
    let tile = tile(&page, "online_rate");
    assert!(
        tile.contains("Tháng 04/2024") && tile.contains("Tạm tính") && tile.contains("83,3\u{a0}%")
    );
    assert!(page.text().contains("href=\"/?period=2024-04\" aria-current=\"page\""));
}

#[actix_web::test]
async fn a_missing_value_is_a_dash_with_its_reason() {
    let page = get(&context(), "/").await;
    let tile = tile(&page, "kiosk_sessions");
    assert!(tile.contains("<span class=\"big\">—</span>"), "{tile}");
    assert!(tile.contains("Nguồn chưa báo cáo kỳ này") && tile.contains("Chưa có dữ liệu"));
    assert!(tile.contains("Không có số liệu trong 30 ngày qua"), "no line at zero");
}

#[actix_web::test]
async fn an_old_number_is_greyed_and_says_so() {
    let context = context();
    assert!(!tile(&get(&context, "/").await, "received").contains(" late\""));
    context.clock.set(Stamp(now().0 + 3 * 3600));
    let page = get(&context, "/").await;
    let tile = tile(&page, "received");
    assert!(
        tile.contains(" late\"") && tile.contains("Cũ") && tile.contains("3 giờ trước"),
        "{tile}"
    );
    let attention = page.text().split("id=\"attention\"").nth(1).unwrap();
    let attention = attention.split("</section>").next().unwrap();
    assert!(attention.contains("Hồ sơ tiếp nhận"), "what is late needs attention");
}

#[actix_web::test]
async fn what_needs_attention_comes_first_in_the_list_and_in_its_group() {
    let page = get(&context(), "/?period=2024-03").await;
    let at = |words: &str| page.text().find(words).unwrap();
    assert!(at("id=\"attention\"") < at("<article"));
    assert!(at("id=\"online_rate\"") < at("id=\"received\""), "off track before monitored");
    let fine = get(&context(), "/?period=2024-04").await;
    let attention = fine.text().split("id=\"attention\"").nth(1).unwrap();
    assert!(!attention.split("</section>").next().unwrap().contains("Tỷ lệ nộp trực tuyến"));
}

#[actix_web::test]
async fn the_sources_stand_below_with_their_trouble_in_plain_words() {
    let page = get(&context(), "/").await;
    let table = page.text().split("id=\"sources\"").nth(1).unwrap();
    for words in [
        "Nguồn không trả lời kịp",
        "no answer within 20s",
        "4 lượt liên tiếp từ 02/04/2024 15:59",
        "58/60 thiết bị trả lời",
        "dossiers: 1 lượt gần nhất, 1 tốt, 0 không tốt; lượt cuối tốt",
        "02/04/2024 16:59",
        "Văn phòng UBND tỉnh",
    ] {
        assert!(table.contains(words), "{words}\n{table}");
    }
}

#[actix_web::test]
async fn the_page_runs_nothing_and_fetches_nothing_from_elsewhere() {
    let context = context();
    let page = get(&context, "/").await;
    for tag in page.text().split('<').filter_map(|tag| tag.split('>').next()) {
        assert!(tag.matches(" class=").count() <= 1, "a second class is not seen: {tag}");
    }
    for forbidden in
        ["<script", "style=", "<style", "onclick", "javascript:", "http://", "https://"]
    {
        assert!(!page.text().contains(forbidden), "{forbidden}");
    }
    assert!(page.text().starts_with("<!DOCTYPE html><html lang=\"vi\">"));
    let sheet = page.text().split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap();
    let reply = get(&context, &format!("/assets/{sheet}")).await;
    assert_eq!(reply.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
    assert!(!reply.header("etag").is_empty());
    for forbidden in ["url(", "@import", "http"] {
        assert!(!reply.text().contains(forbidden), "{forbidden}");
    }
    let plain = get(&context, "/assets/console.css").await;
    assert_eq!(plain.header("cache-control"), "private, max-age=10");
}

#[actix_web::test]
async fn markup_in_names_is_shown_and_not_run() {
    let mut context = bare();
    Arc::make_mut(&mut context.definitions).province.name = Bilingual::same("<b>CANARY</b>");
    let page = get(&Arc::new(context), "/").await;
    assert!(page.text().contains("&lt;b&gt;CANARY") && !page.text().contains("<b>CANARY"));
}
