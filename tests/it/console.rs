//! The first page as a browser shows it: on a desk and on a phone, by day and by night.
//!
//! What the server renders is tested beside it, word by word; here a real browser says whether the
//! style sheet arrives, whether anything overflows and whether the words can be read.

use serde_json::Value;

use crate::support::{Browser, Gateway, Pulled};

/// Text whose contrast with what lies behind it is below WCAG AA, and how far.
const PALE: &str = "
const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const parse = text => {
  const n = text.match(/[\\d.]+/g).map(Number);
  return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
};
// All colours that may lie behind: of a gradient, each of its stops.
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const style = getComputedStyle(e);
    const stops = style.backgroundImage.match(/rgba?\\([^)]*\\)/g);
    if (stops) return stops.map(parse);
    const c = parse(style.backgroundColor);
    if (c[3] === 1) return [c];
  }
  return [[255, 255, 255, 1]];
};
const pale = [];
let seen = 0;
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const back = own && !element.closest('svg') && element.offsetParent && behind(element);
  if (!back) continue;
  const style = getComputedStyle(element);
  const ratio = Math.min(...back.map(back => {
    const [a, b] = [light(parse(style.color)), light(back)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }));
  const size = parseFloat(style.fontSize), bold = parseInt(style.fontWeight) >= 700;
  const needed = size >= 24 || (size >= 18.66 && bold) ? 3 : 4.5;
  seen += 1;
  if (ratio < needed) pale.push(element.className + ': ' + element.textContent.slice(0, 40) + ' ' + ratio.toFixed(2));
}
return {seen, pale};";

/// Elements that reach beyond the right edge of the window and are not scrolled inside something.
const OVERFLOW: &str = "
const wide = [];
if (document.documentElement.scrollWidth > innerWidth)
  for (const e of document.body.querySelectorAll('*'))
    if (e.getBoundingClientRect().right > innerWidth + 1)
      wide.push(e.tagName + '.' + e.className);
return wide.slice(0, 10).concat(
  document.documentElement.scrollWidth > innerWidth ? [document.documentElement.scrollWidth] : []);";

fn url(gateway: &Gateway) -> String {
    format!("http://{}/", gateway.address)
}

#[test]
fn the_first_page_tells_every_indicator_in_words_and_needs_no_script() {
    let pulled = Pulled::start(7);
    let browser = Browser::start();
    browser.screen(1280, 2400);
    let blank = browser.picture().len();
    browser.open(&url(&pulled.gateway));

    let text = browser.ask("return document.body.innerText;");
    let text = text.as_str().unwrap();
    let catalogue = pulled.gateway.get("/v1/catalogue").json();
    let indicators = catalogue["items"].as_array().unwrap();
    for indicator in indicators {
        for key in ["title", "title_en"] {
            let title = indicator[key].as_str().unwrap();
            assert!(text.contains(title), "{title}");
        }
    }
    let words =
        ["Mục tiêu", "Độ mới", "Đầy đủ", "Chịu trách nhiệm", "Cần chú ý", "fresh", "Nghệ An"];
    for word in words.into_iter().chain(["target", "Văn phòng Ủy ban nhân dân tỉnh"]) {
        assert!(text.contains(word), "{word}: {text}");
    }
    let count = |what: &str| {
        let found = browser.ask(&format!("return document.querySelectorAll('{what}').length;"));
        found.as_u64().unwrap() as usize
    };
    assert_eq!(count(".tile"), indicators.len());
    // A register that has just begun may know of no report that was due.
    let bare = "return [...document.querySelectorAll('.tile')].filter(tile => \
                !tile.querySelector('svg[role=img]') && !tile.innerHTML.includes('source_report')).length;";
    assert_eq!(browser.ask(bare), 0, "each tile has a trend in words");
    assert!(count(".tile svg[role=img]") + 2 >= indicators.len());
    assert_eq!(count("script, [onclick], [onload], iframe, object"), 0);
    assert_eq!(count("html[lang=vi]"), 1);
    // One style sheet, from here, and it works.
    let rules = browser.ask("return document.styleSheets[0].cssRules.length;");
    assert!(rules.as_u64().unwrap() > 20, "{rules}");
    let elsewhere = browser.ask(
        "return performance.getEntriesByType('resource').map(r => r.name).filter(n => !n.startsWith(location.origin));",
    );
    assert_eq!(elsewhere, Value::Array(Vec::new()));
    let picture = browser.picture().len();
    assert!(picture > blank * 10, "{picture} bytes of picture, {blank} when blank");
}

