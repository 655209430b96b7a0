//! What was decided, and for how long it counts.

use std::collections::BTreeMap;

use syncline_core::{access::Action, entity::UserName, id::TenantName, time::MonotonicMs};

use super::{Check, Who};
use crate::limits::DECISIONS_MAX;

/// How long decisions count, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lasting {
    /// Without asking again.
    pub(super) fresh_ms: u64,
    /// After that, while nobody answers.
    pub(super) stale_ms: u64,
}

/// What was decided about one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) is_allowed: bool,
    /// When the answer came.
    pub(super) at: MonotonicMs,
}

/// The latest decisions, about half of which are forgotten when there are too many.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    young: BTreeMap<Key, Decision>,
    old: BTreeMap<Key, Decision>,
    /// How often some were forgotten because someone said so.
    pub(super) forgotten: u64,
}

/// Who may do what with which resource.
type Key = (Who, String, Action);

impl Decision {
    /// Returns until when it counts without asking again.
    pub(super) fn fresh_until(&self, lasting: Lasting) -> MonotonicMs {
        self.at.after(lasting.fresh_ms)
    }

    /// Returns until when it counts at all.
    pub(super) fn good_until(&self, lasting: Lasting) -> MonotonicMs {
        self.at.after(lasting.fresh_ms.saturating_add(lasting.stale_ms))
    }
}

impl Decisions {
    pub(super) fn note(&mut self, who: &Who, check: &Check, decision: Decision) {
        if self.young.len() >= DECISIONS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key(who, check), decision);
    }

    /// Returns what was decided, however long ago.
    pub(super) fn of(&self, who: &Who, check: &Check) -> Option<Decision> {
        let key = key(who, check);
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    /// Forgets what was decided about a user, a resource, or both; about everyone and everything of the tenant if neither is named. Returns how
    /// many decisions that were.
    pub(super) fn forget(
        &mut self,
        tenant: &TenantName,
        user: Option<&UserName>,
        resource: Option<&str>,
    ) -> usize {
        let is_kept = |(who, text, _): &Key, _: &mut Decision| {
            *tenant != who.tenant
                || user.is_some_and(|user| *user != who.user)
                || resource.is_some_and(|resource| resource != text)
        };
        let before = self.young.len() + self.old.len();
        self.young.retain(is_kept);
        self.old.retain(is_kept);
        self.forgotten += 1;
        before - self.young.len() - self.old.len()
    }
}

fn key(who: &Who, check: &Check) -> Key {
    (who.clone(), check.resource.clone(), check.grant.action)
}

#[cfg(test)]
mod tests {
    use syncline_core::access::{Grants, Identity, Resource};

    use super::*;

    fn who(user: &str) -> Who {
        Who::of(&Identity::of(UserName::new(user).expect("a name"), Grants::default()))
    }

    fn reading(name: &str) -> Check {
        Check::new(Action::Read, Resource::Document(name))
    }

    const YES: Decision = Decision { is_allowed: true, at: MonotonicMs(100) };

    #[test]
    fn a_decision_is_about_one_user_resource_and_action() {
        let mut decisions = Decisions::default();
        decisions.note(&who("ann"), &reading("a"), YES);
        assert_eq!(decisions.of(&who("ann"), &reading("a")), Some(YES));
        for (user, check) in [
            ("bob", reading("a")),
            ("ann", reading("b")),
            ("ann", Check::new(Action::Write, Resource::Document("a"))),
            ("ann", Check::new(Action::Read, Resource::Type("a"))),
        ] {
            assert_eq!(decisions.of(&who(user), &check), None, "{user} {check:?}");
        }
        let lasting = Lasting { fresh_ms: 10, stale_ms: 5 };
        assert_eq!((YES.fresh_until(lasting), YES.good_until(lasting)), (MonotonicMs(110), MonotonicMs(115)));
    }

    #[test]
    fn what_is_named_is_forgotten() {
        let check = |user: Option<&str>, resource: Option<&str>, want: &[(&str, &str)]| {
            let mut decisions = Decisions::default();
            let all = [("ann", "a"), ("ann", "b"), ("bob", "a"), ("bob", "b")];
            all.iter().for_each(|(user, name)| decisions.note(&who(user), &reading(name), YES));
            let user = user.map(|user| UserName::new(user).expect("a name"));
            assert_eq!(decisions.forget(&TenantName::default(), user.as_ref(), resource), 4 - want.len());
            let left = |(user, name): &&(&str, &str)| decisions.of(&who(user), &reading(name)).is_some();
            assert_eq!(all.iter().filter(left).copied().collect::<Vec<_>>(), want);
        };
        check(Some("ann"), None, &[("bob", "a"), ("bob", "b")]);
        check(None, Some("doc:a"), &[("ann", "b"), ("bob", "b")]);
        check(Some("ann"), Some("doc:a"), &[("ann", "b"), ("bob", "a"), ("bob", "b")]);
        check(None, None, &[]);
    }

    #[test]
    fn decisions_are_bounded_and_the_latest_are_kept() {
        let mut decisions = Decisions::default();
        for n in 0..3 * DECISIONS_MAX / 2 + 1 {
            decisions.note(&who("ann"), &reading(&n.to_string()), YES);
            assert!(decisions.young.len() + decisions.old.len() <= DECISIONS_MAX);
        }
        let last = (3 * DECISIONS_MAX / 2).to_string();
        assert!(decisions.of(&who("ann"), &reading(&last)).is_some());
        assert!(decisions.of(&who("ann"), &reading(&DECISIONS_MAX.to_string())).is_some());
        assert!(decisions.of(&who("ann"), &reading("0")).is_none());
    }
}
