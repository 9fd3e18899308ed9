//! XML pages by allow-list: events are followed down wanted paths, the rest is passed over.
//!
//! Names are compared without their prefixes: a SOAP library picks those at will. There is no document
//! type, hence no entity but XML's own five: a page that declares one is refused before it is read, so
//! nothing can expand or reach outside. A page must be well-formed to its last element; one that is
//! cut off anywhere has elements that are still open and is refused whole. Text is put together across
//! comments and CDATA, as XML says: taking only the first piece has let forged values through
//! elsewhere. An empty element and `xsi:nil` are null.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::{
    DecodeError, Decoded, MAX_DEPTH, MAX_FIELDS, MAX_RECORDS, MAX_VALUE, Misfit, NUL, without_bom,
};
use crate::model::record::{COUNTED, Value};

const NOT_UTF8: &str = "characters that are not UTF-8";
const CONTROL: &str = "a control character";
const HTML: &str = "it is an HTML page or declares a document type";
const ENTITY: &str = "an entity that is not one of XML's own";
const BAD_REFERENCE: &str = "a reference to a character that XML does not have";
const OUTSIDE: &str = "something outside the one element that holds everything";
const ENCODING: &str = "it declares an encoding other than UTF-8";
const ATTRIBUTES: &str = "attributes that cannot be told apart";
const ILL_FORMED: &str = "elements that do not nest";
const MISPLACED: &str = "a declaration that is not at the beginning";
const TWICE: &str = "a wanted value around the records stands twice";

const NAMELESS: &str = "an element without a name";
const BANGS: [&[u8]; 3] = [b"<!--", b"<![CDATA[", b"<!DOCTYPE"];

/// The wanted paths of a stream.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    /// The document, whose only child is the root element.
    document: Element,
    record: Element,
    picks: usize,
    around: usize,
    records_at: String,
    /// Without a path of records the root element is the record, whatever its name.
    is_single: bool,
}

/// What is wanted of an element and below it.
#[derive(Clone, Debug, Default)]
struct Element {
    name: Box<str>,
    text: Option<usize>,
    attributes: Vec<(Box<str>, usize)>,
    children: Vec<Self>,
    is_record: bool,
}

impl Paths {
    /// Paths begin at the root element (`records`, `around`) or inside the record (`map`).
    pub(super) fn new(
        records: Option<&str>,
        map: &[String],
        around: &[String],
    ) -> Result<Self, Misfit> {
        let (mut document, mut record) = (Element::default(), Element::default());
        for (i, path) in map.iter().enumerate() {
            record.want(path, i).map_err(|message| ("map", message))?;
        }
        if let Some(path) = records {
            let element = document.descend(path).map_err(|message| ("records", message))?;
            element.is_record = true;
        } else if !around.is_empty() {
            let message = "a page that is one record has nothing around it".to_owned();
            return Err(("records", message));
        }
        for (i, path) in around.iter().enumerate() {
            document.want(path, i).map_err(|message| ("format", message))?;
        }
        Ok(Self {
            document,
            record,
            picks: map.len(),
            around: around.len(),
            records_at: records.unwrap_or("").to_owned(),
            is_single: records.is_none(),
        })
    }
}

impl Element {
    /// The element at a path, made if it is not there yet.
    fn descend(&mut self, path: &str) -> Result<&mut Self, String> {
        let names = path.strip_prefix('/').filter(|names| !names.is_empty());
        let names = names.ok_or_else(|| format!("'{path}' is not a path such as /Elem/Sub"))?;
        let mut element = self;
        for name in names.split('/') {
            if name.is_empty() || name.contains(['@', ':']) {
                return Err(format!(
                    "'{path}' is not a path such as /Elem/Sub: names have no prefix, and an attribute comes last"
                ));
            }
            if element.is_record || element.text.is_some() {
                return Err(format!("'{path}' lies inside an element that is taken whole"));
            }
            let at = element.children.iter().position(|child| *child.name == *name);
            let at = at.unwrap_or_else(|| {
                element.children.push(Self { name: name.into(), ..Self::default() });
                element.children.len() - 1
            });
            element = &mut element.children[at];
        }
        Ok(element)
    }

