//! Pages for people who come with a browser: the choice between a page and JSON, and the frame that
//! the pages of this project share.

use http::HeaderMap;
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS,
};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8883;--soft:#8881;--good:#137333;--none:#8a6100;--bad:#b3261e}\
@media(prefers-color-scheme:dark){:root{--good:#6dd58c;--none:#f0c060;--bad:#f2b8b5}}\
body{font:16px/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center}\
main{width:min(46rem,calc(100vw - 2rem));margin:2rem 0;border:1px solid var(--line);border-radius:12px;overflow:hidden}\
header{padding:1.25rem 1.5rem;background:var(--soft)}h1{font-size:1.3rem;margin:.35rem 0 0;overflow-wrap:anywhere}\
.badge{font-weight:600;color:var(--good)}.badge.none{color:var(--none)}.badge.bad{color:var(--bad)}\
section{padding:1.25rem 1.5rem}section p{margin:0 0 .75rem}ol{margin:0;padding-left:1.25rem}li{margin:.35rem 0}\
dl{display:grid;grid-template-columns:minmax(8rem,auto) 1fr;gap:.5rem 1.25rem;margin:0;padding:1.25rem 1.5rem}\
section+dl{border-top:1px solid var(--line)}\
dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}code{font:.85em ui-monospace,monospace}\
@media(max-width:34rem){dl{grid-template-columns:1fr;gap:.1rem}dd{margin-bottom:.6rem}}";

/// Returns a page with this title, and this HTML in its frame.
pub fn render(title: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>{content}</main></body></html>\n",
        escape(title)
    )
}

/// Sets the headers of a page: it is not stored, runs nothing, loads nothing, and is not framed.
pub fn set_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (VARY, "accept"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Escapes text for HTML: CAs and clients choose names, which can contain markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Returns true if the client asks for `text/html` by name and at least as much as for JSON (RFC
/// 9110 §12.5.1). `*/*` alone, which curl sends, does not ask for it by name.
pub fn is_preferred(headers: &HeaderMap) -> bool {
    let (mut html, mut json): (f32, f32) = (0.0, 0.0);
    let values = headers.get_all(ACCEPT).iter();
    for value in values.filter_map(|value| value.to_str().ok()) {
        for range in value.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .find_map(|parameter| parameter.strip_prefix("q="))
                .map_or(Ok(1.0), str::parse);
            let quality: f32 = quality.unwrap_or(0.0);
            match media_type.as_str() {
                "text/html" => html = quality,
                "application/json" | "application/problem+json" => json = json.max(quality),
                _ => {}
            }
        }
    }
    html > 0.0 && html >= json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_a_page_and_programs_get_json() {
        for (accept, expected) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("TEXT/HTML", true),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.9", false),
            (
                "application/problem+json, application/json;q=0.2, text/html;q=0.9",
                false,
            ),
            ("text/html;q=0", false),
            ("text/html;q=NaN", false),
            ("text/html;q=-1", false),
            ("text/htmlx", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(is_preferred(&headers), expected, "{accept}");
        }
        assert!(!is_preferred(&HeaderMap::new()));
    }

    #[test]
    fn markup_in_a_name_is_text() {
        let page = render("<script>", &escape("<img src=x onerror='a()'>\"&"));
        assert!(
            page.contains("&lt;img src=x onerror=&#39;a()&#39;&gt;&quot;&amp;"),
            "{page}"
        );
        assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
    }
}
