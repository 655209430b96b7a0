//! The committer: the one thread that owns a store, and joins what everyone wants written into one commit.
//!
//! It takes what has gathered, up to [`BATCH_OPERATIONS_MAX`] operations or [`BATCH_BYTES_MAX`] bytes, makes one batch
//! of it, commits that, and reports to each ticket in the order of submission. While one commit is under way the next
//! one gathers, so the cost of a flush is shared by all who wait for it.
//!
//! Reads run on the same thread, between commits: with sled a reader may finish the split of a page, which is a write
//! that must not come between a batch and its flush. A read sees every commit that was reported before the read was
//! submitted, and perhaps later ones.
//!
//! After a commit has failed, it and every later one is refused with the same [`CommitFailed`] until
//! [`Handle::reopen`] has succeeded, and those that were submitted before that success are refused too: whoever
//! submitted them had not heard yet.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use syncline_core::limits::{BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX};

use crate::{
    batch::Batch,
    port::{CommitError, Store, VacuumError, Vacuumed},
};

/// Requests that wait for the committer. Far more than there are rooms, each of which has one commit under way.
pub const QUEUE_REQUESTS_MAX: usize = 65_536;

/// Bytes that wait to be committed. One request may exceed it, if it comes while there is room.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// The running thread. Whoever holds it must [`close`](Self::close) it; [`Handle`]s are for everyone else.
pub struct Committer {
    handle: Handle,
    thread: JoinHandle<Box<dyn Store>>,
}

/// Hands requests to the committer; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// Hears of each commit on the committer's thread, for whoever has a clock.
pub trait Observer: Send {
    /// A commit begins: this many operations, this many bytes, for this many tickets.
    fn begins(&mut self, operations: usize, bytes: usize, tickets: usize);
    /// It has ended, and whether it is durable.
    fn ended(&mut self, durable: bool);
}

impl Observer for () {
    fn begins(&mut self, _operations: usize, _bytes: usize, _tickets: usize) {}
    fn ended(&mut self, _durable: bool) {}
}

/// What the committer has done, and what waits for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitterStats {
    /// Commits that became durable.
    pub commits: u64,
    /// Operations in them.
    pub operations: u64,
    /// Bytes of keys and values in them.
    pub bytes: u64,
    /// Commits that failed; a refused ticket is not one.
    pub failed: u64,
    /// Requests that wait now: commits, reads and maintenance.
    pub waiting_requests: u64,
    /// Bytes that wait now to be committed.
    pub waiting_bytes: u64,
}

/// A commit failed, this one or an earlier one. Nothing of it will be seen once the store is reopened.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the commit failed")]
pub struct CommitFailed {
    /// Why the first one failed.
    #[from]
    pub source: CommitError,
}

/// Why the committer did not take a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Too much waits already; try again when some of it has been reported.
    #[error("too much waits to be committed")]
    Busy,
    /// The committer is closed or has ended.
    #[error("the committer is closed")]
    Closed,
}

/// The committer's thread ended by a panic; what it last committed is durable, the rest is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the committer's thread panicked")]
pub struct CommitterPanicked;

type Done = Box<dyn FnOnce(Result<(), CommitFailed>) + Send>;
type Read = Box<dyn FnOnce(&dyn Store) + Send>;
type Work = Box<dyn FnOnce(&mut dyn Store) + Send>;
type Reopened = Box<dyn FnOnce(Result<(), VacuumError>) + Send>;

struct Ticket {
    batch: Batch,
    done: Done,
}

enum Job {
    Read(Read),
    Maintain(Work),
    Reopen(Reopened),
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    tickets: VecDeque<Ticket>,
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
    stats: CommitterStats,
}