#[test]
fn the_first_page_fits_and_can_be_read_from_a_phone_to_a_wall_by_day_and_by_night() {
    let pulled = Pulled::start(8);
    let browser = Browser::start();
    let mut pictures = std::collections::BTreeSet::new();
    for (width, height) in [(360, 800), (768, 1024), (1280, 2400), (3840, 2160)] {
        browser.screen(width, height);
        for scheme in ["light", "dark"] {
            browser.colours(scheme);
            browser.open(&url(&pulled.gateway));
            let at = format!("{width}x{height} {scheme}");
            assert_eq!(browser.ask("return innerWidth;"), width, "{at}");
            assert_eq!(browser.ask(OVERFLOW), Value::Array(Vec::new()), "{at}: too wide");
            let text = browser.ask(PALE);
            assert!(text["seen"].as_u64().unwrap() > 200, "{at}: {text}");
            assert_eq!(text["pale"], Value::Array(Vec::new()), "{at}: too pale");
            let picture = browser.picture();
            assert!(picture.len() > 20_000, "{at}: {} bytes of picture", picture.len());
            pictures.insert(picture);
        }
    }
    assert_eq!(pictures.len(), 8, "every screen and every colour scheme shows another picture");
    // A judge that sees nothing would be noticed here.
    browser.ask(
        "const p = document.body.appendChild(document.createElement('p'));
        p.textContent = 'pale and wide';
        Object.assign(p.style, {width: '9000px', color: '#777', background: '#888'});",
    );
    assert_ne!(browser.ask(OVERFLOW), Value::Array(Vec::new()));
    assert!(browser.ask(PALE)["pale"].to_string().contains("pale and wide"));
}

#[test]
fn the_map_of_an_indicator_says_what_the_table_beside_it_says() {
    let pulled = Pulled::start(9);
    let browser = Browser::start();
    browser.open(&format!("{}indicators/online_filing_rate", url(&pulled.gateway)));
    let rows = browser.ask(
        "return [...document.querySelectorAll('[aria-labelledby=communes] tbody tr')].map(row => {
            const [value, status] = row.querySelectorAll('td');
            const said = value.querySelector('strong').textContent;
            const none = [...status.childNodes].filter(node => node.nodeType === 3);
            return row.querySelector('th').textContent + ': ' +
                (said === '—' ? none.map(node => node.textContent).join('').trim() : said);
        }).sort();",
    );
    let shapes = browser
        .ask("return [...document.querySelectorAll('.land path')].map(p => p.textContent).sort();");
    let (rows, shapes) = (rows.as_array().unwrap(), shapes.as_array().unwrap());
    assert_eq!(shapes.len(), 130);
    for shape in shapes {
        assert!(rows.contains(shape), "{shape} is not in the table: {rows:?}");
    }
    // Each shade is as often on the map as the legend says, and no two communes lie on each other.
    let legend = browser.ask(
        "return [...document.querySelectorAll('.legend li')].map(li => {
            const shade = li.querySelector('path').getAttribute('class');
            return [parseInt(li.querySelector('.who').textContent),
                document.querySelectorAll('.land path.' + shade).length];
        });",
    );
    let legend = legend.as_array().unwrap();
    assert!(legend.len() >= 2, "{legend:?}");
    assert!(legend.iter().all(|pair| pair[0] == pair[1]), "{legend:?}");
    assert_eq!(legend.iter().map(|pair| pair[0].as_u64().unwrap()).sum::<u64>(), 130);
    let places = "return new Set([...document.querySelectorAll('.land path')].map(p => p.getAttribute('d'))).size;";
    assert_eq!(browser.ask(places), 130);
    let label = browser.ask("return document.querySelector('.land').getAttribute('aria-label');");
    let label = label.as_str().unwrap();
    assert!(label.contains("130 xã, phường") && label.contains("highest"), "{label}");
    for (width, height) in [(360, 800), (1280, 2400), (3840, 2160)] {
        browser.screen(width, height);
        for scheme in ["light", "dark"] {
            browser.colours(scheme);
            assert_eq!(
                browser.ask(OVERFLOW),
                Value::Array(Vec::new()),
                "{width} {scheme}: too wide"
            );
            assert_eq!(browser.ask(PALE)["pale"], Value::Array(Vec::new()), "{width} {scheme}");
        }
    }
}
