//! A copy of an image from one connected host to another.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::docker::{CopyError, ImageCopy};
use super::hosts::HostConnection;

/// Time between two reports of how far a copy is.
const REPORTS: Duration = Duration::from_millis(250);

/// Brings `image` to a host; ends at once when one of the two is lost.
///
/// * `report` — told how much of it has come, in thousandths, when that has changed.
pub(super) async fn copy_image<Told: Future<Output = ()>>(
    image: String,
    from: &HostConnection,
    to: &HostConnection,
    report: impl Fn(u16) -> Told,
) -> Result<(), CopyError> {
    let at_work = [from.at_work.clone(), to.at_work.clone()];
    let counter = metrics::counter!("guichet_image_bytes_moved_total", "host" => to.host.to_string());
    let copy: ImageCopy = to.engine.copy_from(&from.engine, image, at_work, counter);
    let (progress, mut told) = (copy.progress.clone(), 0);
    let mut copying = std::pin::pin!(copy.run());
    let mut reports = interval(REPORTS);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            copied = &mut copying => return copied,
            () = from.gone.cancelled() => return Err(CopyError::HostGone(from.host.to_string())),
            () = to.gone.cancelled() => return Err(CopyError::HostGone(to.host.to_string())),
            _ = reports.tick() => {
                let thousandths = progress.thousandths();
                if thousandths != told {
                    told = thousandths;
                    report(thousandths).await;
                }
            }
        }
    }
}
