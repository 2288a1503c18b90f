//! Is there room for it now?

use std::sync::Arc;

use types::{Layer, Reason, User};

use super::{StageResult, impersonation::Acting, pass, refuse, request::Request, upstream::series};
use crate::{answer::Answer, exchange::Exchange, worker::Worker};

/// The request has a seat, or needs none.
pub(crate) struct Seated {
    user: Arc<User>,
}

impl Seated {
    /// For whom.
    pub(crate) fn into_user(self) -> Arc<User> {
        self.user
    }
}

/// Takes a seat. The exchange leaves it when the request has ended.
pub(crate) fn take_seat(
    worker: &Worker,
    acting: Acting,
    request: &Request,
    exchange: &mut Exchange,
) -> StageResult<Seated> {
    let user = acting.into_user();
    match worker.gate.in_flight.enter(&request.info, &user) {
        Ok(seat) => {
            if let Some(kind) = seat.kind() {
                exchange.sit(worker.seats.take(seat, worker.metrics.in_flight(kind)));
            }
            pass(Seated { user }, Layer::Flow)
        }
        Err(full) => {
            let (method, info, target) = (&request.method, &request.info, request.target());
            exchange.count_as(series(worker, method, info, target, None, &user, 429));
            let detail = full.verdict().detail;
            Err(refuse(Layer::Flow, Reason::TooManyRequests, detail, Answer::TooManyRequests))
        }
    }
}
