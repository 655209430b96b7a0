//! What someone shows to say who they are.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;

/// What someone shows to say who they are. Where it was found says what it may be.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A token, or nothing.
    Token(String),
    /// A token as it is, or in base64url without padding: it stood where only few characters may.
    Offered(String),
    /// A ticket, or a token where there is no other way to show one: it stood in a URL.
    InUrl(String),
    /// A ticket.
    Ticket(String),
}

impl fmt::Debug for Credential {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Token(_) => "Token",
            Self::Offered(_) => "Offered",
            Self::InUrl(_) => "InUrl",
            Self::Ticket(_) => "Ticket",
        };
        f.debug_struct(name).finish_non_exhaustive()
    }
}

/// Returns the text of which this is the base64url.
pub(super) fn decoded(word: &str) -> Option<String> {
    String::from_utf8(BASE64URL_NOPAD.decode(word.as_bytes()).ok()?).ok()
}
