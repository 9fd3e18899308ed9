//! Finished answers to what is asked again and again, handed out as the bytes they are.
//!
//! What figures mean and what they are depends on the snapshot, the configuration, the minute ("now"
//! stands still within one), the reader's grant, the address and two headers, and on nothing else. So an
//! answer that was worked out under all of these is the answer until one of them changes. The shelf
//! belongs to one context, and with it to one configuration; it holds answers of one snapshot
//! and one minute and is emptied when either is another one. Who asks was let in and counted before
//! anything is looked for here, and a grant finds only answers that were worked out for it.
//!
//! The look-up stands in front of the routes: an address that has been answered is known by its path, so
//! neither routes nor layers are gone through once more for what is finished. Access is decided first,
//! as it always is, and only once.
//!
//! Questions about the past are not kept: they are answered elsewhere and told to be kept by who asked.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding, Header as _};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use hashbrown::HashTable;

use super::answer::{Finished, Keep};
use super::context::{Asked, Context, Current};
use super::guard::has_body;
use super::routes::Route;
use crate::model::access::Grant;
use crate::model::snapshot::Snapshot;
use crate::model::time::Stamp;

/// The most answers that are kept at once.
const MOST: usize = 4096;

/// The most bytes that they have together.
const BYTES: usize = 32 << 20;

/// The largest that is kept: one that is larger takes longer to send than to make.
const LARGEST: usize = 1 << 20;

/// Told of each look-up whether something was found.
pub type WatchLookups = dyn Fn(bool) + Send + Sync;

/// The kept answers of one context.
pub struct Kept {
    shelf: Mutex<Shelf>,
    hasher: RandomState,
    watch: Arc<WatchLookups>,
}

#[derive(Default)]
struct Shelf {
    basis: Option<Basis>,
    answers: HashTable<Entry>,
    bytes: usize,
    /// Addresses by the paths of which something was kept.
    routes: HashMap<Box<str>, &'static Route>,
}

/// Marks a request for which a kept answer was looked for.
struct LookedUp;

/// What all answers on the shelf were made of.
#[derive(Clone)]
struct Basis {
    /// Not held: nobody reads figures from here, and they may be large. Its place stays taken, so no other
    /// snapshot can be mistaken for it.
    snapshot: Weak<Snapshot>,
    now: Stamp,
}

struct Entry {
    /// Held, so that no other grant can come to lie where it lies.
    grant: Arc<Grant>,
    asked: [Box<[u8]>; 3],
    until: Stamp,
    answer: Finished,
}

impl PartialEq for Basis {
    fn eq(&self, other: &Self) -> bool {
        Weak::ptr_eq(&self.snapshot, &other.snapshot) && self.now == other.now
    }
}

impl Basis {
    fn of(asked: &Asked<'_>) -> Self {
        Self { snapshot: Arc::downgrade(&asked.snapshot), now: asked.now }
    }
}

impl Kept {
    /// An empty shelf.
    pub fn new(watch: Arc<WatchLookups>) -> Self {
        Self { shelf: Mutex::default(), hasher: RandomState::new(), watch }
    }

    /// The kept answer to a request, if there is one, with the template of its address. Whoever is not let
    /// in, or has nothing here, is answered behind the routes: what was decided goes with the request.
    pub(super) fn answer(
        &self,
        request: &ServiceRequest,
        context: &Context,
    ) -> Option<(&'static str, HttpResponse)> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let asked = key(request.request()).filter(|_| is_read && !has_body(request.headers()))?;
        let route = self.lock().routes.get(request.path()).copied()?;
        let decision = context.access.decide(request, route.operation(request.method())?);
        let found = decision.admitted.as_ref().ok().and_then(|reader| {
            let found = self.found(&asked, context, &reader.grant);
            (self.watch)(found.is_some());
            found
        });
        let Some((answer, seconds)) = found else {
            let mut extensions = request.extensions_mut();
            extensions.insert(decision);
            extensions.insert(LookedUp);
            return None;
        };
        let mut response = answer.response(request.headers(), Keep::For(seconds));
        decision.said.tell(response.headers_mut());
        Some((route.path, response))
    }

    /// The same behind the routes, where it was not looked for in front of them.
    pub(super) fn find(&self, request: &HttpRequest, context: &Current) -> Option<HttpResponse> {
        if request.extensions().contains::<LookedUp>() {
            return None;
        }
        let asked = key(request)?;
        let found = self.found(&asked, context, &context.reader.grant);
        (self.watch)(found.is_some());
        let (answer, seconds) = found?;
        Some(answer.response(request.headers(), Keep::For(seconds)))
    }