    fn want(&mut self, path: &str, pick: usize) -> Result<(), String> {
        let (elements, attribute) = match path.rsplit_once("/@") {
            Some((elements, attribute)) => (elements, Some(attribute)),
            None => (path.strip_suffix('/').unwrap_or(path), None),
        };
        let element = if elements.is_empty() && path.starts_with('/') {
            self
        } else {
            self.descend(elements)?
        };
        let twice = || format!("'{path}' is taken twice or holds another path that is taken");
        if let Some(name) = attribute {
            let is_known = element.attributes.iter().any(|(known, _)| **known == *name);
            if name.is_empty() || name.contains(['/', '@', ':']) {
                return Err(format!("'{path}' does not end in the name of an attribute"));
            }
            if is_known || element.is_record {
                return Err(twice());
            }
            element.attributes.push((name.into(), pick));
        } else {
            if element.text.is_some() || !element.children.is_empty() || element.is_record {
                return Err(twice());
            }
            element.text = Some(pick);
        }
        Ok(())
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| *child.name == *name)
    }
}

/// Decodes a page.
pub(super) fn decode<'a>(page: &'a [u8], paths: &Paths) -> Result<Decoded<'a>, DecodeError> {
    let page = without_bom(page);
    if page.trim_ascii().is_empty() {
        return Err(DecodeError::empty());
    }
    let refuse = |what, at| DecodeError::syntax("XML", what, page, at);
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    if let Some(at) = page.iter().position(is_control) {
        return Err(refuse(if page[at] == 0 { NUL } else { CONTROL }, at));
    }
    let text = match std::str::from_utf8(page) {
        Ok(text) => text,
        // A character cut in two at the very end is a page cut off.
        Err(error) if error.error_len().is_none() => {
            return Err(DecodeError::Truncated(page.len()));
        }
        Err(error) => return Err(refuse(NOT_UTF8, error.valid_up_to())),
    };
    // The reader would pass over a second mark as well.
    if text.starts_with('\u{feff}') {
        return Err(refuse(OUTSIDE, 0));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut walk = Walk::new(paths);
    loop {
        let before = reader.buffer_position() as usize;
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(error) => return Err(explain(&error, page, reader.error_position() as usize)),
        };
        walk.take(event, before).map_err(|fault| match fault {
            Fault::Syntax(what) => refuse(what, before),
            Fault::Refused(error) => error,
        })?;
    }
    walk.finish(page.len())
}

/// The library's messages may quote the page, so only their kind and place are kept.
fn explain(error: &Error, page: &[u8], at: usize) -> DecodeError {
    let rest = page.get(at..).unwrap_or_default();
    let is_cut = match error {
        // `<!` opens three things, and what is none of them is no beginning of one either.
        Error::Syntax(_) if rest.starts_with(b"<!") => {
            BANGS.iter().any(|bang| rest.starts_with(bang) || bang.starts_with(rest))
        }
        Error::Syntax(_) => true,
        Error::IllFormed(IllFormedError::UnclosedReference) => {
            !rest.iter().skip(1).any(|byte| matches!(byte, b';' | b'<' | b'&'))
        }
        _ => false,
    };
    if is_cut {
        return DecodeError::Truncated(page.len());
    }
    DecodeError::syntax("XML", ILL_FORMED, page, at)
}

/// Why an event ends the page: a place is still to be added, or it is complete.
enum Fault {
    Syntax(&'static str),
    Refused(DecodeError),
}

/// The state of one pass over a page.
struct Walk<'p, 'a> {
    paths: &'p Paths,
    decoded: Decoded<'a>,
    /// The open elements.
    open: Vec<Open<'p, 'a>>,
    found: bool,
    is_over: bool,
    /// Whether everything in the record under way could be taken.
    sound: bool,
    /// Elements of the record under way that nobody wants.
    skipped: u64,
}

/// Where an element stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Around,
    /// It is the record itself.
    Record,
    Inside,
}

/// An open element.
struct Open<'p, 'a> {
    /// What is wanted of it; `None` if it is passed over.
    wanted: Option<&'p Element>,
    place: Place,
    text: Cow<'a, str>,
    is_nil: bool,
    has_elements: bool,
}

impl<'p, 'a> Walk<'p, 'a> {
    fn new(paths: &'p Paths) -> Self {
        let mut decoded = Decoded { envelope: vec![None; paths.around], ..Decoded::default() };
        decoded.records.picks = paths.picks;
        Self {
            paths,
            decoded,
            open: Vec::new(),
            found: false,
            is_over: false,
            sound: true,
            skipped: 0,
        }
    }