impl Committer {
    /// Starts the thread, which owns `store` until [`close`](Self::close).
    ///
    /// # Errors
    /// Whatever the operating system says if it does not start a thread.
    pub fn start(store: Box<dyn Store>, observer: impl Observer + 'static) -> io::Result<Self> {
        let handle = Handle { shared: Arc::default() };
        let shared = Arc::clone(&handle.shared);
        let thread = thread::Builder::new().name("syncline-committer".into()).spawn(move || {
            let closes = ClosesQueue(&shared);
            Worker { store, observer, failed: None }.run(closes.0)
        })?;
        Ok(Self { handle, thread })
    }

    /// Returns a handle for those who write and read.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Takes no more requests, commits and reports what waits, ends the thread and returns the store.
    ///
    /// # Errors
    /// [`CommitterPanicked`] if the thread had ended by itself.
    pub fn close(self) -> Result<Box<dyn Store>, CommitterPanicked> {
        self.handle.shared.close();
        self.thread.join().map_err(|_| CommitterPanicked)
    }
}

impl Handle {
    /// Hands in a batch; `done` is called on the committer's thread when it is durable, or never will be. It must be
    /// quick, and must not panic: that ends the committer.
    ///
    /// # Errors
    /// [`Refusal`]; the batch is dropped and `done` is not called.
    pub fn submit(
        &self,
        batch: Batch,
        done: impl FnOnce(Result<(), CommitFailed>) + Send + 'static,
    ) -> Result<(), Refusal> {
        self.shared.offer(|queue| {
            if queue.bytes >= QUEUE_BYTES_MAX {
                return Err(Refusal::Busy);
            }
            queue.bytes += batch.bytes();
            queue.tickets.push_back(Ticket { batch, done: Box::new(done) });
            Ok(())
        })
    }

    /// Has `read` look at the store between two commits, on the committer's thread. It must not panic.
    ///
    /// # Errors
    /// [`Refusal`]; `read` is not called.
    pub fn read(&self, read: impl FnOnce(&dyn Store) + Send + 'static) -> Result<(), Refusal> {
        self.job(Job::Read(Box::new(read)))
    }

    /// Has `work` done on the store between two commits, on the committer's thread. It must not panic.
    ///
    /// # Errors
    /// [`Refusal`]; `work` is not called.
    pub fn maintain(&self, work: impl FnOnce(&mut dyn Store) + Send + 'static) -> Result<(), Refusal> {
        self.job(Job::Maintain(Box::new(work)))
    }

    /// Vacuums the store; see [`Store::vacuum`].
    ///
    /// # Errors
    /// [`Refusal`]; `done` is not called.
    pub fn vacuum(
        &self,
        done: impl FnOnce(Result<Vacuumed, VacuumError>) + Send + 'static,
    ) -> Result<(), Refusal> {
        self.maintain(|store| done(store.vacuum()))
    }

    /// Reopens the store after a failed commit; see [`Store::reopen`]. On an error the caller asks again later.
    ///
    /// # Errors
    /// [`Refusal`]; `done` is not called.
    pub fn reopen(&self, done: impl FnOnce(Result<(), VacuumError>) + Send + 'static) -> Result<(), Refusal> {
        self.job(Job::Reopen(Box::new(done)))
    }

    /// Returns what was done and what waits.
    #[must_use]
    pub fn stats(&self) -> CommitterStats {
        let queue = self.shared.queue();
        CommitterStats {
            waiting_requests: (queue.tickets.len() + queue.jobs.len()) as u64,
            waiting_bytes: queue.bytes as u64,
            ..queue.stats
        }
    }

    fn job(&self, job: Job) -> Result<(), Refusal> {
        self.shared.offer(|queue| {
            queue.jobs.push_back(job);
            Ok(())
        })
    }
}

impl Shared {
    fn offer(&self, push: impl FnOnce(&mut Queue) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(Refusal::Closed);
        }
        if queue.tickets.len() + queue.jobs.len() >= QUEUE_REQUESTS_MAX {
            return Err(Refusal::Busy);
        }
        push(&mut queue)?;
        drop(queue);
        self.arrived.notify_one();
        Ok(())
    }

    fn close(&self) {
        self.queue().closed = true;
        self.arrived.notify_one();
    }

    /// No code that can panic runs under the lock, so a poisoned one guards nothing half done.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the queue when the thread ends, by whatever way, so that nobody waits for an answer that will not come.
