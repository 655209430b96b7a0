//! Users by number: what is written for good names nobody.
//!
//! The audit and the outbox call a user by the number of the entry of the audit with which they were first known. The name lies
//! beside that entry, with a salt, and in the ledger: there an erasure takes it away, and no entry has to be written anew. All that
//! was ever told of the user goes on to say that it was one person. Rehashing the chain from the first entry that names somebody was
//! rejected: it is as long as the chain, and whoever kept a hash outside would find it forged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syncline_core::entity::UserName;
use syncline_core::time::WallMs;

use super::Ledger;
use super::audit::{AuditIndex, Audited};
use super::message::Write;
use super::packed::pack;

/// A user, by the entry of the audit with which they were first known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserNumber(pub AuditIndex);

/// That a user was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedUser {
    /// When.
    pub at: WallMs,
    /// The entry of the audit that says so: their name beside one before it is to be removed.
    pub through: AuditIndex,
}

/// A user who was erased, and whom documents still call by their name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renaming {
    /// The name.
    pub user: UserName,
    /// When they were erased: what has their name later is somebody new.
    pub at: WallMs,
}

/// The users that a ledger knows.
#[derive(Debug, Default)]
pub(super) struct Users {
    numbers: BTreeMap<UserName, UserNumber>,
    names: BTreeMap<UserNumber, UserName>,
    erased: BTreeMap<UserNumber, ErasedUser>,
    renamings: BTreeMap<UserNumber, Renaming>,
}

impl UserNumber {
    /// Returns what the user is called when nobody knows their name any more.
    #[must_use]
    pub fn erased_name(self) -> UserName {
        UserName::new(&format!("erased:{}", self.0.0)).expect("it is short and plain")
    }
}

impl Users {
    pub(super) fn restore(&mut self, number: UserNumber, name: UserName) {
        self.numbers.insert(name.clone(), number);
        self.names.insert(number, name);
    }

    pub(super) fn restore_erased(&mut self, number: UserNumber, erased: ErasedUser) {
        // Bindings of their devices have that name.
        self.numbers.insert(number.erased_name(), number);
        self.erased.insert(number, erased);
    }

    pub(super) fn restore_renaming(&mut self, number: UserNumber, renaming: Renaming) {
        self.renamings.insert(number, renaming);
    }
}

impl Ledger {
    /// Returns what a user is called: their name, unless they were erased.
    #[must_use]
    pub fn user_called(&self, number: UserNumber) -> UserName {
        self.users.names.get(&number).cloned().unwrap_or_else(|| number.erased_name())
    }

    /// Returns the users whose names may still lie beside the audit although they were erased.
    #[must_use]
    pub fn unswept_users(&self) -> BTreeMap<UserNumber, ErasedUser> {
        let erased = self.users.erased.iter().map(|(number, erased)| (*number, *erased));
        erased.filter(|(_, erased)| erased.through > self.swept().erased).collect()
    }

    /// Returns the users who were erased, and whose names documents may still hold.
    #[must_use]
    pub const fn renamings(&self) -> &BTreeMap<UserNumber, Renaming> {
        &self.users.renamings
    }

    /// Returns the number of a user, who gets one if they have none.
    pub(super) fn user_number(&mut self, now: WallMs, user: &UserName) -> UserNumber {
        if let Some(number) = self.users.numbers.get(user) {
            return *number;
        }
        let number = UserNumber(self.audit(now, Audited::Known, Some(pack(user))));
        self.users.restore(number, user.clone());
        self.gathered.push(Write::User(number, Some(user.clone())));
        number
    }

    /// Returns whether anything is known of a user by their name.
    pub(super) fn knows(&self, user: &UserName) -> bool {
        self.users.numbers.contains_key(user)
    }

    /// Returns the number of a user who was erased and has not come again since, as far as documents still have to forget them.
    pub(super) fn renamed(&self, user: &UserName) -> Option<UserNumber> {
        self.users.renamings.iter().find(|(_, renaming)| renaming.user == *user).map(|(number, _)| *number)
    }

    /// Takes the name away from a user, and says by whose wish. Returns what they are called from now on.
    pub(super) fn unname(&mut self, now: WallMs, user: &UserName, by: &UserName) -> UserNumber {
        let by = self.user_number(now, by);
        // Whom the audit does not know gets a number without a name.
        let known = self.users.numbers.remove(user);
        let number = known.unwrap_or_else(|| UserNumber(self.audit(now, Audited::Known, None)));
        if self.users.names.remove(&number).is_some() {
            self.gathered.push(Write::User(number, None));
        }
        let through = self.audit(now, Audited::UserErased { user: number, by }, None);
        let (erased, renaming) = (ErasedUser { at: now, through }, Renaming { user: user.clone(), at: now });
        self.gathered.push(Write::UserErased(number, erased));
        self.gathered.push(Write::Renaming(number, Some(renaming.clone())));
        self.users.restore_erased(number, erased);
        self.users.restore_renaming(number, renaming);
        number
    }
}
