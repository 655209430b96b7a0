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
    /// Whether the records are being moved: some may lie elsewhere already.
    pub is_moving: bool,
}

impl Ledger {
    /// Puts the records of a type into its buckets again, if its templates are others than those by which they lie there.
    pub(super) fn refill(&mut self, kind: &TypeName) {
        let Some(ty) = self.types.get(kind).cloned() else { return };
        let templates: Vec<String> =
            ty.buckets.iter().map(BucketTemplate::as_str).map(String::from).collect();
        let before = self.fillings.get(kind).cloned().unwrap_or_default();
        if before.templates == templates && !before.is_moving {
            return;
        }
        let changes = before.changes.saturating_add(1);
        self.note_filling(kind, Filling { changes, is_moving: true, ..before });
        let of_kind = self.records().filter(|(key, record)| key.kind == *kind && !record.deleted);
        let placed: Vec<_> = of_kind.map(|(key, record)| (key.clone(), buckets_of(&ty, &record))).collect();
        for (key, buckets) in placed {
            let moved = self.log.move_to(&key, &buckets);
            let touched = buckets.into_iter().chain(moved.left);
            self.moved.extend(touched.map(|bucket| Section { kind: kind.clone(), bucket }));
            let unmarked = moved.returned.into_iter();
            self.gathered.extend(unmarked.map(|bucket| Write::Evicted(bucket, key.clone(), None)));
            self.gathered.extend(moved.buckets.map(|buckets| Write::Buckets(key.clone(), buckets)));
            self.seal_if_full();
        }
        self.note_filling(kind, Filling { templates, changes, is_moving: false });
    }

    fn note_filling(&mut self, kind: &TypeName, filling: Filling) {
        self.gathered.push(Write::Filling(kind.clone(), filling.clone()));
        self.fillings.insert(kind.clone(), filling);
    }
}
