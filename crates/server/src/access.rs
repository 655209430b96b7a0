//! Who may do what.

use std::{fmt, sync::Arc};

use syncline_core::id::RoomName;
use syncline_protocol::Access;

/// Decides what the bearer of a token may do.
///
/// It is asked on the runtime's threads and must not block.
pub trait Authorizer: fmt::Debug + Send + Sync {
    /// Returns what the bearer of `token`, which may be empty, may do in a room; nothing if they may not open it.
    fn authorize(&self, room: &RoomName, token: &str) -> Option<Access>;

    /// Returns whether the bearer may see which rooms there are.
    fn may_list_rooms(&self, token: &str) -> bool;

    /// Returns who the bearer is among those who sync entities, and what they may do; nothing if they may not.
    fn entities(&self, token: &str) -> Option<Caller> {
        let _ = token;
        None
    }
}

/// Who asks about entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user. Devices are bound to users.
    pub user: String,
    /// What they may do.
    pub rights: EntityRights,
}

/// What someone may do with the entities of a tenant. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntityRights {
    /// Read all of them.
    Read,
    /// Write them, and settle conflicts.
    Write,
    /// Declare types and scopes, and revoke others' devices.
    Admin,
}

/// Asks whoever was configured; lets everyone do everything if nobody was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Option<Arc<dyn Authorizer>>);

impl Gate {
    pub(crate) fn new(authorizer: Option<Arc<dyn Authorizer>>) -> Self {
        Self(authorizer)
    }

    /// Returns whether a token is asked for.
    pub(crate) fn asks_token(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn authorize(&self, room: &RoomName, token: &str) -> Option<Access> {
        match &self.0 {
            Some(authorizer) => authorizer.authorize(room, token),
            None => Some(Access::ReadWrite),
        }
    }

    /// Returns who asks about entities. Where no token is asked for, callers are who they say they are.
    pub(crate) fn caller(&self, token: &str, claimed: Option<&str>) -> Option<Caller> {
        match &self.0 {
            Some(authorizer) => authorizer.entities(token),
            None => {
                let user = claimed.unwrap_or("local").to_owned();
                Some(Caller { user, rights: EntityRights::Admin })
            }
        }
    }

    pub(crate) fn may_list_rooms(&self, token: &str) -> bool {
        self.0.as_ref().is_none_or(|authorizer| authorizer.may_list_rooms(token))
    }
}

/// Tokens that were agreed on beforehand, each with the rooms that it opens.
#[derive(Clone, Debug, Default)]
pub struct StaticTokens(Vec<Grant>);

/// What one token opens.
#[derive(Clone)]
pub struct Grant {
    /// The secret that its bearer shows.
    pub token: String,
    /// The rooms: a name, or the beginning of names with `*` at the end.
    pub rooms: String,
    /// What may be done there.
    pub access: Access,
    /// Who its bearer is among those who sync entities, if they may.
    pub entities: Option<Caller>,
}

impl fmt::Debug for Grant {
    /// Leaves the token out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token: _, rooms, access, entities } = self;
        let mut shown = f.debug_struct("Grant");
        shown
            .field("rooms", rooms)
            .field("access", access)
            .field("entities", entities)
            .finish_non_exhaustive()
    }
}

impl StaticTokens {
    /// Takes the grants; of several for one token the first that fits a room counts.
    #[must_use]
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants)
    }

    fn grants_of(&self, token: &str) -> impl Iterator<Item = &Grant> {
        self.0.iter().filter(move |grant| is_same_secret(&grant.token, token))
    }
}

impl Authorizer for StaticTokens {
    fn authorize(&self, room: &RoomName, token: &str) -> Option<Access> {
        let mut fitting = self.grants_of(token).filter(|grant| match grant.rooms.strip_suffix('*') {
            Some(beginning) => room.as_str().starts_with(beginning),
            None => room.as_str() == grant.rooms,
        });
        fitting.next().map(|grant| grant.access)
    }

    fn may_list_rooms(&self, token: &str) -> bool {
        self.grants_of(token).any(|grant| grant.rooms == "*")
    }

    fn entities(&self, token: &str) -> Option<Caller> {
        self.grants_of(token).find_map(|grant| grant.entities.clone())
    }
}

/// Compares all of two texts, so that the time it takes tells nothing but whether they are of one length.
fn is_same_secret(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_the_rooms_it_was_granted() {
        let grant = |token: &str, rooms: &str, access| {
            let entities =
                (token == "admin").then(|| Caller { user: "root".into(), rights: EntityRights::Read });
            Grant { token: token.into(), rooms: rooms.into(), access, entities }
        };
        let tokens = StaticTokens::new(vec![
            grant("alice", "team/plan", Access::ReadOnly),
            grant("alice", "team/*", Access::ReadWrite),
            grant("admin", "*", Access::ReadWrite),
        ]);
        let check = |token: &str, room: &str, want: Option<Access>| {
            let room = RoomName::new(room).unwrap();
            assert_eq!(tokens.authorize(&room, token), want, "{token} in {room}");
        };
        check("alice", "team/plan", Some(Access::ReadOnly));
        check("alice", "team/notes", Some(Access::ReadWrite));
        check("alice", "team", None);
        check("alicf", "team/notes", None);
        check("", "team/notes", None);
        check("admin", "anything", Some(Access::ReadWrite));
        assert!(tokens.may_list_rooms("admin") && !tokens.may_list_rooms("alice"));
        assert_eq!(tokens.entities("admin").map(|caller| caller.rights), Some(EntityRights::Read));
        assert_eq!(tokens.entities("alice"), None);
        assert!(!format!("{tokens:?}").contains("alice"), "secrets stay out of logs");
    }

    #[test]
    fn without_an_authorizer_everyone_may_do_everything() {
        let gate = Gate::default();
        assert_eq!(gate.authorize(&RoomName::new("room").unwrap(), ""), Some(Access::ReadWrite));
        assert!(!gate.asks_token() && gate.may_list_rooms(""));
        let ann = gate.caller("", Some("ann")).expect("everyone may");
        assert_eq!((ann.user.as_str(), ann.rights), ("ann", EntityRights::Admin));
        assert_eq!(gate.caller("", None).map(|caller| caller.user), Some("local".into()));
    }
}
