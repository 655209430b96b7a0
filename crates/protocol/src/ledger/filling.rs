//! How types fill their buckets, while types change.

use serde::{Deserialize, Serialize};
use syncline_core::entity::TypeName;
use syncline_core::entity::bucket::BucketTemplate;

use super::Ledger;
use super::message::Write;
use super::scope::{Section, buckets_of};

/// By which templates the records of a type lie in buckets.
///
/// When they change, records move between buckets without changing: who reads buckets of the type begins again, also when the
/// templates change back, for then it is not known what has left in between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filling {
    /// The templates.
    pub templates: Vec<String>,
    /// How often they have changed.
    pub changes: u64,
}

impl Ledger {
    /// Puts the records of a type into its buckets again, if its templates are others than those by which they lie there.
    pub(super) fn refill(&mut self, kind: &TypeName) {
        let Some(ty) = self.types.get(kind) else { return };
        let templates: Vec<String> =
            ty.buckets.iter().map(BucketTemplate::as_str).map(String::from).collect();
        let filling = self.fillings.entry(kind.clone()).or_default();
        if filling.templates == templates {
            return;
        }
        *filling = Filling { templates, changes: filling.changes.saturating_add(1) };
        self.gathered.push(Write::Filling(kind.clone(), filling.clone()));
        let of_kind = self.records.iter().filter(|(key, record)| key.kind == *kind && !record.deleted);
        for (key, record) in of_kind {
            let buckets = buckets_of(ty, record);
            let moved = self.log.move_to(key, &buckets);
            let touched = buckets.iter().chain(&moved.left).cloned();
            self.moved.extend(touched.map(|bucket| Section { kind: kind.clone(), bucket }));
            let unmarked = moved.returned.into_iter();
            self.gathered.extend(unmarked.map(|bucket| Write::Evicted(bucket, key.clone(), None)));
            self.gathered.extend(moved.buckets.map(|buckets| Write::Buckets(key.clone(), buckets)));
        }
    }
}
