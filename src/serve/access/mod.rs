//! Who asks, what they may, and about what: decided once, before any handler runs.
//!
//! Default deny: an address says in the table what it needs ([`Needs`]), and whoever has not got it gets
//! no further: 401 for those who did not show a key that opens anything, 403 for those whose key
//! opens something else. Nothing is answered to nobody but what the configuration opens (`access:`
//! in `iocgw.yaml`) and whether the gateway lives.
//!
//! What a key reaches (communes, units) is not left to handlers either: a request is answered from
//! the context *of its reader* ([`super::context::Current`]), in which other units' indicators and
//! sources do not occur, and the evaluation withholds every cell beyond the reader's communes
//! ([`crate::indicator::World::within`]). An address whose answers cannot be narrowed like this is closed
//! to keys with limits ([`Narrows`]); the pages for people are such ones: they are about the
//! province.
//!
//! The same holds of what the public is told. A grant for the public opens the few addresses of figures
//! ([`super::routes::door::Door::told`]), whatever scopes it has, and what is read there passes the one
//! layer that withholds small cells, and the cells from which they could be computed
//! ([`crate::indicator::disclosure`]).

mod credential;
pub(super) mod origin;
mod rate;
mod settings;
pub mod token;

pub use origin::check_origin;
pub use rate::{Limiter, Rate, RateLimits};
pub use settings::{AccessSettings, Opens};

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};

use self::credential::{Shown, shown};
use self::rate::{Left, Whose};
use super::context::{Context, in_use};
use super::error::ApiError;
use super::routes::{Operation, Route};
use crate::model::access::{Grant, Scope};
use crate::model::audience::Audience;
use crate::model::time::Stamp;

/// How often may be asked, and what is left of that.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Where proxies write whom they ask for.
const FORWARDED: &str = "x-forwarded-for";

/// What an address needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it says whether the gateway lives, and nothing else.
    Nothing,
    /// The source's own signature or key, which its configuration names and the door looks at.
    SourceCredential,
    /// All of these scopes.
    Scopes(&'static [Scope]),
}

/// How far the answers of an address can be narrowed to what a key reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Narrows {
    /// Not at all: it is closed to keys with any limit.
    Never,
    /// To units; it is closed to keys that are limited to communes.
    ToUnits,
    /// To units and communes.
    ToUnitsAndAreas,
}

/// Why a credential opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// None was shown.
    Missing,
    /// Nobody has such a key.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// It opens other things.
    Scope,
    /// It reaches not as far as was asked.
    Reach,
    /// They ask too often.
    Rate,
}

impl Denied {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Unknown,
        Self::Expired,
        Self::Revoked,
        Self::Scope,
        Self::Reach,
        Self::Rate,
    ];

    /// Its word, as metrics have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Scope => "scope",
            Self::Reach => "reach",
            Self::Rate => "rate",
        }
    }
}

/// Somebody with a key.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The key's id.
    pub id: String,
    /// What it opens.
    pub grant: Arc<Grant>,
    /// When it opens nothing any more.
    pub expires: Stamp,
}

/// Knows the keys.
pub trait Keyring: Send + Sync {
    /// Whose key this is.
    fn holder(&self, key: &str) -> Result<Holder, Denied>;

    /// What the key of this id opens, while it opens something.
    fn grant(&self, id: &str) -> Option<Arc<Grant>>;

    /// Whether the key of this id still opens something.
    fn is_good(&self, id: &str) -> bool {
        self.grant(id).is_some()
    }
}

/// Somebody who was not let in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Why.
    pub reason: Denied,
    /// The id of the key, where it is known whose it is.
    pub key: Option<String>,
    /// The template of the address.
    pub route: &'static str,
}

/// Counts and writes down what was refused.
pub type WatchDenied = dyn Fn(Refusal) + Send + Sync;

/// Whether a proxy stands at an address.
pub type IsProxy = dyn Fn(IpAddr) -> bool + Send + Sync;