    fn found(
        &self,
        asked: &[&[u8]; 3],
        context: &Context,
        grant: &Arc<Grant>,
    ) -> Option<(Finished, u32)> {
        let hash = self.hash(asked, grant);
        let (snapshot, now) = (context.snapshot.load(), context.clock.now());
        let shelf = self.lock();
        let basis = shelf.basis.as_ref()?;
        let is_same = std::ptr::eq(basis.snapshot.as_ptr(), Arc::as_ptr(&snapshot));
        if !is_same || basis.now != Asked::moment(now, &snapshot) {
            return None;
        }
        let is_it = |entry: &Entry| entry.is(asked, grant);
        let entry = shelf.answers.find(hash, is_it)?;
        let seconds = (entry.until.0 - now.0).clamp(1, 60) as u32;
        Some((entry.answer.clone(), seconds))
    }

    /// Keeps an answer that was worked out for `asked`; yields the response that it makes.
    pub(super) fn put(
        &self,
        (request, context): (&HttpRequest, &Current),
        asked: &Asked<'_>,
        answer: Finished,
    ) -> HttpResponse {
        let seconds = asked.unchanged_for();
        let answer = if takes_gzip(request) { answer.compressed() } else { answer };
        let response = answer.clone().response(request.headers(), Keep::For(seconds));
        let until = Stamp(context.clock.now().0 + i64::from(seconds));
        if let Some(key) = key(request).filter(|_| answer.size() <= LARGEST) {
            let grant = Arc::clone(&context.reader.grant);
            let entry = Entry { grant, asked: key.map(Box::from), until, answer };
            let newest = Asked::new(asked.request, context);
            // Whoever took long to work it out must not bring back what was before.
            if Basis::of(&newest) == Basis::of(asked) {
                self.place(Basis::of(asked), entry);
                self.know(request);
            }
        }
        response
    }

    /// Remembers which address a path belongs to.
    fn know(&self, request: &HttpRequest) {
        let mut shelf = self.lock();
        if let Some(route) = request.app_data::<&'static Route>()
            && shelf.routes.len() < MOST
            && !shelf.routes.contains_key(request.path())
        {
            shelf.routes.insert(request.path().into(), route);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, basis: Basis, entry: Entry) {
        let asked = entry.asked.each_ref().map(|piece| &**piece);
        let hash = self.hash(&asked, &entry.grant);
        let mut shelf = self.lock();
        if shelf.basis.as_ref() != Some(&basis) {
            let routes = std::mem::take(&mut shelf.routes);
            *shelf = Shelf { basis: Some(basis), routes, ..Shelf::default() };
        }
        let size = entry.size();
        let is_full = shelf.answers.len() >= MOST || shelf.bytes + size > BYTES;
        let is_it = |other: &Entry| other.is(&asked, &entry.grant);
        if is_full || shelf.answers.find(hash, is_it).is_some() {
            return;
        }
        shelf.bytes += size;
        let rehash =
            |entry: &Entry| self.hash(&entry.asked.each_ref().map(|piece| &**piece), &entry.grant);
        shelf.answers.insert_unique(hash, entry, rehash);
    }

    fn hash(&self, asked: &[&[u8]; 3], grant: &Arc<Grant>) -> u64 {
        self.hasher.hash_one((asked, Arc::as_ptr(grant) as usize))
    }
}

impl Entry {
    fn is(&self, asked: &[&[u8]; 3], grant: &Arc<Grant>) -> bool {
        let pieces = self.asked.iter().zip(asked);
        Arc::ptr_eq(&self.grant, grant) && pieces.into_iter().all(|(own, other)| **own == **other)
    }

    fn size(&self) -> usize {
        let asked: usize = self.asked.iter().map(|piece| piece.len()).sum();
        self.answer.size() + asked + size_of::<Self>()
    }
}

/// All of a request that its answer depends on besides the reader; nothing for one about the past, and for
/// one that says several times what it accepts: what is chosen then follows from all of them.
fn key(request: &HttpRequest) -> Option<[&[u8]; 3]> {
    let uri = request.uri().path_and_query()?.as_str();
    let says = |name| request.headers().get_all(name).count();
    if uri.contains("as_of") || says(header::ACCEPT) > 1 || says(header::ACCEPT_ENCODING) > 1 {
        return None;
    }
    let head = |name| request.headers().get(name).map_or(&b""[..], |value| value.as_bytes());
    Some([uri.as_bytes(), head(header::ACCEPT), head(header::ACCEPT_ENCODING)])
}

/// Whether the client would rather have it compressed; asked as the compressing layer asks it.
fn takes_gzip(request: &HttpRequest) -> bool {
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return false;
    }
    let offered = [Encoding::identity(), Encoding::gzip()];
    let accepted = AcceptEncoding::parse(request);
    let chosen = accepted.ok().and_then(|accepted| accepted.negotiate(offered.iter()));
    chosen == Some(Encoding::Known(ContentEncoding::Gzip))
}
