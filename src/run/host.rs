//! How a machine and its host talk: requests out, answers in.
//!
//! A machine is written as one story from top to bottom that waits for its host ([`Host::call`]). [`Machine`] runs it
//! as far as the answers go; nothing in it blocks, reads a clock or draws a random number.

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::rc::Rc;

use super::Failure;
use super::request::{Answer, Id, Request};
use crate::error::ErrorKind;

/// What a machine comes to.
pub type Outcome<T> = Result<T, Failure>;

/// A job under way. Call [`Machine::poll`] until it gives no more requests, perform them, [`Machine::answer`] each, and
/// poll again, until [`Machine::take_outcome`] gives what the job came to.
pub struct Machine<T> {
    calls: Calls,
    /// `None` once it has ended.
    story: Option<Pin<Box<dyn Future<Output = Outcome<T>>>>>,
    outcome: Option<Outcome<T>>,
}

/// What a story asks its host through. Clones are the same host.
#[derive(Clone)]
pub struct Host(Calls);

type Calls = Rc<RefCell<Exchange>>;

#[derive(Default)]
struct Exchange {
    last: Id,
    /// Not yet given out.
    asked: VecDeque<(Id, Request)>,
    /// Those the story waits for; `None` until they are answered.
    awaited: Vec<(Id, Option<Answer>)>,
    /// Whether the story can go on.
    has_news: bool,
    now_ms: i64,
}

impl<T> Machine<T> {
    /// Begins the story that `tell` gives for its host.
    pub fn new<F: Future<Output = Outcome<T>> + 'static>(tell: impl FnOnce(Host) -> F) -> Self {
        let calls = Calls::default();
        calls.borrow_mut().has_news = true;
        let story = Box::pin(tell(Host(calls.clone())));
        Self { calls, story: Some(story), outcome: None }
    }

    /// The next request, with the name that its answer must have; `None` when answers are needed first, or when the job
    /// has ended. `now_ms` is the time, in milliseconds since 1970.
    pub fn poll(&mut self, now_ms: i64) -> Option<(Id, Request)> {
        loop {
            let has_news = {
                let mut calls = self.calls.borrow_mut();
                if let Some(request) = calls.asked.pop_front() {
                    return Some(request);
                }
                calls.now_ms = now_ms;
                core::mem::take(&mut calls.has_news)
            };
            let story = self.story.as_mut().filter(|_| has_news)?;
            if let Poll::Ready(outcome) = story.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                self.story = None;
                self.outcome = Some(outcome);
            }
        }
    }

    /// Takes what came of a request. An answer that nobody waits for any more, or that comes twice, changes nothing.
    pub fn answer(&mut self, id: Id, answer: Answer) {
        let mut calls = self.calls.borrow_mut();
        let awaited = calls.awaited.iter_mut().find(|(other, _)| *other == id);
        let Some((_, awaited)) = awaited.filter(|(_, awaited)| awaited.is_none()) else { return };
        *awaited = Some(answer);
        calls.has_news = true;
    }

    /// What the job came to; `None` while it is under way, and once it was taken.
    pub fn take_outcome(&mut self) -> Option<Outcome<T>> {
        self.outcome.take()
    }
}

impl Host {
    /// The time of the last poll, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.0.borrow().now_ms
    }

    /// Asks for something. It is under way from now on, whether it is awaited yet or not; dropped, it is not waited for
    /// any more.
    #[inline(never)] // Once, and not wherever a story waits: it is told in some fifty places.
    pub fn call(&self, request: Request) -> Call {
        let mut calls = self.0.borrow_mut();
        calls.last += 1;
        let id = calls.last;
        calls.asked.push_back((id, request));
        calls.awaited.push((id, None));
        Call { calls: self.0.clone(), id }
    }

    /// Asks for something that has no answer but that it is done.
    pub fn perform(&self, request: Request) -> Performed {
        Performed(self.call(request))
    }

    /// Asks for bytes.
    pub fn bytes(&self, request: Request) -> Bytes {
        Bytes(self.call(request))
    }
}

/// A request under way, which gives its answer.
pub struct Call {
    calls: Calls,
    id: Id,
}

impl Call {
    /// Its name.
    pub fn id(&self) -> Id {
        self.id
    }
}

impl Call {
    #[inline(never)]
    fn look(&mut self) -> Poll<Outcome<Answer>> {
        let mut calls = self.calls.borrow_mut();
        let answer = calls.awaited.iter_mut().find(|(id, _)| *id == self.id).and_then(|(_, answer)| answer.take());
        match answer {
            None => Poll::Pending,
            Some(Answer::Failed(failure)) => Poll::Ready(Err(failure.into())),
            Some(answer) => Poll::Ready(Ok(answer)),
        }
    }
}

impl Future for Call {
    type Output = Outcome<Answer>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.look()
    }
}

/// A [`Call`] of which it is enough that it is done.
pub struct Performed(Call);

impl Future for Performed {
    type Output = Outcome<()>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.look().map_ok(|_| ())
    }
}

/// A [`Call`] that gives bytes.
pub struct Bytes(Call);

impl Future for Bytes {
    type Output = Outcome<Vec<u8>>;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.look().map(|answer| match answer? {
            Answer::Bytes(bytes) => Ok(bytes),
            _ => Err(ErrorKind::Usage.into()),
        })
    }
}

impl Drop for Call {
    #[inline(never)]
    fn drop(&mut self) {
        let mut calls = self.calls.borrow_mut();
        calls.awaited.retain(|&(id, _)| id != self.id);
        calls.asked.retain(|&(id, _)| id != self.id);
    }
}