struct ClosesQueue<'a>(&'a Shared);

impl Drop for ClosesQueue<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.closed = true;
        queue.bytes = 0;
        // Dropped outside the lock: a callback's captures may do anything.
        let left = (std::mem::take(&mut queue.tickets), std::mem::take(&mut queue.jobs));
        drop(queue);
        drop(left);
    }
}

struct Worker<O> {
    store: Box<dyn Store>,
    observer: O,
    /// Why everything is refused, after a failed commit.
    failed: Option<CommitFailed>,
}

impl<O: Observer> Worker<O> {
    fn run(mut self, shared: &Shared) -> Box<dyn Store> {
        while let Some((tickets, jobs)) = next(shared) {
            self.commit(shared, tickets);
            for job in jobs {
                self.run_job(shared, job);
            }
        }
        self.store
    }

    fn commit(&mut self, shared: &Shared, tickets: Vec<Ticket>) {
        if tickets.is_empty() {
            return;
        }
        if let Some(failed) = &self.failed {
            return report(tickets.into_iter().map(|ticket| ticket.done), &Err(failed.clone()));
        }
        let mut batch = Batch::new();
        let mut waiting = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            batch.append(ticket.batch);
            waiting.push(ticket.done);
        }
        let (operations, bytes) = (batch.len(), batch.bytes());
        self.observer.begins(operations, bytes, waiting.len());
        let result = self.store.commit(batch).map_err(CommitFailed::from);
        self.observer.ended(result.is_ok());
        let mut queue = shared.queue();
        match &result {
            Ok(()) => {
                queue.stats.commits += 1;
                queue.stats.operations += operations as u64;
                queue.stats.bytes += bytes as u64;
            }
            Err(failed) => {
                queue.stats.failed += 1;
                self.failed = Some(failed.clone());
            }
        }
        drop(queue);
        report(waiting, &result);
    }

    fn run_job(&mut self, shared: &Shared, job: Job) {
        match job {
            Job::Read(read) => read(&*self.store),
            Job::Maintain(work) => work(&mut *self.store),
            Job::Reopen(done) => {
                let result = self.store.reopen();
                if result.is_ok()
                    && let Some(failed) = self.failed.take()
                {
                    let mut queue = shared.queue();
                    let late = std::mem::take(&mut queue.tickets);
                    queue.bytes = 0;
                    drop(queue);
                    report(late.into_iter().map(|ticket| ticket.done), &Err(failed));
                }
                done(result);
            }
        }
    }
}

/// Waits for requests and takes one batch of tickets and every job; `None` once the queue is closed and empty.
fn next(shared: &Shared) -> Option<(Vec<Ticket>, VecDeque<Job>)> {
    let mut queue = shared.queue();
    while queue.tickets.is_empty() && queue.jobs.is_empty() {
        if queue.closed {
            return None;
        }
        queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    let mut tickets = Vec::new();
    let (mut operations, mut bytes) = (0, 0);
    while let Some(ticket) = queue.tickets.front() {
        operations += ticket.batch.len();
        bytes += ticket.batch.bytes();
        // The first is taken whatever its size.
        if !tickets.is_empty() && (operations > BATCH_OPERATIONS_MAX || bytes > BATCH_BYTES_MAX) {
            break;
        }
        queue.bytes -= ticket.batch.bytes();
        tickets.extend(queue.tickets.pop_front());
    }
    Some((tickets, std::mem::take(&mut queue.jobs)))
}

fn report(waiting: impl IntoIterator<Item = Done>, result: &Result<(), CommitFailed>) {
    for done in waiting {
        done(result.clone());
    }
}