/// Whom the gateway lets in.
pub struct Access {
    /// What those may who show no key; nothing without it.
    pub anonymous: Option<Arc<Grant>>,
    /// The keys.
    pub keys: Arc<dyn Keyring>,
    /// How often they may ask.
    pub limiter: Arc<Limiter>,
    /// Whose pages may read answers.
    pub origins: Vec<String>,
    /// Whether a proxy stands at an address whose word about callers is believed.
    pub is_proxy: Arc<IsProxy>,
    /// Counts refusals.
    pub watch: Arc<WatchDenied>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// The id of the key; nobody's without one.
    pub(super) key: Option<String>,
    pub(super) grant: Arc<Grant>,
    /// When the key opens nothing any more.
    pub(super) expires: Option<Stamp>,
}

impl Reader {
    /// Somebody who has nothing, at an address that needs nothing.
    fn nobody() -> Self {
        Self { key: None, grant: Arc::default(), expires: None }
    }

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.grant.scopes.contains(&scope)
    }

    /// What sets answers to this reader apart from those to others: part of every tag.
    pub(super) fn mark(&self) -> String {
        let Grant { scopes, reach } = &*self.grant;
        format!("{scopes:?} {reach:?}")
    }
}

impl Access {
    /// Who asks with these headers.
    fn reader(&self, request: &ServiceRequest) -> Result<Reader, ApiError> {
        match shown(request.headers()) {
            Shown::Nothing => {
                let grant = self.anonymous.clone().ok_or(ApiError::Denied(Denied::Missing))?;
                Ok(Reader { key: None, grant, expires: None })
            }
            Shown::Unreadable => Err(ApiError::Denied(Denied::Unknown)),
            Shown::Key(key) => {
                let holder = self.keys.holder(&key).map_err(ApiError::Denied)?;
                let expires = Some(holder.expires);
                Ok(Reader { key: Some(holder.id), grant: holder.grant, expires })
            }
        }
    }

    /// What is left in the bucket of whoever asks; nothing is taken for what needs no key.
    fn meter(
        &self,
        request: &ServiceRequest,
        to: &Operation,
        reader: &Result<Reader, ApiError>,
    ) -> Option<Left> {
        if !matches!(to.door.needs, Needs::Scopes(_)) {
            return None;
        }
        let key = reader.as_ref().ok().and_then(|reader| reader.key.clone());
        let address = || Whose::Address(self.caller(request));
        Some(self.limiter.take(key.map_or_else(address, Whose::Key)))
    }

    /// Where the caller is: the other end of the connection or, if that is a proxy, the last address of
    /// `X-Forwarded-For` that is none. What stands before it, the caller may have made up.
    fn caller(&self, request: &ServiceRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip();
        if !(self.is_proxy)(peer) {
            return Some(peer);
        }
        let headers = request.headers().get_all(FORWARDED).filter_map(|value| value.to_str().ok());
        let written: Vec<&str> =
            headers.flat_map(|value| value.split(',')).map(str::trim).collect();
        let mut caller = peer;
        for text in written.into_iter().rev() {
            let Ok(address) = text.parse() else { break };
            caller = address;
            if !(self.is_proxy)(address) {
                break;
            }
        }
        Some(caller)
    }

    /// Who asks, if they may do this.
    fn admit(reader: Result<Reader, ApiError>, to: &Operation) -> Result<Reader, ApiError> {
        let needed = match to.door.needs {
            Needs::Nothing | Needs::SourceCredential => return Ok(Reader::nobody()),
            Needs::Scopes(scopes) => scopes,
        };
        let reader = reader?;
        let lacking: Vec<&str> = needed
            .iter()
            .filter(|scope| !reader.may(**scope))
            .map(|scope| scope.as_str())
            .collect();
        if !lacking.is_empty() {
            // Who has shown nothing may have something to show.
            return Err(match reader.key {
                None => ApiError::Denied(Denied::Missing),
                Some(_) => ApiError::ScopeMissing(lacking.join(", ")),
            });
        }
        let reach = &reader.grant.reach;
        if reach.audience == Audience::Public && to.door.told != Audience::Public {
            let detail = "This address is for people of the administration. The public reads the \
                          catalogue, and values, series and breakdowns of indicators.";
            return Err(ApiError::BeyondReach(detail.to_owned()));
        }
        let is_closed = match to.door.narrows {
            Narrows::Never => reach.areas.is_some() || reach.units.is_some(),
            Narrows::ToUnits => reach.areas.is_some(),
            Narrows::ToUnitsAndAreas => false,
        };
        if is_closed {
            let detail = "This address is about all communes or all units of the province, and the \
                          key reaches only some of them.";
            return Err(ApiError::BeyondReach(detail.to_owned()));
        }
        Ok(reader)
    }
}

