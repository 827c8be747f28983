//! An image on its way from one engine to another: what one exports the other loads, without a registry and without a
//! file of ours.
//!
//! ```text
//! GET /images/{name}/get  ──►  pieces: counted, throttled  ──►  POST /images/load
//! ```
//!
//! A piece is asked for when the one before it is taken, so an image of any size costs a few pieces of memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as DockerError;
use bollard::query_parameters::ImportImageOptionsBuilder;
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use tokio::time::sleep;

use super::error::says_disk_full;
use super::{Engine, QUESTION_DEADLINE};
use crate::clock::Patience;

/// Longest time in which no byte passes and the copy does not end. An engine exports an image into a folder of its own
/// before the first byte, and unpacks what it has loaded after the last one.
const STANDSTILL: Duration = Duration::from_mins(5);

/// Bytes a second that pass while something runs on one of the hosts.
const BESIDE_WORK: u64 = 16 << 20;

/// Shortest rest: timers are no finer than a millisecond.
const SHORTEST_REST: Duration = Duration::from_millis(10);

/// Why an image did not come from one engine to another.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It could not be had.
    #[error("it could not be read there: {0}")]
    Source(DockerError),
    /// It could not be put.
    #[error("it could not be loaded here: {0}")]
    Target(DockerError),
    /// Nothing moved any more.
    #[error("nothing moved within {STANDSTILL:?}")]
    Standstill,
    /// A host went away meanwhile.
    #[error("the host {0} went away")]
    HostGone(String),
}

impl CopyError {
    /// Whether the disk of the host that it comes to is full.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Target(error) if says_disk_full(error))
    }
}

/// How far a copy is.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    moved: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Bytes that have passed.
    pub fn moved_bytes(&self) -> u64 {
        self.0.moved.load(Ordering::Relaxed)
    }

    /// How much of the image that is, as far as its size tells, in thousandths: 0 to 1000.
    pub fn thousandths(&self) -> u16 {
        let total = self.0.total.load(Ordering::Relaxed).max(1);
        let part = self.moved_bytes().saturating_mul(1000) / total;
        u16::try_from(part.min(1000)).unwrap_or(1000)
    }
}

/// Whether something runs on a host, told to what should leave it alone then.
#[derive(Clone, Debug, Default)]
pub struct AtWork(Arc<AtomicBool>);

