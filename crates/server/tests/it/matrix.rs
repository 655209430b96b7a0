//! Every role, by every message and every operation, in their own tenant and in a foreign one where everything has the same names.
//!
//! Goal: nothing is allowed that no rule allows. Method: one row for each message and each operation says who is answered, who is
//! shown what its owner wrote, and who changes it ([`rows`], [`sockets`], [`automerge`]); the cells are made of it. A cell looks at both sides: at
//! all bytes of the answer, in which the owner's mark is searched, and at what is stored of the owner's tenant before and after.
//! What the server takes and no row names makes the test fail.

mod automerge;
mod requests;
mod rows;
mod sockets;
mod world;

/// What someone may do, wherever in their tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Shows no token.
    Nobody,
    /// Shows a token that nobody has issued.
    Forger,
    /// Is known, and has no grants.
    Stranger,
    Reader,
    Commenter,
    Writer,
    Admin,
}

impl Role {
    const ALL: [Self; 7] = [
        Self::Nobody,
        Self::Forger,
        Self::Stranger,
        Self::Reader,
        Self::Commenter,
        Self::Writer,
        Self::Admin,
    ];

    const fn is_known(self) -> bool {
        !matches!(self, Self::Nobody | Self::Forger)
    }

    /// Returns what the role is granted; none if there is no such token.
    fn grants(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Nobody | Self::Forger => None,
            Self::Stranger => Some(&[]),
            Self::Reader => Some(&["*=read"]),
            Self::Commenter => Some(&["*=comment"]),
            Self::Writer => Some(&["*=write"]),
            Self::Admin => Some(&["*=admin"]),
        }
    }
}

/// The tenant whose things are looked after, and the other one. All that one of them writes holds its name.
const OWN: &str = "owlcanary";
const FOREIGN: &str = "foxdecoy";
const TENANTS: [&str; 2] = [OWN, FOREIGN];

/// What whoever writes something puts into it.
const INTRUDER: &str = "intruder";

/// Rows that are looked at together: each has servers of its own.
const AT_ONCE: usize = 8;

/// Returns who there is: each role, in each tenant.
fn cells() -> impl Iterator<Item = (Role, &'static str)> {
    Role::ALL.into_iter().flat_map(|role| TENANTS.map(|tenant| (role, tenant)))
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|at| at == text.as_bytes())
}