/// Whether somebody is let in, and what they are told about how often they may ask.
pub(super) struct Decision {
    pub(super) admitted: Result<Reader, ApiError>,
    /// The id of the key that was shown.
    key: Option<String>,
    pub(super) said: Said,
}

/// How often may be asked, and what is left of that; nothing where nothing is counted.
#[derive(Default)]
pub(super) struct Said(Option<(Option<HeaderValue>, Option<HeaderValue>)>);

impl Said {
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        let (policy, left) = self.0.unwrap_or_default();
        for (name, value) in [(POLICY, policy), (LEFT, left)] {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }
}

impl Access {
    /// Decides about a request, and takes it from the bucket of whoever asks.
    pub(super) fn decide(&self, request: &ServiceRequest, to: &Operation) -> Decision {
        let reader = self.reader(request);
        let key = reader.as_ref().ok().and_then(|reader| reader.key.clone());
        let left = self.meter(request, to, &reader);
        let admitted = match left {
            Some(Left { is_let_in: false, seconds, .. }) => Err(ApiError::TooOften(seconds)),
            _ => Self::admit(reader, to),
        };
        let policy = self.limiter.policy(key.is_some());
        Decision { admitted, key, said: Said(left.map(|left| (policy, left.header()))) }
    }
}

/// The layer before the handlers of a route: lets in who may, and tells the handler who it is.
pub(super) async fn admit<B: MessageBody + 'static>(
    route: &'static Route,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let operation = route.operation(request.method());
    let (Some(operation), Some(context)) = (operation, in_use(request.request())) else {
        // A method that the address does not take: refused behind this layer, whoever asks.
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let access = &context.access;
    // Where a kept answer was looked for, it is decided already.
    let decided = request.extensions_mut().remove::<Decision>();
    let decision = decided.unwrap_or_else(|| access.decide(&request, operation));
    let Decision { admitted, key, said } = decision;
    let mut response = match admitted {
        Ok(reader) => {
            request.extensions_mut().insert(reader);
            next.call(request).await?.map_into_left_body()
        }
        Err(refusal) => {
            if let Some(reason) = refusal.denied() {
                (access.watch)(Refusal { reason, key, route: route.path });
            }
            let response = refusal.response(request.request());
            request.into_response(response).map_into_right_body()
        }
    };
    said.tell(response.headers_mut());
    Ok(response)
}

impl Context {
    /// The same as a reader may know it: only their units' indicators and sources.
    pub(super) fn of_reader(self: Arc<Self>, reader: &Reader) -> Arc<Self> {
        let reach = &reader.grant.reach;
        if *reach == self.reach {
            return self;
        }
        let mut narrow = Self::clone(&self);
        narrow.reach = reach.clone();
        narrow.definitions = self.definitions.within(reach);
        narrow.sources.retain(|_, facts| reach.sees_unit(&facts.accountable_unit));
        Arc::new(narrow)
    }

    /// Whether the reader is the public.
    pub(super) fn is_for_public(&self) -> bool {
        self.reach.audience == Audience::Public
    }

    /// The codes of the communes that the reader may read of, if not all.
    pub(super) fn areas_within(&self) -> Option<&BTreeSet<String>> {
        self.reach.areas.as_ref()
    }
}
