//! Who may pass to an address: the few combinations there are.
//!
//! A door says which scopes an operation needs and how far its answers can be narrowed for a key that is
//! limited to communes or units. It is a part of every operation, without a default.

use crate::model::access::Scope;
use crate::model::audience::Audience;
use crate::serve::access::{Narrows, Needs};

/// What an operation needs, and for whom its answers can be narrowed.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve) struct Door {
    pub(in crate::serve) needs: Needs,
    pub(in crate::serve) narrows: Narrows,
    /// To whom it is open at most.
    pub(in crate::serve) told: Audience,
}

const fn door(scopes: &'static [Scope], narrows: Narrows) -> Door {
    Door { needs: Needs::Scopes(scopes), narrows, told: Audience::Internal }
}

/// Whether the gateway lives and is ready: open to everybody.
pub(super) const HEALTH: Door = Door { needs: Needs::Nothing, ..FIGURES };

/// Deliveries: the source's own signature or key.
pub(super) const DELIVERY: Door = Door { needs: Needs::SourceCredential, ..FIGURES };

/// What everybody who may do anything may know of themselves.
pub(super) const ONESELF: Door =
    Door { told: Audience::Public, ..door(&[], Narrows::ToUnitsAndAreas) };

/// Figures that the public may read too, as far as nothing is withheld, and what they mean.
pub(super) const TOLD: Door = Door { told: Audience::Public, ..FIGURES };

/// Figures of communes and of the province, how they came about and how they change.
pub(super) const FIGURES: Door = door(&[Scope::Read], Narrows::ToUnitsAndAreas);

/// Figures of the province only.
pub(super) const PROVINCE: Door = door(&[Scope::Read], Narrows::ToUnits);

/// How sources fare.
pub(super) const SOURCES: Door = door(&[Scope::Sources], Narrows::ToUnits);

/// Records in quarantine, whoever answers for them.
pub(super) const RECORDS: Door = door(&[Scope::Sources], Narrows::Never);

/// What is done to one source.
pub(super) const STEERING: Door = door(&[Scope::Operate], Narrows::ToUnits);

/// What is done to records, whoever answers for them.
pub(super) const CUSTODY: Door = door(&[Scope::Operate], Narrows::Never);

/// Where a key has changes told to.
pub(super) const WEBHOOKS: Door = door(&[Scope::Webhooks], Narrows::ToUnitsAndAreas);

/// Metrics of the whole gateway.
pub(super) const GATEWAY_METRICS: Door = door(&[Scope::Metrics], Narrows::Never);

/// Indicators as metrics.
pub(super) const SAMPLES: Door = door(&[Scope::Metrics], Narrows::ToUnits);

/// The audit log.
pub(super) const AUDIT: Door = door(&[Scope::Admin], Narrows::Never);

/// Pages for people: figures of the province, with how their sources fare.
pub(super) const PAGES: Door = door(&[Scope::Read, Scope::Sources], Narrows::ToUnits);

/// Items of registers, whoever leads them.
pub(super) const ITEMS: Door = door(&[Scope::Read], Narrows::Never);

/// Pages about items of registers.
pub(super) const ITEM_PAGES: Door = door(&[Scope::Read, Scope::Sources], Narrows::Never);

/// Pages about records in quarantine.
pub(super) const RECORD_PAGES: Door = door(&[Scope::Read, Scope::Sources], Narrows::Never);
