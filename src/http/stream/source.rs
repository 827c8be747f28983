//! What a stream reads from: a log of submissions, what is told of the hosts, or how judging again goes on.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::frame::{self, View};
use crate::app::host_events::{HostFollower, HostNotice};
use crate::app::rejudges::RejudgeFollower;
use crate::app::{self, App};
use crate::domain::rejudge::Rejudge;
use crate::feed::{self, Bell, Follower};

/// Where what is told comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A log of submissions.
    Log(Follower),
    /// The hosts.
    Hosts(HostFollower),
    /// An exercise's submissions that are judged again.
    Rejudge(RejudgeFollower),
}

/// Something to tell.
#[derive(Debug)]
pub(super) enum Notice {
    /// Of a log of submissions.
    Log(feed::Notice),
    /// Of the hosts.
    Hosts(HostNotice),
    /// Of what is judged again.
    Rejudge(Rejudge),
}

impl Source {
    /// What wakes its reader.
    pub(super) fn bell(&self) -> Bell {
        match self {
            Self::Log(follower) => follower.bell(),
            Self::Hosts(follower) => follower.bell(),
            Self::Rejudge(follower) => follower.bell(),
        }
    }

    /// The next thing to tell; `None` if nothing will come.
    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Notice>, app::Error>> {
        match self {
            Self::Log(follower) => {
                let next = follower.poll_next(context);
                next.map_ok(|notice| notice.map(Notice::Log)).map_err(app::Error::from)
            }
            Self::Hosts(follower) => {
                follower.poll_next(context).map(|notice| Ok(Some(Notice::Hosts(notice))))
            }
            Self::Rejudge(follower) => {
                let next = follower.poll_next(context);
                next.map_ok(|standing| standing.map(Notice::Rejudge)).map_err(app::Error::from)
            }
        }
    }
}

impl Notice {
    /// Its lines, as one reader sees it.
    pub(super) fn lines(self, app: &App, view: &View) -> Result<Bytes, serde_json::Error> {
        match self {
            Self::Log(notice) => frame::of_log(app, &notice, view),
            Self::Hosts(notice) => frame::of_hosts(notice),
            Self::Rejudge(standing) => frame::of_rejudge(&standing),
        }
    }
}
