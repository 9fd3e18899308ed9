//! The `Link` header of RFC 8288, as far as paging needs it: where the next page is.
//!
//! `Link: <https://h/rows?page=2>; rel="next", <…>; rel="last"`, in one line or in several. Commas,
//! semicolons and angle brackets may stand inside of what is quoted, relations are a list and know no
//! case, only the first `rel` of a link counts, and a link with an `anchor` speaks of something else.
//! A header that cannot be read is an error and never "no more pages": a list that ends early would
//! look complete.

/// The address of the next page among the values of all `Link` headers of an answer.
pub fn next_link<'a>(
    values: impl IntoIterator<Item = &'a str>,
) -> Result<Option<String>, &'static str> {
    for value in values {
        let mut rest = value.trim_start_matches(is_between_links);
        while !rest.is_empty() {
            let (link, after) = link(rest)?;
            if link.is_next {
                return Ok(Some(link.target.to_owned()));
            }
            let gap = after.trim_start_matches(is_space);
            if !gap.is_empty() && !gap.starts_with(',') {
                return Err("the Link header has no comma between two links");
            }
            rest = gap.trim_start_matches(is_between_links);
        }
    }
    Ok(None)
}

struct Link<'a> {
    target: &'a str,
    is_next: bool,
}

/// A parameter of a link: its name, its value if it has one, and what stands after it.
type Parameter<'a> = (&'a str, Option<String>, &'a str);

/// One link and what stands after it.
fn link(text: &str) -> Result<(Link<'_>, &str), &'static str> {
    let inside = text.strip_prefix('<').ok_or("the Link header has no '<' before an address")?;
    let (target, mut rest) =
        inside.split_once('>').ok_or("the Link header has no '>' after an address")?;
    let (mut relations, mut is_of_this) = (None, true);
    while let Some(after) = rest.trim_start_matches(is_space).strip_prefix(';') {
        let (name, value, after) = parameter(after.trim_start_matches(is_space))?;
        if name.eq_ignore_ascii_case("rel") {
            relations = relations.or(value);
        } else if name.eq_ignore_ascii_case("anchor") {
            is_of_this = false;
        }
        rest = after;
    }
    let is_next = relations.is_some_and(|list| {
        list.split_ascii_whitespace().any(|each| each.eq_ignore_ascii_case("next"))
    });
    Ok((Link { target: target.trim(), is_next: is_next && is_of_this }, rest))
}

/// `name`, `name=token` or `name="quoted \" text"`; an empty one between two semicolons is allowed.
fn parameter(text: &str) -> Result<Parameter<'_>, &'static str> {
    let end = text.find(|c: char| !is_token(c)).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    let Some(value) = after.trim_start_matches(is_space).strip_prefix('=') else {
        return Ok((name, None, after));
    };
    let value = value.trim_start_matches(is_space);
    let Some(quoted) = value.strip_prefix('"') else {
        // Unquoted values are tokens by the book; in the wild they hold addresses too.
        let end = value.find([';', ',', '"', '<', '>', ' ', '\t']).unwrap_or(value.len());
        let (value, after) = value.split_at(end);
        return Ok((name, Some(value.to_owned()), after));
    };
    let (mut value, mut characters) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((name, Some(value), &quoted[at + 1..])),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    Err("the Link header has a quoted text that does not end")
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

const fn is_between_links(c: char) -> bool {
    is_space(c) || c == ','
}

/// A character of a parameter's name.
const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            '!' | '#'
                | '$'
                | '%'
                | '&'
                | '\''
                | '*'
                | '+'
                | '-'
                | '.'
                | '^'
                | '_'
                | '`'
                | '|'
                | '~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(header: &str) -> Option<String> {
        next_link([header]).unwrap()
    }

    #[test]
    fn the_next_one_is_found_among_others_however_it_is_written() {
        for header in [
            "</rows?page=2>; rel=\"next\"",
            "</rows?page=2>; rel=next",
            "</rows?page=2>;rel=NEXT",
            "</rows?page=2> ; REL = \"last next\"",
            "</rows?page=1>; rel=\"first\", </rows?page=2>; rel=\"next\", </rows?page=9>; rel=\"last\"",
            ", ,</rows?page=1>; rel=prev ,, </rows?page=2>; rel=next ,",
            "</rows?page=2>; title=\"a, b; <c> \\\" rel=prev\"; rel=\"next\"",
            "</rows?page=2>; rel=\"next\"; rel=\"prev\"",
            "</rows?page=2>; crossorigin; rel=next",
            "</rows?page=2>;; rel=next;",
            "< /rows?page=2 >; rel=next",
            "</rows?page=1>; rel=https://relations.test/next, </rows?page=2>; rel=next",
        ] {
            assert_eq!(next(header).as_deref(), Some("/rows?page=2"), "{header}");
        }
        assert_eq!(next("</rows?fields=a,b;c>; rel=next").as_deref(), Some("/rows?fields=a,b;c"));
        let several = ["</a>; rel=first", "</b>; rel=next"];
        assert_eq!(next_link(several).unwrap().as_deref(), Some("/b"));
    }

    #[test]
    fn what_is_no_next_page_is_none() {
        for header in [
            "",
            " , ",
            "</rows?page=1>",
            "</rows?page=1>; rel",
            "</rows?page=1>; rel=\"\"",
            "</rows?page=1>; rel=\"prev\"; rel=\"next\"",
            "</rows?page=1>; rel=nextpage",
            "</rows?page=1>; rev=next",
            "</rows?page=1>; title=\"rel=next\"",
            "</rows?page=1>; anchor=\"#other\"; rel=next",
        ] {
            assert_eq!(next(header), None, "{header}");
        }
        assert_eq!(next_link([]), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_no_end() {
        for header in [
            "rows?page=2; rel=next",
            "</rows?page=2; rel=next",
            "</a>; rel=\"prev",
            "</a>; rel=prev </b>; rel=next",
            "</a>; rel=prev, b",
            "</a>; rel=\"prev\\",
        ] {
            assert!(next_link([header]).is_err(), "{header}");
        }
    }
}