impl AtWork {
    /// Tells whether something runs.
    pub fn set(&self, at_work: bool) {
        self.0.store(at_work, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A copy to be made.
#[derive(Debug)]
pub struct ImageCopy {
    /// The image: `name:tag`.
    pub image: String,
    /// Where it is, and whether something runs there.
    pub from: (Docker, AtWork),
    /// Where it is to be.
    pub to: (Docker, AtWork),
    /// Told of what has passed.
    pub progress: Progress,
    /// Counts what passes.
    pub counter: metrics::Counter,
}

impl ImageCopy {
    /// Makes it. The image has its name there afterwards; one that had it has none any more.
    ///
    /// # Errors
    /// [`CopyError`]; the target keeps what it had.
    pub async fn run(self) -> Result<(), CopyError> {
        let Self { image, from: (source, source_at_work), to: (target, target_at_work), progress, counter } =
            self;
        let Some(found) = Patience::new(QUESTION_DEADLINE).wait_for(source.inspect_image(&image)).await
        else {
            return Err(CopyError::Standstill);
        };
        let size = found.map_err(CopyError::Source)?.size.unwrap_or(0);
        progress.0.total.store(u64::try_from(size).unwrap_or(0), Ordering::Relaxed);

        let fault = Fault::default();
        let told = fault.clone();
        let throttle = Throttle { hosts: [source_at_work, target_at_work], debt: 0 };
        let counts = progress.clone();
        let count = move |piece: &Bytes| {
            let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            counts.0.moved.fetch_add(bytes, Ordering::Relaxed);
            counter.increment(bytes);
        };
        let pieces = source.export_image(&image).map_err(move |error| told.keep(error)).inspect_ok(count);
        let options = ImportImageOptionsBuilder::new().quiet(true).build();
        let mut steps =
            std::pin::pin!(target.import_image_stream(options, throttled(pieces, throttle), None));
        let mut loaded = std::pin::pin!(async {
            while steps.try_next().await?.is_some() {}
            Ok::<_, DockerError>(())
        });
        let mut seen = 0;
        loop {
            match Patience::new(STANDSTILL).wait_for(&mut loaded).await {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => {
                    return Err(fault.taken().map_or(CopyError::Target(error), CopyError::Source));
                }
                None if progress.moved_bytes() == seen => return Err(CopyError::Standstill),
                None => seen = progress.moved_bytes(),
            }
        }
    }
}

impl Engine {
    /// A copy of `image` that comes here from another engine.
    ///
    /// * `at_work` — whether something runs there, and here.
    pub fn copy_from(
        &self,
        from: &Self,
        image: String,
        at_work: [AtWork; 2],
        counter: metrics::Counter,
    ) -> ImageCopy {
        let [there, here] = at_work;
        let (from, to) = ((from.docker.clone(), there), (self.docker.clone(), here));
        ImageCopy { image, from, to, progress: Progress::default(), counter }
    }
}

/// What went wrong at the source: the target only says that its request broke off.
#[derive(Clone, Debug, Default)]
struct Fault(Arc<Mutex<Option<DockerError>>>);

impl Fault {
    /// Keeps it, and answers with what ends the request.
    fn keep(&self, error: DockerError) -> std::io::Error {
        let text = error.to_string();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        std::io::Error::other(text)
    }

    fn taken(&self) -> Option<DockerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Lets pieces pass as fast as is good for what runs beside them.
struct Throttle {
    hosts: [AtWork; 2],
    /// Bytes that passed beside work since the last rest.
    debt: u64,
}

impl Throttle {
    /// How long to rest after a piece of so many bytes.
    fn rest_after(&mut self, bytes: usize) -> Duration {
        if !self.hosts.iter().any(AtWork::get) {
            self.debt = 0;
            return Duration::ZERO;
        }
        self.debt = self.debt.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let rest = Duration::from_millis(self.debt.saturating_mul(1000) / BESIDE_WORK);
        if rest < SHORTEST_REST {
            return Duration::ZERO;
        }
        self.debt = 0;
        rest
    }
}

fn throttled(
    pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    throttle: Throttle,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    let next = |(mut pieces, mut throttle): (std::pin::Pin<Box<_>>, Throttle)| async move {
        let Some(piece): Option<Bytes> = TryStreamExt::try_next(&mut pieces).await? else { return Ok(None) };
        let rest = throttle.rest_after(piece.len());
        // A sleep of no time may last until the next tick.
        if !rest.is_zero() {
            sleep(rest).await;
        }
        Ok(Some((piece, (pieces, throttle))))
    };
    futures_util::stream::try_unfold((Box::pin(pieces), throttle), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time_for(bytes: usize, hosts: [AtWork; 2]) -> Duration {
        let mut throttle = Throttle { hosts, debt: 0 };
        std::iter::repeat_n(8192, bytes / 8192).map(|piece| throttle.rest_after(piece)).sum()
    }

    #[test]
    fn an_image_passes_slowly_while_something_runs_on_one_of_its_hosts() {
        let busy = AtWork::default();
        busy.set(true);

        let beside_work = time_for(64 << 20, [AtWork::default(), busy]);

        assert!((3900..4100).contains(&beside_work.as_millis()), "{beside_work:?}");
        assert_eq!(time_for(64 << 20, Default::default()), Duration::ZERO);
    }

    #[test]
    fn progress_is_between_nothing_and_all_whatever_an_engine_says_of_the_size() {
        let at = |moved: u64, total: u64| {
            Progress(Arc::new(Counts { moved: moved.into(), total: total.into() })).thousandths()
        };

        assert_eq!(
            [at(0, 0), at(0, 10), at(5, 10), at(10, 10), at(11, 10), at(1, 0)],
            [0, 0, 500, 1000, 1000, 1000]
        );
    }
}
