//! `GET /sync/v1/ws`: what [`live`](super::live) tells, over a WebSocket.

use axum::{
    extract::{RawQuery, Request},
    response::Response,
};
use futures_util::stream;
use syncline_protocol::{
    CloseReason,
    wire::sync_v1::{Code, Problem},
};

use super::{
    ask::Asked,
    live::{Ended, Listener, Told},
    refusal::Refusal,
};
use crate::{connection, upgrade};

pub(super) async fn ws(
    asked: Asked,
    RawQuery(query): RawQuery,
    mut request: Request,
) -> Result<Response, Refusal> {
    let shared = asked.shared.clone();
    let listener = Listener::open(asked, query.as_deref().unwrap_or_default()).await?;
    let (teller, over, payer) = (shared.clone(), listener.over(), listener.payer());
    let upgraded = upgrade::upgrade_to(&shared, &mut request, move |socket| async move {
        let texts = stream::unfold(Some(listener), async |listener| {
            let mut listener = listener?;
            match listener.next().await {
                Ok(told) => Some((Ok(text(&told)), Some(listener))),
                Err(ended) => Some((Err(reason(ended)), None)),
            }
        });
        connection::tell(socket, &teller, payer, over, texts).await;
    });
    upgraded.map_err(|refusal| refused(refusal).into())
}

fn refused(refusal: upgrade::Refusal) -> Problem {
    use upgrade::Refusal::{NoRoom, NotWebSocket, Origin, Overloaded, RoomName, StoreDown, TwoRooms};
    let code = match refusal {
        NotWebSocket => Code::ProtocolUnsupported,
        Overloaded => Code::RateLimited,
        NoRoom | TwoRooms | RoomName(_) | Origin | StoreDown => Code::ReadOnly,
    };
    Problem::new(code).because(refusal)
}

/// Returns an event as one object, the name among its members.
fn text(told: &Told) -> String {
    let members = told.data.strip_prefix('{').unwrap_or_default();
    format!(r#"{{"event":"{}",{members}"#, told.name)
}

const fn reason(ended: Ended) -> CloseReason {
    match ended {
        Ended::Stopping => CloseReason::Shutdown,
        Ended::Refused => CloseReason::Forbidden,
        Ended::Over => CloseReason::Unauthorized,
        Ended::Down => CloseReason::StoreDown,
    }
}