    fn take(&mut self, event: Event<'a>, at: usize) -> Result<(), Fault> {
        match event {
            Event::Start(start) => self.start(&start),
            Event::Empty(start) => {
                self.start(&start)?;
                self.end()
            }
            Event::End(_) => self.end(),
            Event::Text(text) if self.open.is_empty() => {
                if text.trim_ascii().is_empty() {
                    Ok(())
                } else {
                    Err(Fault::Syntax(OUTSIDE))
                }
            }
            Event::Text(text) => self.text(text.xml10_content()),
            Event::CData(_) | Event::GeneralRef(_) if self.open.is_empty() => {
                Err(Fault::Syntax(OUTSIDE))
            }
            Event::CData(text) => self.text(text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = resolve(&reference).map_err(Fault::Syntax)?;
                self.text(Cow::Owned(character.to_string()))
            }
            Event::Decl(declaration) => declared(&declaration, at).map_err(Fault::Syntax),
            Event::DocType(_) => Err(Fault::Syntax(HTML)),
            Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'a>) -> Result<(), Fault> {
        if self.is_over {
            return Err(Fault::Syntax(OUTSIDE));
        }
        if self.open.len() == MAX_DEPTH {
            let message = format!("elements nested deeper than {MAX_DEPTH}");
            return Err(Fault::Refused(DecodeError::Limit(message)));
        }
        if start.name().as_ref().is_empty() {
            return Err(Fault::Syntax(NAMELESS));
        }
        let name = start.local_name();
        let is_root = self.open.is_empty();
        let (parent, mut place) = match self.open.last_mut() {
            Some(parent) => {
                parent.has_elements = true;
                let is_around = parent.place == Place::Around;
                (parent.wanted, if is_around { Place::Around } else { Place::Inside })
            }
            None => (Some(&self.paths.document), Place::Around),
        };
        let mut wanted = parent.and_then(|parent| parent.child(name.as_ref()));
        let is_field = place == Place::Inside && parent.is_some();
        self.skipped += u64::from(is_field && wanted.is_none());
        let is_record = place == Place::Around
            && (wanted.is_some_and(|element| element.is_record)
                || (self.paths.is_single && is_root));
        if is_record {
            self.begin().map_err(Fault::Refused)?;
            (wanted, place) = (Some(&self.paths.record), Place::Record);
        }
        let holds_records =
            |element: &Element| element.children.iter().any(|child| child.is_record);
        self.found |= is_record || (place == Place::Around && wanted.is_some_and(holds_records));
        let mut is_nil = false;
        if let Some(element) = wanted
            && (element.text.is_some() || !element.attributes.is_empty())
        {
            is_nil = self.attributes(start, element, place)?;
        }
        let text = Cow::Borrowed("");
        self.open.push(Open { wanted, place, text, is_nil, has_elements: false });
        Ok(())
    }

    /// Takes the wanted attributes; yields whether there is an `xsi:nil`.
    fn attributes(
        &mut self,
        start: &BytesStart<'a>,
        element: &Element,
        place: Place,
    ) -> Result<bool, Fault> {
        let mut is_nil = false;
        for (i, attribute) in start.attributes().enumerate() {
            if i == MAX_FIELDS {
                let message = format!("an element of more than {MAX_FIELDS} attributes");
                return Err(Fault::Refused(DecodeError::Limit(message)));
            }
            let attribute = attribute.map_err(|_| Fault::Syntax(ATTRIBUTES))?;
            let (name, prefix) = (attribute.key.local_name(), attribute.key.prefix());
            let raw: &str = &attribute.value;
            is_nil |= prefix.is_some()
                && name.as_ref() == "nil"
                && matches!(raw.trim_ascii(), "true" | "1");
            let pick = element.attributes.iter().find(|(wanted, _)| **wanted == *name.as_ref());
            let Some((_, pick)) = pick else { continue };
            if raw.contains('<') {
                return Err(Fault::Syntax(ATTRIBUTES));
            }
            let text = quick_xml::escape::unescape(raw).map_err(|_| Fault::Syntax(ENTITY))?;
            if !text.chars().all(is_character) {
                return Err(Fault::Syntax(BAD_REFERENCE));
            }
            self.put(*pick, Cow::Owned(text.into_owned()), place)?;
        }
        Ok(is_nil)
    }

    /// Begins a record.
    fn begin(&mut self) -> Result<(), DecodeError> {
        let records = &mut self.decoded.records;
        if records.count == MAX_RECORDS {
            return Err(DecodeError::too_many());
        }
        records.count += 1;
        records.values.resize_with(records.count * records.picks, Value::default);
        (self.sound, self.skipped) = (true, 0);
        Ok(())
    }

    fn text(&mut self, more: Cow<'a, str>) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else { return Err(Fault::Syntax(OUTSIDE)) };
        if open.wanted.is_none_or(|element| element.text.is_none()) {
            return Ok(());
        }
        if open.text.len() + more.len() > MAX_VALUE {
            return Err(Fault::Refused(DecodeError::too_long()));
        }
        if open.text.is_empty() {
            open.text = more;
        } else {
            open.text.to_mut().push_str(&more);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        // The reader itself refuses an end without a beginning.
        let Some(open) = self.open.pop() else { return Err(Fault::Syntax(ILL_FORMED)) };
        if let Some(pick) = open.wanted.and_then(|element| element.text) {
            if open.has_elements {
                self.unfit(pick, open.place);
            } else if open.is_nil {
                self.put(pick, Cow::Borrowed(""), open.place)?;
            } else {
                self.put(pick, open.text, open.place)?;
            }
        }
        if open.place == Place::Record {
            let records = &mut self.decoded.records;
            if !self.sound {
                records.malformed.push(records.count - 1);
            }
            if records.count <= COUNTED {
                records.unmapped = records.unmapped.max(Some(self.skipped));
            }
        }
        self.is_over = self.open.is_empty();
        Ok(())
    }

    /// An element where text is wanted is no value.
    fn unfit(&mut self, pick: usize, place: Place) {
        if place != Place::Around {
            let value = self.slot(pick);
            let is_first = *value == Value::Absent;
            *value = Value::Unfit;
            self.sound &= is_first;
        }
    }

    fn put(&mut self, pick: usize, text: Cow<'a, str>, place: Place) -> Result<(), Fault> {
        let is_empty = text.trim_ascii().is_empty();
        if place != Place::Around {
            let value = self.slot(pick);
            // The first or the last of two values? Nobody can tell, so the record is refused.
            let is_first = *value == Value::Absent;
            *value = if is_empty { Value::Null } else { Value::Text(text) };
            self.sound &= is_first;
        } else if !is_empty {
            let around = &mut self.decoded.envelope[pick];
            if around.replace(text.trim_ascii().to_owned()).is_some() {
                return Err(Fault::Refused(DecodeError::Shape(TWICE.to_owned())));
            }
        }
        Ok(())
    }

    /// The slot of a pick in the record under way.
    fn slot(&mut self, pick: usize) -> &mut Value<'a> {
        let records = &mut self.decoded.records;
        let start = (records.count - 1) * records.picks;
        &mut records.values[start + pick]
    }

    fn finish(self, length: usize) -> Result<Decoded<'a>, DecodeError> {
        if !self.is_over {
            return Err(DecodeError::Truncated(length));
        }
        if !self.found {
            let at = self.paths.records_at.clone();
            return Err(DecodeError::NoRecords { at, envelope: self.decoded.envelope });
        }
        Ok(self.decoded)
    }
}

/// The character that a reference stands for.
pub(super) fn resolve(reference: &BytesRef<'_>) -> Result<char, &'static str> {
    match reference.resolve_char_ref() {
        Ok(Some(character)) if is_character(character) => Ok(character),
        Ok(Some(_)) | Err(_) => Err(BAD_REFERENCE),
        Ok(None) => match &**reference {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "apos" => Ok('\''),
            "quot" => Ok('"'),
            _ => Err(ENTITY),
        },
    }
}

/// Whether XML 1.0 has this character.
const fn is_character(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// Only the beginning of a page declares anything, and only UTF-8.
fn declared(declaration: &BytesDecl<'_>, at: usize) -> Result<(), &'static str> {
    if at != 0 {
        return Err(MISPLACED);
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name))
            if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii") =>
        {
            Ok(())
        }
        Some(_) => Err(ENCODING),
    }
}
